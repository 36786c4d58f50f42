"""`efile sign` with a key in a token and at a remote service, as a person types it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import certs_dev
from certs_dev.csc import Behaviour, CscSimulator, credentials_of
from signing import FileKey
from tests.cli.running import efile, efile_beside
from tests.documents import declaration
from tests.signing.keys.softhsm import PIN, SoftHsm, softhsm


@pytest.fixture
def unsigned(tmp_path: Path, pki: certs_dev.DevPki) -> Path:
    file = tmp_path / "declaration.xml"
    file.write_bytes(declaration(pki))
    return file


def secret(folder: Path, name: str, value: str) -> Path:
    file = folder / name
    file.write_text(value + "\n")
    return file


@pytest.fixture
def hsm(pki: certs_dev.DevPki, tmp_path: Path) -> Iterator[SoftHsm]:
    identity = pki["taxpayer"]
    (certificate, *_) = x509.load_pem_x509_certificates(identity.certificate.read_bytes())
    key = load_pem_private_key(identity.key.read_bytes(), None)
    (tmp_path / "hsm").mkdir()
    with softhsm(tmp_path / "hsm", {"taxpayer": FileKey(key, certificate)}) as made:  # type: ignore[arg-type]
        yield made


def test_with_a_token(unsigned: Path, hsm: SoftHsm, tmp_path: Path, pki: certs_dev.DevPki) -> None:
    pin = secret(tmp_path, "pin", PIN)
    place = ("--pkcs11", hsm.module, "--token", hsm.label, "--key-label", "taxpayer")
    done = efile("sign", unsigned, *place, "--pin-file", pin)
    assert done.returncode == 0, done.stderr
    assert efile("check", unsigned, "--trust", pki.trust).returncode == 0
    wrong = efile("sign", unsigned, *place, "--pin-file", secret(tmp_path, "wrong", "000000"))
    assert (wrong.returncode, "000000" in wrong.stderr) == (2, False)
    gone = efile("sign", unsigned, "--pkcs11", hsm.module, "--token", "absent", "--pin-file", pin)
    assert gone.returncode == 3
    assert "absent" in gone.stderr


async def test_with_a_remote_service(unsigned: Path, tmp_path: Path, pki: certs_dev.DevPki) -> None:
    token, pin = secret(tmp_path, "token", "the-token"), secret(tmp_path, "pin", "4711")
    credentials = credentials_of(pki.directory, {"taxpayer": "4711"})
    async with CscSimulator(credentials, token="the-token") as service:
        place = ("--csc", service.url, "--credential", "taxpayer", "--token-file", token)
        done = await efile_beside("sign", unsigned, *place, "--secret", f"PIN={pin}")
        assert done.returncode == 0, done.stderr
        assert efile("check", unsigned, "--trust", pki.trust).returncode == 0
        without = await efile_beside("sign", unsigned, *place)
        assert without.returncode == 2
        assert "asks for a PIN" in without.stderr
        service.behaviour = Behaviour(failing="down")
        down = await efile_beside("sign", unsigned, *place, "--secret", f"PIN={pin}")
        assert down.returncode == 3
        assert "the-token" not in down.stderr


async def test_with_a_remote_service_by_client_credentials(
    unsigned: Path, tmp_path: Path, pki: certs_dev.DevPki
) -> None:
    ours = secret(tmp_path, "secret", "ours: %")
    credentials = credentials_of(pki.directory, {})
    async with CscSimulator(credentials, token="another", clients={"me": "ours: %"}) as service:
        place = ("--csc", service.url, "--credential", "taxpayer", "--oauth", service.token_url)
        done = await efile_beside("sign", unsigned, *place, "--client", "me", "--client-secret-file", ours)
        assert done.returncode == 0, done.stderr
        assert efile("check", unsigned, "--trust", pki.trust).returncode == 0
        other = await efile_beside("sign", unsigned, *place, "--client", "you", "--client-secret-file", ours)
        assert (other.returncode, "invalid_client" in other.stderr) == (2, True)
        assert "ours" not in other.stderr


def test_places_that_do_not_go_together(unsigned: Path, tmp_path: Path, pki: certs_dev.DevPki) -> None:
    key = pki["taxpayer"].key
    for arguments, told in (
        ((), "one of --key, --pkcs11, --csc"),
        (("--key", key, "--csc", "https://sign.example/csc/v2"), "one of --key, --pkcs11, --csc"),
        (("--key", key, "--token", "x"), "--token belongs to --pkcs11"),
        (("--csc", "https://sign.example/csc/v2"), "--token-file is needed"),
        (("--csc", "http://sign.example/", "--token-file", secret(tmp_path, "t", "x")), "HTTPS is needed"),
        (("--pkcs11", key), "--token is needed"),
        (("--csc", "https://sign.example/", "--token-file", key, "--secret", "PIN"), "NAME=FILE"),
    ):
        done = efile("sign", unsigned, *arguments)
        assert done.returncode == 2
        assert told in done.stderr
        assert "Traceback" not in done.stderr
    assert unsigned.read_bytes() == declaration(pki)
