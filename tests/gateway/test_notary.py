"""Receipts and notices: the right form by date, valid by schema, sound by our own judge and by xmlsec1."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree

import certs_dev
import schemas
import signing
from gateway.client.receipts import prove_receipt
from gateway.filing.status import Status
from tests.gateway.builders import verdict
from tests.gateway.notices import TT19, TT89, all_notices, dossier, filing, finding, notary


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> certs_dev.DevPki:
    """Made ten days before the change of the law, so that both eras lie within its validity."""
    return certs_dev.make(tmp_path_factory.mktemp("june") / "pki", at=TT19 - timedelta(days=10))


def test_every_notice_is_valid_and_sound(pki: certs_dev.DevPki) -> None:
    policy, trust = signing.load_policy("tt15-2025"), signing.TrustStore.load(pki.trust)
    for name, notice in all_notices(pki):
        assert schemas.validate_notice(notice.document) == (), name
        report = signing.verify_xml(notice.document, policy=policy, trust=trust, at=notice.issued_at)
        assert report.indication is signing.Indication.PASSED, (name, report.sub_indication)
        (signature,) = report.signatures
        assert signature.profile.startswith("XAdES"), name
        assert [covered.path for covered in signature.covered] == [(0,)], name


@pytest.mark.parametrize(("at", "receipt", "refusal"), [(TT19, "843", "843"), (TT89, "TD89-GN", "TD89-KGN")])
def test_the_form_follows_the_date_of_receipt(
    pki: certs_dev.DevPki, at: object, receipt: str, refusal: str
) -> None:
    for status, code in ((Status.ACKNOWLEDGED, receipt), (Status.REFUSED, refusal)):
        document = notary(pki).intake_notice(filing(at, status), dossier=False).document  # type: ignore[arg-type]
        assert f"<maTBao>{code}</maTBao>".encode() in document


def test_a_notice_names_number_digest_and_time_with_zone(pki: certs_dev.DevPki) -> None:
    received = filing(TT89, Status.ACKNOWLEDGED)
    notice = schemas.read_notice(notary(pki).intake_notice(received, dossier=False).document)
    assert notice.filing_number == received.number
    assert notice.digest_hex == received.digest.hex()
    assert notice.recorded_at == received.received_at
    assert notice.recorded_at.isoformat() == "2026-07-01T00:00:00+07:00"
    assert notice.submission_no == 1


@pytest.mark.parametrize("family", ["tax-declaration", "permit"])
def test_a_refusal_of_what_could_not_be_read_is_still_a_notice(pki: certs_dev.DevPki, family: str) -> None:
    unreadable = replace(filing(TT89, Status.REFUSED, finding()), summary=None)
    document = notary(pki).intake_notice(unreadable, dossier=family == "permit").document
    assert schemas.validate_notice(document) == ()
    notice = schemas.read_notice(document)
    assert (notice.family, notice.reasons[0].code) == (family, "x.y")


def test_a_dossier_has_notices_of_its_own(pki: certs_dev.DevPki) -> None:
    received = dossier(TT89, Status.ACKNOWLEDGED)
    document = notary(pki).intake_notice(received, dossier=True).document
    notice = schemas.read_notice(document)
    assert notice.dossier_code == received.dossier_code
    assert (notice.procedure, notice.form_kind) == ("Cấp giấy phép kinh doanh Karaoke", "Cấp mới")
    assert notice.authority.code == "H52"
    assert "<tenMau>Giấy tiếp nhận hồ sơ và hẹn trả kết quả</tenMau>".encode() in document
    assert b"TBaoThue" not in document
    assert b"gdt.gov.vn" not in document
    rejected = notary(pki).verdict_notice(received, verdict(Status.REJECTED), TT89).document
    assert "<tenMau>Phiếu từ chối giải quyết hồ sơ</tenMau>".encode() in rejected
    assert schemas.read_notice(rejected).answers == notice.number


def test_many_findings_stay_within_the_notice(pki: certs_dev.DevPki) -> None:
    many = filing(TT89, Status.REFUSED, *[finding("x" * 5000)] * 1000)
    document = notary(pki).intake_notice(many, dossier=False).document
    assert schemas.validate_notice(document) == ()
    assert len(document) < 2_000_000


def test_xmlsec1_verifies_every_notice(pki: certs_dev.DevPki, tmp_path: Path) -> None:
    program = shutil.which("xmlsec1")
    if program is None:
        pytest.skip("missing: xmlsec1 (Debian package xmlsec1)")
    anchor = pki.directory / "authorities" / "national-root.pem"
    issuer = pki.directory / "authorities" / "gateway-ca.pem"
    for name, notice in all_notices(pki):
        file = tmp_path / "notice.xml"
        file.write_bytes(notice.document)
        command = [program, "--verify", "--trusted-pem", str(anchor), "--untrusted-pem", str(issuer)]
        command += ["--id-attr:id", "http://kekhaithue.gdt.gov.vn/TBaoThue:TBaoThue"]
        command += ["--id-attr:id", "urn:efile:ho-so:1:ThongBao"]
        command += ["--id-attr:Id", "http://uri.etsi.org/01903/v1.3.2#:SignedProperties", str(file)]
        good = subprocess.run(command, capture_output=True, check=False)
        assert good.returncode == 0, (name, good.stderr)
        root = etree.fromstring(notice.document)
        number = root.find(".//{*}soHoSo")
        assert number is not None
        number.text = "SLA-20261124-000000000000-0"
        file.write_bytes(etree.tostring(root))
        assert subprocess.run(command, capture_output=True, check=False).returncode != 0, name


def test_a_dossiers_receipt_is_proven_offline(pki: certs_dev.DevPki) -> None:
    key = notary(pki)._key.certificate
    judge = {"trust": signing.TrustStore.load(pki.trust), "policy": signing.load_policy("tt15-2025")}
    document = notary(pki).intake_notice(dossier(TT89, Status.ACKNOWLEDGED), dossier=True).document
    proof = prove_receipt(document, signers=[key], **judge)  # type: ignore[arg-type]
    assert proof.proven, proof.faults
    assert proof.notice is not None
    assert proof.notice.dossier_code == "H52-20260701-0000001"
    forged = document.replace(b">H52-20260701-0000001<", b">H52-20260701-0000002<")
    assert forged != document
    assert not prove_receipt(forged, signers=[key], **judge).proven  # type: ignore[arg-type]
