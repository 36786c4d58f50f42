"""efile view: any document as a page, offline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import certs_dev
import schemas
from gateway.filing.status import Status
from tests.cli.running import efile
from tests.documents import declaration, sign, signed
from tests.door.test_bad_signatures import base64_body
from tests.gateway.builders import verdict
from tests.gateway.notices import HOSTILE, dossier, filing, finding, notary
from tests.pages import page_of, text_of, values
from tests.schemas.conftest import SHARED


def view(file: Path, *options: object) -> bytes:
    done = efile("view", file, "-o", file.with_suffix(".html"), *options)
    assert done.returncode == 0, done.stderr + done.stdout
    return file.with_suffix(".html").read_bytes()


def test_a_signed_declaration(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(pki, "taxpayer", "tvan"))
    tree = page_of(view(file, "--trust", pki.trust, "--tvan", "0100000003"))
    assert text_of(tree).count("✓ Chữ ký hợp lệ") == 2
    assert values(tree)["Người ký"] == pki.plan.identities["taxpayer"].name
    assert "signature." not in text_of(tree)
    english = page_of(view(file, "--trust", pki.trust, "--lang", "en"))
    assert "The signature is sound" in text_of(english)
    assert "signature.signer-not-in-declaration" in text_of(english), (
        "without --tvan nobody knows whose the second one is"
    )


def test_without_trust_nothing_is_called_sound(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(pki))
    tree = page_of(view(file))
    assert "--trust" in text_of(tree)
    assert "✓" not in text_of(tree)
    assert "? Chưa thể kết luận" in text_of(tree)


def test_what_was_changed_after_signing_is_not_the_signers(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "changed.xml"
    file.write_bytes(signed(pki).replace(b"<ct37>1500000<", b"<ct37>1500001<"))
    tree = page_of(view(file, "--trust", pki.trust))
    assert "✗ Chữ ký không hợp lệ" in values(tree)["Kết quả"]
    assert values(tree)["Lý do"]
    assert values(tree)["[37] Điều chỉnh giảm"] == "1.500.001"


def test_a_second_body_beside_the_signed_one_is_told(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    """The page shows the first HSoKhaiThue; the signature is over another."""
    whole = signed(pki)
    body = whole[whole.index(b"<HSoKhaiThue") : whole.index(b"</HSoKhaiThue>") + len(b"</HSoKhaiThue>")]
    forged = body.replace(b'id="ID_1"', b'id="ID_2"').replace(b"<ct37>1500000<", b"<ct37>9<")
    file = tmp_path / "wrapped.xml"
    file.write_bytes(whole.replace(body, forged + body))
    tree = page_of(view(file, "--trust", pki.trust))
    assert values(tree)["[37] Điều chỉnh giảm"] == "9"
    assert "không phủ đúng nội dung" in values(tree)["Kết quả"]
    assert "document.unexpected-element" in text_of(tree)


def test_what_came_out_of_base64_is_not_what_is_shown(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "decoded.xml"
    file.write_bytes(base64_body(pki))
    assert "không phủ đúng nội dung" in values(page_of(view(file, "--trust", pki.trust)))["Kết quả"]


def test_the_same_faults_as_check(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    file = tmp_path / "faulty.xml"
    file.write_bytes(sign(pki, declaration(pki, overrides={"ct36": "1", "ct37": "x"})))
    trust = ("--trust", pki.trust)
    findings = json.loads(efile("check", file, *trust, "--json").stdout)["findings"]
    assert findings
    for language in ("vi", "en"):
        text = text_of(page_of(view(file, *trust, "--lang", language)))
        for told in findings:
            assert " ".join(told["message"][language].split()) in text
            assert " ".join(told["remedy"][language].split()) in text


@pytest.mark.parametrize("form", ["842", "karaoke-licence"])
def test_an_unsigned_example(tmp_path: Path, form: str) -> None:
    file = tmp_path / "new.xml"
    assert efile("new", form, "-o", file).returncode == 0
    assert "không có chữ ký điện tử" in text_of(page_of(view(file)))


def test_every_notice(tmp_path: Path, pki: certs_dev.DevPki) -> None:
    now, signer, trust = datetime.now(UTC), notary(pki), ("--trust", pki.trust)
    notices = {
        "receipt": signer.intake_notice(filing(now, Status.ACKNOWLEDGED), dossier=False),
        "refusal": signer.intake_notice(dossier(now, Status.REFUSED, finding(HOSTILE)), dossier=True),
        "verdict-accepted": signer.verdict_notice(dossier(now, Status.DELIVERED), verdict(), now),
    }
    for kind, notice in notices.items():
        file = tmp_path / "notice.xml"
        file.write_bytes(notice.document)
        found = values(page_of(view(file, *trust, "--signer", pki["notice"].certificate)))
        assert found["Kết quả"] == "✓ Chữ ký hợp lệ (TOTAL-PASSED)", kind
        assert found["Loại thông báo"] == kind
        assert found["Mã giao dịch điện tử"] == schemas.read_notice(notice.document).filing_number
    other = page_of(view(file, *trust, "--signer", pki["taxpayer"].certificate))
    assert values(other)["Kết quả"].startswith("✗"), "signed by somebody else than the gateway"
    assert "chưa đối chiếu" in text_of(page_of(view(file, *trust)))
    assert "Mã số hồ sơ" in values(other), "of a dossier"
    changed = notice.document.replace(b">accepted<", b">rejected<")
    file.write_bytes(changed)
    assert values(page_of(view(file, *trust)))["Kết quả"].startswith("✗")


def test_files_of_others(tmp_path: Path) -> None:
    sample = SHARED / "samples/htkk-01gtgt-v250.anonymised.xml"
    if not sample.exists():
        pytest.skip(f"MISSING: {sample.name}")
    out = tmp_path / "out.html"
    assert efile("view", sample, "-o", out).returncode == 0
    assert "form.not-accepted-here" in text_of(page_of(out.read_bytes()))


def test_what_is_no_document_is_refused(tmp_path: Path) -> None:
    for content in (b"", b"no xml", b"<html/>", b"<!DOCTYPE a><a/>"):
        file = tmp_path / "x.xml"
        file.write_bytes(content)
        for options in ((), ("--json",)):
            done = efile("view", file, *options)
            assert done.returncode == 1
            assert done.stdout
            assert "Traceback" not in done.stderr


def test_as_json_and_to_standard_output(tmp_path: Path) -> None:
    file, out = tmp_path / "new.xml", tmp_path / "o.html"
    assert efile("new", "842", "-o", file).returncode == 0
    page_of(efile("view", file).stdout.encode())
    told = json.loads(efile("view", file, "--json").stdout)
    assert told["sound"] is False, "nobody has signed it"
    page_of(told["html"].encode())
    told = json.loads(efile("view", file, "-o", out, "--json").stdout)
    assert told == {"title": "Tờ khai thuế giá trị gia tăng", "sound": False, "file": str(out)}
    page_of(out.read_bytes())
