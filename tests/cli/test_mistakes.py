"""What a person may get wrong is told in a line and ends with 2; what is there is not overwritten."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import certs_dev
from gateway.store.queue import QueueFilter
from tests.cli.running import efile, efile_beside
from tests.documents import signed
from tests.house import House


class Place(NamedTuple):
    """A signed declaration, and what else commands want."""

    directory: Path
    signed: Path
    pki: certs_dev.DevPki
    connection: tuple[str | Path, ...]


@pytest.fixture
def place(tmp_path: Path, pki: certs_dev.DevPki) -> Place:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(pki))
    (tmp_path / "bad" / "anchors").mkdir(parents=True)
    (tmp_path / "bad" / "anchors" / "a.pem").write_text("no certificate")
    alpha = pki["provider-a"]
    connection = ("--cert", alpha.certificate, "--client-key", alpha.key, "--ca", pki.tls_ca)
    return Place(tmp_path, file, pki, connection)


MISTAKES: dict[str, Callable[[Place], tuple[str | Path, ...]]] = {
    "no such policy": lambda p: ("check", p.signed, "--policy", "nonsense"),
    "no trust folder": lambda p: ("check", p.signed, "--trust", p.directory),
    "a broken anchor": lambda p: ("check", p.signed, "--trust", p.directory / "bad"),
    "a receipt by a broken anchor": lambda p: (
        *("verify-receipt", p.signed, "--signer", p.pki["notice"].certificate),
        *("--trust", p.directory / "bad"),
    ),
    "a receipt by no policy": lambda p: (
        *("verify-receipt", p.signed, "--signer", p.pki["notice"].certificate),
        *("--trust", p.pki.trust, "--policy", "zz"),
    ),
    "a signer that is no certificate": lambda p: (
        *("verify-receipt", p.signed, "--signer", p.signed, "--trust", p.pki.trust),
    ),
    "no folder to write to": lambda p: (
        *("sign", p.signed, "--key", p.pki["taxpayer"].key, "-o", p.directory / "nowhere" / "x.xml"),
    ),
    "a place where nothing can be made": lambda p: ("dev-pki", "/proc/x"),
    "another protocol": lambda p: ("submit", p.signed, "--server", "ftp://x", *p.connection),
    "an address that is none": lambda p: (
        *("submit", p.signed, "--server", "https://loc:alhost:99999999", *p.connection),
    ),
    "no folder for the receipt": lambda p: (
        *("submit", p.signed, "--server", "https://localhost:1", *p.connection),
        *("--receipt", p.directory / "nowhere" / "r.xml"),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_a_line(place: Place, mistake: str) -> None:
    done = efile(*MISTAKES[mistake](place), cwd=place.directory)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "Error: " in done.stderr.splitlines()[-1]


async def test_what_is_filed_is_told_though_its_receipt_cannot_be_saved(house: House, tmp_path: Path) -> None:
    file = tmp_path / "signed.xml"
    file.write_bytes(signed(house.pki))
    beta = house.connection()
    connection = ("--server", beta.url, "--cert", beta.certificate)
    connection = (*connection, "--client-key", beta.key, "--ca", beta.server_ca)
    done = await efile_beside("submit", file, *connection, "--receipt", "/proc/self/comm/r.xml", "--json")
    assert done.returncode == 2
    assert "there is no such folder" in done.stderr
    assert await house.gateway.store.waiting(QueueFilter()) == []
    done = await efile_beside("submit", file, *connection, "--receipt", "/proc/receipt.xml")
    assert done.returncode == 2
    number = done.stdout.splitlines()[0]
    assert f"efile receipt {number}" in done.stderr
    assert "Traceback" not in done.stderr
    done = await efile_beside("receipt", number, *connection, "-o", tmp_path / "nowhere" / "r.xml")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)


def test_dev_pki_again_keeps_what_has_been_edited(tmp_path: Path) -> None:
    assert efile("dev-pki", tmp_path).returncode == 0
    settings, profile = tmp_path / "efile.toml", tmp_path / "client.toml"
    settings.write_text(settings.read_text() + "# mine\n")
    profile.unlink()
    again = efile("dev-pki", tmp_path, "--port", "9443")
    assert again.returncode == 0
    assert settings.read_text().endswith("# mine\n")
    assert ":9443" in profile.read_text()
    assert "kept as they were" in again.stdout
    assert "efile.toml" in again.stdout.splitlines()[-1]
    kept = json.loads(efile("dev-pki", tmp_path, "--json").stdout)["kept"]
    assert [Path(file).name for file in kept] == ["efile.toml", "client.toml", "example.xml"]
