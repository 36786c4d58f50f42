"""Certificates for the door from a real ACME server: Pebble, which is made to be hard on its clients."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
from cryptography import x509

import certs_dev
from gateway.register.acme import AcmeServer, AcmeUnavailable, certificate_by_acme
from gateway.register.entry import RegisterRefused
from tests.house import free_port, house_at
from tests.register.changing import SOON
from tests.register.typist import typist

pytestmark = pytest.mark.interop


@dataclass(frozen=True)
class Pebble:
    url: str
    ca: Path
    challenges: int
    root: str
    """Where its present root certificate may be fetched."""


@pytest.fixture(scope="module")
def pebble(tmp_path_factory: pytest.TempPathFactory, pki_home: Path) -> Iterator[Pebble]:
    with _running(tmp_path_factory.mktemp("pebble"), certs_dev.load(pki_home / "pki")) as server:
        yield server


@contextmanager
def _running(folder: Path, pki: certs_dev.DevPki) -> Iterator[Pebble]:
    program = shutil.which("pebble")
    if program is None:
        pytest.skip("missing: pebble (Debian package pebble)")
    door, management, challenges = free_port(), free_port(), free_port()
    settings = {
        "listenAddress": f"127.0.0.1:{door}",
        "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(pki["agency-server"].chain),
        "privateKey": str(pki["agency-server"].key),
        "httpPort": challenges,
        "tlsPort": free_port(),
    }
    (folder / "pebble.json").write_text(json.dumps({"pebble": settings}))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "-config", str(folder / "pebble.json")],
            env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"},
            stdout=log,
            stderr=log,
        )
    try:
        _until_open(door)
        yield Pebble(
            f"https://localhost:{door}/dir", pki.tls_ca, challenges, f"https://localhost:{management}/roots/0"
        )
    finally:
        process.terminate()
        process.wait(10)


def _until_open(port: int) -> None:
    for _ in range(200):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("pebble did not start")


def test_a_certificate_is_ordered_and_renewed_with_the_same_account(pebble: Pebble, tmp_path: Path) -> None:
    server = AcmeServer(pebble.url, tmp_path / "account.pem", pebble.ca, "admin@example.vn")
    serials = set()
    for folder in ("first", "second"):
        key, chain = certificate_by_acme(
            server, ["localhost"], tmp_path / folder, listen=("127.0.0.1", pebble.challenges)
        )
        leaf, *above = x509.load_pem_x509_certificates(chain.read_bytes())
        assert above
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["localhost"]
        assert key.stat().st_mode & 0o777 == 0o600
        serials.add(leaf.serial_number)
    assert len(serials) == 2
    assert (tmp_path / "account.pem").stat().st_mode & 0o777 == 0o600


def test_what_the_server_refuses_is_told(pebble: Pebble, tmp_path: Path) -> None:
    server = AcmeServer(pebble.url, tmp_path / "account.pem", pebble.ca)
    with pytest.raises(RegisterRefused, match=r"localhost: .+"):  # nobody answers where it looks
        certificate_by_acme(server, ["localhost"], tmp_path / "a", listen=("127.0.0.1", free_port()))
    with pytest.raises(RegisterRefused, match="refuses"):
        certificate_by_acme(server, ["no_name"], tmp_path / "b", listen=("127.0.0.1", pebble.challenges))
    stranger = AcmeServer(pebble.url, tmp_path / "account.pem")
    with pytest.raises(AcmeUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        certificate_by_acme(stranger, ["localhost"], tmp_path / "c", listen=("127.0.0.1", pebble.challenges))
    gone = AcmeServer(f"https://localhost:{free_port()}/dir", tmp_path / "account.pem", pebble.ca)
    with pytest.raises(AcmeUnavailable):
        certificate_by_acme(gone, ["localhost"], tmp_path / "d")
    with pytest.raises(RegisterRefused, match="https"):
        certificate_by_acme(AcmeServer("http://localhost/dir", tmp_path / "e"), ["localhost"], tmp_path / "e")


async def test_the_door_changes_to_it_while_it_serves(pebble: Pebble, tmp_path: Path, pki_home: Path) -> None:
    """From the development authority to the ACME server by force (clients know another one), then on its own."""
    async with (
        house_at(tmp_path / "h", pki_home, **SOON) as house,
    ):
        typed = typist(house.installation.settings)
        order = (
            *("certs", "renew", "tls", "--acme", pebble.url, "--acme-ca", pebble.ca, "--host", "localhost"),
            *("--challenge-port", pebble.challenges, "--why", "renewal"),
        )
        told = await typed(*order, "--out", tmp_path / "one", "--activate", code=1)
        assert "Names that clients call are missing: 127.0.0.1, ::1" in told
        (waiting,) = [e for e in await typed("certs", "list") if e["state"] == "next"]
        done = await typed("certs", "activate", waiting["id"], "--force", "--why", "clients were told")
        assert done["inEffect"]
        ended = await typed(*order, "--out", tmp_path / "two", "--activate")
        assert (ended["state"], ended["inEffect"]) == ("active", True)
        root = tmp_path / "root.pem"
        management = ssl.create_default_context(cafile=str(pebble.ca))
        root.write_bytes(await asyncio.to_thread(lambda: urlopen(pebble.root, context=management).read()))
        seen = await asyncio.to_thread(_certificate_at, house.gateway.port, root)
        leaf = x509.load_pem_x509_certificates((tmp_path / "two" / "chain.pem").read_bytes())[0]
        assert x509.load_der_x509_certificate(seen) == leaf
        await typed(*order, "--out", tmp_path / "two", code=2)
        gone = (
            "certs",
            "renew",
            "tls",
            "--acme",
            f"https://localhost:{free_port()}/dir",
            "--host",
            "localhost",
        )
        told = await typed(*gone, "--why", "renewal", "--out", tmp_path / "three", code=3)
        assert "Không kết nối được máy chủ ACME" in told


def _certificate_at(port: int, root: Path) -> bytes:
    context = ssl.create_default_context(cafile=str(root))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=10) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as tls,
    ):
        seen = tls.getpeercert(binary_form=True)
    assert seen is not None
    return seen


async def test_the_development_authority_certifies_anew(tmp_path: Path, pki_home: Path) -> None:
    async with (
        house_at(tmp_path / "h", pki_home, **SOON) as house,
    ):
        typed = typist(house.installation.settings)
        source = ("--dev-pki", house.pki.directory, "--why", "renewal", "--activate")
        for purpose in ("tls", "notices"):
            done = await typed("certs", "renew", purpose, *source, "--out", tmp_path / purpose)
            assert (done["purpose"], done["state"], done["inEffect"]) == (purpose, "active", True)
