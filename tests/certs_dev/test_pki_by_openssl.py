"""openssl, which shares no code with us, judges every certificate: `verify -crl_check_all`."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

import certs_dev
from certs_dev import DevPki

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl program is missing")

GOOD = "good"
SIGNERS = {
    "taxpayer": GOOD,
    "taxpayer-ec": GOOD,
    "other-company": GOOD,
    "tax-agent": GOOD,
    "tvan": GOOD,
    "person": GOOD,
    "notice": GOOD,
    "not-for-signing": GOOD,
    "rsa1024": "EE certificate key too weak",
    "expired": "certificate has expired",
    "not-yet-valid": "certificate is not yet valid",
    "revoked": "certificate revoked",
    "stranger": "unable to get local issuer certificate",
}
CLIENTS = {
    "provider-a": GOOD,
    "provider-b": GOOD,
    "provider-unregistered": GOOD,
    "agency-tax": GOOD,
    "gateway-client": GOOD,
    "provider-expired": "certificate has expired",
    "provider-revoked": "certificate revoked",
    "stranger-client": "unable to get local issuer certificate",
}
ADMINS = {
    "admin": GOOD,
    "admin-viewer": GOOD,
    "admin-operator": GOOD,
    "admin-certificates": GOOD,
    "admin-auditor": GOOD,
    "admin-unlisted": GOOD,
    "admin-expired": "certificate has expired",
    "admin-revoked": "certificate revoked",
}
SERVERS = {"gateway-server": GOOD, "agency-server": GOOD, "admin-server": GOOD}


def verify(certificate: Path, anchors: Path, *more: str | Path) -> str:
    words = ["openssl", "verify", "-x509_strict", "-auth_level", "2", "-CAfile", anchors, *more, certificate]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    return GOOD if done.returncode == 0 else done.stderr


def joined(place: Path, paths: list[Path], target: str) -> Path:
    place.joinpath(target).write_bytes(b"".join(p.read_bytes() for p in paths))
    return place / target


def verify_signer(pki: DevPki, certificate: Path, tmp_path: Path) -> str:
    anchors = joined(tmp_path, sorted((pki.trust / "anchors").glob("*.pem")), "anchors.pem")
    middle = joined(tmp_path, sorted((pki.trust / "intermediates").glob("*.pem")), "middle.pem")
    crls = tmp_path / "crls.pem"
    crls.write_bytes(
        b"".join(
            pki.crl(p.stem).public_bytes(serialization.Encoding.PEM)
            for p in (pki.trust / "crls").glob("*.crl")
        )
    )
    return verify(certificate, anchors, "-untrusted", middle, "-CRLfile", crls, "-crl_check_all")


def test_every_identity_has_an_expected_verdict(pki: DevPki) -> None:
    assert {*SIGNERS, *CLIENTS, *ADMINS, *SERVERS} == set(pki.names)


@pytest.mark.parametrize(("name", "expected"), SIGNERS.items())
def test_signers(pki: DevPki, tmp_path: Path, name: str, expected: str) -> None:
    assert expected in verify_signer(pki, pki[name].certificate, tmp_path)


@pytest.mark.parametrize(("name", "expected"), CLIENTS.items())
def test_clients(pki: DevPki, name: str, expected: str) -> None:
    check = ("-CRLfile", pki.client_crl, "-crl_check_all", "-purpose", "sslclient")
    assert expected in verify(pki[name].certificate, pki.client_ca, *check)


@pytest.mark.parametrize(("name", "expected"), ADMINS.items())
def test_administrators(pki: DevPki, name: str, expected: str) -> None:
    check = (
        "-CRLfile",
        pki.directory / "admins" / "admin-ca.crl.pem",
        "-crl_check_all",
        "-purpose",
        "sslclient",
    )
    assert expected in verify(pki[name].certificate, pki.admin_ca, *check)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(
    "host", [("-verify_hostname", "localhost"), ("-verify_ip", "127.0.0.1"), ("-verify_ip", "::1")]
)
def test_servers(pki: DevPki, name: str, host: tuple[str, str]) -> None:
    assert verify(pki[name].certificate, pki.tls_ca, "-purpose", "sslserver", *host) == GOOD


def test_a_client_certificate_is_no_server(pki: DevPki) -> None:
    assert verify(pki["provider-a"].certificate, pki.client_ca, "-purpose", "sslserver") != GOOD


def test_taxpayers_for_benches_are_good_and_distinct(pki: DevPki, tmp_path: Path, now: datetime) -> None:
    issued = [*pki.issue_taxpayers(6, at=now, pool=2), *pki.issue_taxpayers(2, at=now, kind="p256")]
    saved = [one.save(tmp_path / str(index)) for index, one in enumerate(issued)]
    assert [verify_signer(pki, identity.chain, tmp_path) for identity in saved] == [GOOD] * 8
    assert len({one.tax_code for one in issued[:6]}) == 6
    assert len({one.certificate.serial_number for one in issued}) == 8


def test_revoking_takes_effect_and_keeps_the_earlier(own_pki: DevPki, tmp_path: Path) -> None:
    taxpayer = own_pki["taxpayer"].certificate
    assert verify_signer(own_pki, taxpayer, tmp_path) == GOOD
    own_pki.revoke("taxpayer", datetime.now(UTC))
    own_pki.revoke("provider-b", datetime.now(UTC))
    assert "certificate revoked" in verify_signer(own_pki, taxpayer, tmp_path)
    assert "certificate revoked" in verify_signer(own_pki, own_pki["revoked"].certificate, tmp_path)
    check = ("-CRLfile", own_pki.client_crl, "-crl_check_all")
    assert "revoked" in verify(own_pki["provider-b"].certificate, own_pki.client_ca, *check)


def test_the_bundle_opens_with_the_published_password(pki: DevPki) -> None:
    words = ["openssl", "pkcs12", "-in", str(pki["taxpayer"].pkcs12), "-nokeys", "-passin"]
    password = f"pass:{certs_dev.PKCS12_PASSWORD.decode()}"
    done = subprocess.run([*words, password], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("BEGIN CERTIFICATE") == 2
