"""Time stamps asked for over HTTP, of an authority on this machine that tells the truth, lies, or fails."""

from __future__ import annotations

import pytest

from signing import HttpTimestampClient, TimestampRefused, TimestampUnavailable, load_policy
from signing.algorithms import digest
from signing.report import Indication
from signing.timestamps import judge_timestamp
from signing.tsa.client import request_of
from tests.signing.pki import AT, Hierarchy
from tests.signing.timestamping import REPLY, Stamping, in_time, served, stamping, trusting


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
