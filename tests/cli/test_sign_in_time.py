"""`efile sign` in profiles with time and for PDF files, judged by `efile verify`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.cli.running import efile
from tests.signing.documents import DECLARATION
from tests.signing.pdf_documents import pdf
from tests.signing.pki import Hierarchy, hierarchy
from tests.signing.test_ocsp import answer
from tests.signing.timestamping import REPLY, Stamping, evidence, served, stamping

NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def pki() -> Hierarchy:
    return hierarchy()


@pytest.fixture(scope="module")
def stamps() -> Stamping:
    made = stamping(not_after=NOW + timedelta(days=365))
    made.now = NOW
    return made


@pytest.fixture
def authority(stamps: Stamping) -> Iterator[str]:
    with served(lambda asked: (200, REPLY, stamps.tsa.respond(asked))) as url:
        yield url


@pytest.fixture
def home(tmp_path: Path, pki: Hierarchy, stamps: Stamping) -> Path:
    """A key, and a trust folder that knows both hierarchies."""
    key = pki.taxpayer
    private = key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "cert.pem").write_bytes(key.certificate.public_bytes(Encoding.PEM))
    for folder in ("anchors", "intermediates", "crls"):
        (tmp_path / "trust" / folder).mkdir(parents=True)
    for number, anchor in enumerate((pki.root.certificate, stamps.root.certificate)):
        (tmp_path / "trust/anchors" / f"{number}.pem").write_bytes(anchor.public_bytes(Encoding.PEM))
    (tmp_path / "trust/intermediates/ca.pem").write_bytes(pki.ca.certificate.public_bytes(Encoding.PEM))
    for number, crl in enumerate(evidence(pki, stamps, NOW).crls):
        (tmp_path / "trust/crls" / f"{number}.crl").write_bytes(crl)
    (tmp_path / "declaration.xml").write_bytes(DECLARATION)
    (tmp_path / "paper.pdf").write_bytes(pdf())
    return tmp_path


@pytest.mark.parametrize(
    ("profile", "name"),
    [("xades-t", "XAdES-B-T"), ("xades-lt", "XAdES-B-LT"), ("xades-lta", "XAdES-B-LTA")],
)
def test_xades_with_time(home: Path, authority: str, profile: str, name: str) -> None:
    file, trust = home / "declaration.xml", ("--trust", home / "trust")
    done = efile("sign", file, "--key", home / "key.pem", "--profile", profile, "--tsa", authority, *trust)
    assert done.returncode == 0, done.stderr
    judged = efile("verify", file, *trust, "--policy", "tax-legacy", "--report", "json")
    (signature,) = json.loads(judged.stdout)["signatures"]
    assert (judged.returncode, signature["profile"]) == (0, name), judged.stdout
    assert {stamp["indication"] for stamp in signature["timestamps"]} == {"TOTAL-PASSED"}
    assert efile("verify", file, *trust).returncode == 0


@pytest.mark.parametrize(("more", "stamped"), [((), False), (("--profile", "pades-t"), True)])
def test_pades(home: Path, authority: str, more: tuple[str, ...], stamped: bool) -> None:
    file = home / "paper.pdf"
    tsa = ("--tsa", authority) if stamped else ()
    done = efile("sign", file, "--key", home / "key.pem", *more, *tsa)
    assert done.returncode == 0, done.stderr
    judged = efile("verify", file, "--trust", home / "trust", "--report", "json")
    (signature,) = json.loads(judged.stdout)["signatures"]
    assert judged.returncode == 0, judged.stdout
    assert bool(signature["timestamps"]) is stamped


@pytest.mark.parametrize("where", ["ocsp", "fetched", "named"])
def test_ocsp_answers_and_what_was_fetched_prove_it_too(
    where: str, home: Path, authority: str, pki: Hierarchy
) -> None:
    trust, answered = home / "trust", home / "answers"
    for file in (trust / "crls").iterdir():
        if x509.load_der_x509_crl(file.read_bytes()).issuer == pki.ca.certificate.subject:
            told = file.read_bytes()
            file.unlink()
    ends = {"this_update": NOW - timedelta(hours=1), "next_update": NOW + timedelta(days=1)}
    one = answer(pki.taxpayer.certificate, pki.ca.certificate, pki.ca, **ends)  # type: ignore[arg-type]
    folder = answered if where == "named" else trust / where
    folder.mkdir()
    (folder / ("ca.crl" if where == "fetched" else "one.ocsp")).write_bytes(
        told if where == "fetched" else one
    )
    (trust / "fetched").mkdir(exist_ok=True)
    (trust / "fetched/.sources.json").write_text("[]")
    more = ("--ocsp", answered) if where == "named" else ()
    options = (
        "--key",
        home / "key.pem",
        "--profile",
        "xades-lt",
        "--tsa",
        authority,
        "--trust",
        trust,
        *more,
    )
    done = efile("sign", home / "declaration.xml", *options)
    assert done.returncode == 0, done.stderr
    octets = (home / "declaration.xml").read_bytes()
    assert (b"EncapsulatedOCSPValue" in octets) is (where != "fetched")
    judged = efile("verify", home / "declaration.xml", "--trust", trust, *more)
    assert judged.returncode == 0, judged.stdout


@pytest.mark.parametrize(
    ("status", "body", "code"), [(200, bytes.fromhex("30053003020102"), 1), (503, b"", 3), (403, b"", 1)]
)
def test_an_authority_that_refuses_is_not_out_of_reach(
    home: Path, status: int, body: bytes, code: int
) -> None:
    with served(lambda _: (status, REPLY, body)) as url:
        done = efile(
            "sign", home / "declaration.xml", "--key", home / "key.pem", "--profile", "xades-t", "--tsa", url
        )
    assert done.returncode == code, done.stderr


def test_what_cannot_be(home: Path, authority: str) -> None:
    file, key = home / "declaration.xml", ("--key", home / "key.pem")
    trust = ("--trust", home / "trust")
    cases: list[tuple[int, tuple[object, ...]]] = [
        (2, ("--profile", "xades-t")),
        (2, ("--tsa", authority)),
        (2, ("--profile", "xades-t", "--tsa", "ftp://127.0.0.1/")),
        (2, ("--profile", "pades-b")),
        (3, ("--profile", "xades-t", "--tsa", "http://127.0.0.1:1/")),
        (2, ("--profile", "xades-lt", "--tsa", authority)),
    ]
    for code, more in cases:
        done = efile("sign", file, *key, *more)
        assert done.returncode == code, (more, done.stderr)
        assert "Traceback" not in done.stderr
        assert file.read_bytes() == DECLARATION
    assert efile("sign", file, *key, "--profile", "xades-lt", "--tsa", authority, *trust).returncode == 0
