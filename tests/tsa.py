"""A time-stamping authority on this machine, certified by the development PKI, that serves, lies or is silent."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography import x509

import certs_dev
from certs_dev.plan import Profile
from gateway.clock import clock
from signing import FileKey, LocalTimestampAuthority
from signing.algorithms import digest
from signing.tsa.client import request_of
from tests.register.changing import issued
from tests.signing.timestamping import REPLY, served

Answer = tuple[int, str, bytes]


class Authority:
    """`does`: how it answers a request. `asked`: how often it was."""

    def __init__(
        self,
        pki: certs_dev.DevPki,
        folder: Path,
        *,
        by: str = "gateway-ca",
        profile: Profile = "stamps",
        days: tuple[int, int] = (-1, 1500),
    ) -> None:
        identity = issued(pki, folder, by, profile, days=days)
        self.key = FileKey.from_pem(identity.key, identity.chain)
        self.does: Callable[[bytes], Answer] = self.answers
        self.asked = 0
        self.over = threading.Event()
        self.url = ""

    @property
    def certificate(self) -> x509.Certificate:
        return self.key.certificate

    def answers(self, request: bytes) -> Answer:
        return 200, REPLY, LocalTimestampAuthority(self.key).respond(request)

    def hangs(self, request: bytes) -> Answer:
        self.over.wait()
        return self.answers(request)

    def is_down(self, _: bytes) -> Answer:
        return 503, "text/plain", b"down"

    def refuses(self, _: bytes) -> Answer:
        return 200, REPLY, bytes.fromhex("30053003020102")

    def stamps_something_else(self, _: bytes) -> Answer:
        return self.answers(request_of(digest("sha256", b"else"), "sha256", 1))

    def is_an_hour_late(self, request: bytes) -> Answer:
        late = LocalTimestampAuthority(self.key, lambda: clock() - timedelta(hours=1))
        return 200, REPLY, late.respond(request)

    def says_nonsense(self, _: bytes) -> Answer:
        return 200, REPLY, b"\x30\x84\xff\xff\xff\xff" + b"<html>" * 10_000

    def forges(self, request: bytes) -> Answer:
        status, kind, reply = self.answers(request)
        return status, kind, reply[:-1] + bytes([reply[-1] ^ 1])

    @contextmanager
    def open(self) -> Iterator[Authority]:
        """At `url`, whatever path is asked for."""

        def answered(request: bytes) -> Answer:
            self.asked += 1
            return self.does(request)

        with served(answered) as self.url:
            try:
                yield self
            finally:
                self.over.set()


def expired(pki: certs_dev.DevPki, folder: Path) -> Authority:
    return Authority(pki, folder, days=(-30, -1))


def unknown(pki: certs_dev.DevPki, folder: Path) -> Authority:
    return Authority(pki, folder, by="stranger-sub-ca")


def not_for_time_stamps(pki: certs_dev.DevPki, folder: Path) -> Authority:
    return Authority(pki, folder, profile="signer")


BAD: dict[str, tuple[Callable[[certs_dev.DevPki, Path], Authority], str, str]] = {
    "hangs": (Authority, "hangs", "no whole answer within"),
    "is down": (Authority, "is_down", "HTTP 503"),
    "refuses": (Authority, "refuses", "granted none"),
    "stamps something else": (Authority, "stamps_something_else", "answers another request"),
    "forges": (Authority, "forges", "not signed by the certificate in it"),
    "says nonsense": (Authority, "says_nonsense", "no time-stamp response"),
    "is an hour late": (Authority, "is_an_hour_late", "our clock"),
    "has expired": (expired, "answers", "proves nothing"),
    "is unknown": (unknown, "answers", "proves nothing"),
    "is not for time stamps": (not_for_time_stamps, "answers", "not issued for time stamping"),
}
"""How it is made, what it does, and words of what is told."""
