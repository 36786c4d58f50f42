"""Time stamps asked for over HTTP, of an authority on this machine that tells the truth, lies, or fails."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

from signing import (
    HttpTimestampClient,
    Stampable,
    TimestampRefused,
    TimestampUnavailable,
    XmlRefused,
    load_policy,
    require_proof,
    verify_xml,
)
from signing.algorithms import digest
from signing.report import Indication
from signing.timestamps import judge_timestamp
from signing.tsa.client import request_of
from tests.signing.documents import DECLARATION, signed
from tests.signing.pki import AT, Hierarchy, authority
from tests.signing.timestamping import REPLY, Stamping, in_time, served, stamping, trusting

EMAIL = ExtendedKeyUsageOID.EMAIL_PROTECTION


@pytest.fixture(scope="module")
def stamps() -> Stamping:
    return stamping()


@pytest.mark.parametrize("hash_name", ["sha256", "sha384", "sha512"])
def test_a_token_is_had_and_holds(hash_name: str, pki: Hierarchy, stamps: Stamping) -> None:
    with served(lambda asked: (200, REPLY, stamps.tsa.respond(asked))) as url:
        token = HttpTimestampClient(url).stamp(digest(hash_name, b"octets"), hash_name)
    crls = [stamps.root.crl()]
    for octets, expected in ((b"octets", Indication.PASSED), (b"others", Indication.FAILED)):
        report = judge_timestamp(
            token, octets, kind="signature", policy=in_time(), trust=trusting(pki, stamps, crls), at=AT
        )
        assert report.indication is expected, report.checks
    assert report.certificate == stamps.key.certificate


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda stamps, asked: (503, "text/plain", b"down"), "HTTP 503"),
        (lambda stamps, asked: (200, "text/html", b"<html>"), "text/html"),
        (lambda stamps, asked: (200, REPLY, b"garbage"), "no time-stamp response"),
        (lambda stamps, asked: (200, REPLY, bytes.fromhex("30053003020102")), "status 2"),
        (lambda stamps, asked: (200, REPLY, broken(stamps.tsa.respond(asked))), "not signed by"),
        (lambda stamps, asked: (200, REPLY, b"\x30" * 300_000), "exceeds"),
        (lambda stamps, asked: (200, REPLY, stamps.tsa.respond(other_request())), "another request"),
    ],
)
def test_what_is_no_answer_is_refused(answer: object, told: str, stamps: Stamping) -> None:
    with (
        served(lambda asked: answer(stamps, asked)) as url,  # type: ignore[operator]
        pytest.raises(TimestampRefused, match=told) as refused,
    ):
        HttpTimestampClient(url).stamp(digest("sha256", b"octets"), "sha256")
    assert isinstance(refused.value, TimestampUnavailable) == (told in ("HTTP 503", "exceeds"))


def broken(reply: bytes) -> bytes:
    """The signature's last octet is another."""
    return reply[:-1] + bytes([reply[-1] ^ 1])


def other_request() -> bytes:
    return request_of(digest("sha256", b"octets"), "sha256", 1)


def test_only_listed_hosts_are_asked() -> None:
    with pytest.raises(ValueError, match="not among"):
        HttpTimestampClient("http://tsa.example/")
    assert HttpTimestampClient("http://tsa.example/", hosts=["tsa.example"]).url
    with pytest.raises(TimestampUnavailable, match="ClientConnector"):
        HttpTimestampClient("http://127.0.0.1:9/").stamp(digest("sha256", b""), "sha256")


def test_the_strict_policy_takes_these_tokens(pki: Hierarchy, stamps: Stamping) -> None:
    token = stamps.tsa.stamp(digest("sha256", b"octets"), "sha256")
    report = judge_timestamp(
        token,
        b"octets",
        kind="signature",
        policy=load_policy("tt15-2025"),
        trust=trusting(pki, stamps, [stamps.root.crl()]),
        at=AT,
    )
    assert report.indication is Indication.PASSED


def clocked(stamps: Stamping, now: datetime) -> Stamping:
    return Stamping(stamps.root, stamps.key, now)


@pytest.mark.parametrize(
    ("made", "octets", "told"),
    [
        (lambda stamps: clocked(stamps, AT), b"octets", ""),
        (lambda stamps: clocked(stamps, AT + timedelta(minutes=5)), b"octets", ""),
        (lambda stamps: clocked(stamps, AT), b"others", "over other data"),
        (lambda stamps: clocked(stamps, AT - timedelta(hours=1)), b"octets", "the token says 2026-03-20 08:00:00"),
        (lambda stamps: clocked(stamps, AT + timedelta(hours=1)), b"octets", "lies in the future"),
        (lambda stamps: stamping(root=stamps.root, not_after=AT - timedelta(days=1)), b"octets", "expired"),
        (lambda stamps: stamping(root=stamps.root, kind="rsa1024"), b"octets", "1024"),
        (lambda stamps: stamping(root=stamps.root, purpose=EMAIL), b"octets", "not issued for time stamping"),
        (lambda stamps: stamping(root=authority("Another root", number=6)), b"octets", "path"),
    ],
)  # fmt: skip
def test_a_token_proves_or_is_refused_with_the_reason(
    made: Callable[[Stamping], Stamping], octets: bytes, told: str, pki: Hierarchy, stamps: Stamping
) -> None:
    token = made(stamps).tsa.stamp(digest("sha256", b"octets"), "sha256")
    trust, policy = trusting(pki, stamps, [stamps.root.crl()]), load_policy("tt15-2025")
    if not told:
        require_proof(token, octets, policy=policy, trust=trust, at=AT)
        return
    with pytest.raises(TimestampRefused, match=told):
        require_proof(token, octets, policy=policy, trust=trust, at=AT)


def test_a_token_of_an_authority_whose_status_is_not_known_is_refused(
    pki: Hierarchy, stamps: Stamping
) -> None:
    token = clocked(stamps, AT).tsa.stamp(digest("sha256", b"octets"), "sha256")
    with pytest.raises(TimestampRefused, match="proves nothing"):
        require_proof(
            token, b"octets", policy=load_policy("tt15-2025"), trust=trusting(pki, stamps, []), at=AT
        )


def test_openssl_gives_time_stamps_that_hold(tmp_path: Path, pki: Hierarchy, stamps: Stamping) -> None:
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("missing: openssl")
    private = stamps.key.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(private)
    (tmp_path / "cert.pem").write_bytes(stamps.key.certificate.public_bytes(Encoding.PEM))
    (tmp_path / "serial").write_text("01\n")
    (tmp_path / "tsa.cnf").write_text(
        "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\nsigner_digest = sha256\n"
        "default_policy = 1.3.6.1.4.1.32473.1\ndigests = sha256, sha512\ness_cert_id_alg = sha256\n"
        "accuracy = secs:1\nordering = no\n"
    )
    reply = [program, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "asked", "-signer", "cert.pem"]
    reply += ["-inkey", "key.pem", "-out", "given"]

    def answer(asked: bytes) -> tuple[int, str, bytes]:
        (tmp_path / "asked").write_bytes(asked)
        subprocess.run(reply, cwd=tmp_path, check=True, capture_output=True)
        return 200, REPLY, (tmp_path / "given").read_bytes()

    now = datetime.now(UTC)
    crl = stamps.root.crl(now - timedelta(days=1), now + timedelta(days=1))
    for hash_name in ("sha256", "sha512"):
        with served(answer) as url:
            token = HttpTimestampClient(url).stamp(digest(hash_name, b"octets"), hash_name)
        require_proof(
            token,
            b"octets",
            policy=load_policy("tt15-2025"),
            trust=trusting(pki, stamps, [crl]),
            at=datetime.now(UTC),
        )


@pytest.mark.parametrize("standalone", [None, True])
def test_a_signed_document_gains_a_time_stamp_and_nothing_else(
    standalone: bool | None, pki: Hierarchy, stamps: Stamping
) -> None:
    declared = etree.tostring(
        etree.fromstring(DECLARATION), encoding="UTF-8", xml_declaration=True, standalone=standalone
    )
    document = signed(pki.taxpayer, declared, profile="xades-b")
    stampable = Stampable.of(document)
    made = stampable.stamped(clocked(stamps, AT).tsa.stamp(digest("sha256", stampable.octets), "sha256"))
    root = etree.fromstring(made)
    (added,) = root.iter("{*}UnsignedProperties")
    added.getparent().remove(added)  # type: ignore[union-attr]
    assert etree.tostring(root, method="c14n") == etree.tostring(etree.fromstring(document), method="c14n")
    assert (b"standalone='yes'" in made) is bool(standalone)
    report = verify_xml(
        made,
        policy="tt15-2025",
        trust=trusting(pki, stamps, all_crls(pki, stamps)),
        at=AT + timedelta(hours=1),
    )
    (signature,) = report.signatures
    assert (report.indication, signature.profile) == (Indication.PASSED, "XAdES-B-T")
    assert signature.best_signature_time == AT


def all_crls(pki: Hierarchy, stamps: Stamping) -> list[bytes]:
    return [one.crl() for one in (pki.root, pki.ca, stamps.root)]


def test_where_there_is_not_one_signature_there_is_nothing_to_stamp(pki: Hierarchy) -> None:
    twice = signed(pki.taxpayer, signed(pki.taxpayer, profile="xades-b"), profile="xades-b")
    for document in (DECLARATION, twice):
        with pytest.raises(ValueError):
            Stampable.of(document)
    with pytest.raises(XmlRefused):
        Stampable.of(b"<a")
