"""What is made, how it lies on the disk, and what a second making does."""

from __future__ import annotations

import multiprocessing
import subprocess
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

import certs_dev
from certs_dev import DevPki, PkiError
from certs_dev.plan import PlanError, load_plan
from certs_dev.taxcodes import tax_code

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "certs_dev" / "pki.toml"


def contents(directory: Path) -> dict[str, bytes]:
    return {str(p.relative_to(directory)): p.read_bytes() for p in directory.rglob("*") if p.is_file()}


def certificates(directory: Path) -> list[x509.Certificate]:
    return [c for p in directory.rglob("*.pem") for c in _certificates_of(p)]


def _certificates_of(path: Path) -> list[x509.Certificate]:
    data = path.read_bytes()
    return x509.load_pem_x509_certificates(data) if b"BEGIN CERTIFICATE" in data else []


def uid(certificate: x509.Certificate) -> list[str]:
    return [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]


def test_development_only_is_written_on_every_certificate(pki: DevPki, now: datetime) -> None:
    made = [*certificates(pki.directory), *(t.certificate for t in pki.issue_taxpayers(2, at=now))]
    assert len(made) > len(pki.names)
    for certificate in made:
        units = [
            a.value for a in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        ]
        assert units == [certs_dev.MARK], certificate.subject.rfc4514_string()


def test_keys_are_private_and_nothing_is_open_to_others(pki: DevPki) -> None:
    for path in (pki.directory, *pki.directory.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_subjects_and_usages_in_the_vietnamese_style(pki: DevPki) -> None:
    taxpayer = pki["taxpayer"].read_certificate()
    assert uid(taxpayer) == uid(pki["taxpayer-ec"].read_certificate()) == ["MST:5500123457"]
    assert uid(taxpayer) == uid(pki["stranger"].read_certificate())
    assert uid(pki["person"].read_certificate()) == ["CCCD:014190000123"]
    usage = taxpayer.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_encipherment) == (True, True, False)
    other = pki["not-for-signing"].read_certificate()
    usage = other.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_encipherment) == (False, False, True)


def test_key_kinds(pki: DevPki) -> None:
    sizes = {}
    for name in ("taxpayer", "rsa1024"):
        key = pki[name].read_certificate().public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        sizes[name] = key.key_size
    assert sizes == {"taxpayer": 2048, "rsa1024": 1024}
    for name in ("taxpayer-ec", "notice"):
        key = pki[name].read_certificate().public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert isinstance(key.curve, ec.SECP256R1)


def test_a_second_making_reuses_every_byte(own_pki: DevPki, now: datetime) -> None:
    before = contents(own_pki.directory)
    again = certs_dev.make(own_pki.directory, at=now + timedelta(days=20))
    assert contents(again.directory) == before
    assert certs_dev.load(own_pki.directory) == again == own_pki


def test_crls_are_renewed_before_they_end_and_keep_their_entries(own_pki: DevPki, now: datetime) -> None:
    before = contents(own_pki.directory)
    certs_dev.make(own_pki.directory, at=now + timedelta(days=25))
    after = contents(own_pki.directory)
    changed = {name for name in before if before[name] != after[name]}
    assert changed
    assert all(".crl" in name for name in changed)
    assert own_pki.crl("public-sub-ca").next_update_utc > now + timedelta(days=54)
    serial = own_pki["revoked"].read_certificate().serial_number
    assert own_pki.crl("public-sub-ca").get_revoked_certificate_by_serial_number(serial) is not None


def test_revoking_twice_issues_one_crl(own_pki: DevPki, now: datetime) -> None:
    own_pki.revoke("taxpayer", now)
    first = own_pki.crl("public-sub-ca")
    own_pki.revoke("taxpayer", now + timedelta(hours=1))
    assert own_pki.crl("public-sub-ca") == first


def test_a_place_with_something_else_in_it_is_refused_and_left_alone(tmp_path: Path, now: datetime) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(PkiError, match="something else"):
        certs_dev.make(tmp_path, at=now)
    assert contents(tmp_path) == {"letter.txt": b"dear"}


def test_an_interrupted_making_leaves_nothing(
    tmp_path: Path, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from certs_dev import files

    written = []

    def full_after_ten(path: Path, data: bytes) -> None:
        if len(written) == 10:
            raise OSError(28, "No space left on device")
        written.append(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    with monkeypatch.context() as patch:
        patch.setattr(files, "write_new", full_after_ten)
        with pytest.raises(OSError, match="No space"):
            certs_dev.make(tmp_path / "dev", at=now)
    assert written
    assert list(tmp_path.iterdir()) == []
    assert certs_dev.make(tmp_path / "dev", at=now).names


def test_several_processes_at_once_agree_on_one(tmp_path: Path, now: datetime) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        made = pool.starmap(_serial, [(tmp_path / "dev", now)] * 3)
    assert len(set(made)) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["dev"]


def _serial(directory: Path, at: datetime) -> int:
    return certs_dev.make(directory, at=at)["taxpayer"].read_certificate().serial_number


def test_no_pki_and_a_foreign_one_are_told_apart(tmp_path: Path, own_pki: DevPki) -> None:
    with pytest.raises(PkiError, match="no development PKI"):
        certs_dev.load(tmp_path / "nowhere")
    manifest = own_pki.directory / "pki.json"
    manifest.write_text(manifest.read_text().replace(own_pki.plan.digest, "0" * 64))
    with pytest.raises(PkiError, match="another description"):
        certs_dev.load(own_pki.directory)
    manifest.write_text("{")
    with pytest.raises(PkiError, match="cannot be read"):
        certs_dev.load(own_pki.directory)


def test_an_unknown_name_says_which_there_are(pki: DevPki) -> None:
    with pytest.raises(KeyError, match="taxpayer-ec"):
        pki["nobody"]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("MST:5500123457", "MST:5500123456", "check digit"),
        ('issuer = "public-sub-ca"', 'issuer = "nobody"', "no authority nobody"),
        ('role = "anchor"', 'role = "anchor"\nissuer = "gateway-ca"', "not described above"),
        ('place = "Sơn La"', 'town = "Sơn La"', "town"),
    ],
)
def test_a_contradictory_description_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    plan = tmp_path / "pki.toml"
    plan.write_text(PLAN.read_text("utf-8").replace(old, new), "utf-8")
    with pytest.raises(PlanError, match=complaint):
        load_plan(plan)


def test_check_digits() -> None:
    assert tax_code("010632465") == "0106324653"
    assert tax_code("540020001") is None
    with pytest.raises(ValueError):
        tax_code("01063246٥")


def test_naive_time_is_refused(tmp_path: Path, now: datetime) -> None:
    with pytest.raises(ValueError, match="aware"):
        certs_dev.make(tmp_path / "dev", at=now.replace(tzinfo=None))


def test_no_private_key_is_tracked() -> None:
    # The marker is split, so that this test does not find itself.
    marker = "-----BEGIN .*PRIVATE " + "KEY-----"
    found = subprocess.run(
        ["git", "grep", "--cached", "-lE", "-e", marker],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode not in (0, 1):
        pytest.skip(f"no git repository to look through: {found.stderr.strip()}")
    assert found.stdout == ""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [n for n in names.splitlines() if n.endswith((".key", ".p12", ".pfx"))] == []
