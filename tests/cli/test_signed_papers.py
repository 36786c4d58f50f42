"""Signed PDFs in a dossier as `efile check` and `efile view` tell of them, without any server."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

import certs_dev
from signing.pdf.sign import sign_pdf
from tests.cli.running import efile
from tests.documents import key_of
from tests.dossiers import KINDS, dossier
from tests.pages import page_of, text_of, values
from tests.signing import pdf_documents as made


@pytest.fixture
def file(tmp_path: Path, pki: certs_dev.DevPki) -> Path:
    """A dossier with a sound paper, and one that was changed after it was signed."""
    sound = sign_pdf(made.pdf(), key_of(pki, "other-company"), at=datetime.now(UTC))
    changed = made.appended(sound, made.replace_text)
    file = tmp_path / "dossier.xml"
    file.write_bytes(dossier(pki, (KINDS[0], "a.pdf", sound), (KINDS[1], "b.pdf", changed)))
    return file


def test_check_says_who_signed_a_paper_and_what_is_wrong(file: Path, pki: certs_dev.DevPki) -> None:
    done = efile("check", file, "--trust", pki.trust, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    findings = {one["code"]: one for one in json.loads(done.stdout)["findings"]}
    assert set(findings) == {"attachment.pdf-signed", "attachment.pdf-changed-after-signing"}
    signed, changed = findings.values()
    assert pki.plan.identities["other-company"].name in signed["message"]["vi"]
    assert signed["path"] == "HoSo/DinhKem/TepDinhKem[1]"
    assert file.read_text("utf-8").splitlines()[changed["line"] - 1].strip().startswith("<TepDinhKem")
    assert "a.pdf" in efile("check", file, "--trust", pki.trust).stdout


def test_without_trust_no_paper_is_called_sound(file: Path) -> None:
    done = efile("check", file, "--json")
    codes = {one["code"] for one in json.loads(done.stdout)["findings"]}
    assert "attachment.pdf-signature-indeterminate" in codes
    assert "attachment.pdf-signed" not in codes


def test_the_page_lists_the_papers(file: Path, pki: certs_dev.DevPki) -> None:
    out = file.with_suffix(".html")
    done = efile("view", file, "--trust", pki.trust, "-o", out)
    assert done.returncode == 0, done.stderr
    tree = page_of(out.read_bytes())
    assert "Giấy tờ đính kèm" in text_of(tree)
    told = {row.rpartition(": ")[2]: said for row, said in values(tree).items()}
    assert told["a.pdf"] == f"✓ Chữ ký hợp lệ; đã ký bởi {pki.plan.identities['other-company'].name}"
    assert told["b.pdf"].startswith("✗ Bị sửa sau khi ký")
    assert told["an-ninh-trat-tu.pdf"] == ""
