"""A time-stamping authority of the tests' own, and signatures with time made at the days that a test needs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from lxml import etree

from signing import Evidence, FileKey, LocalTimestampAuthority, Policy, TrustStore, augment, load_policy
from tests.signing.documents import DECLARATION, signed
from tests.signing.pki import AT, YEAR, Authority, Hierarchy, authority, certificate, name, private_key, usage

DAY = timedelta(days=1)
REPLY = "application/timestamp-reply"
SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
XADES = "{http://uri.etsi.org/01903/v1.3.2#}"
XADES_141 = "{http://uri.etsi.org/01903/v1.4.1#}"


def in_time() -> Policy:
    """The strict policy, but proven times are taken."""
    return msgspec.structs.replace(load_policy("tt15-2025"), proven_times=True)


@dataclass
class Stamping:
    """An authority for time stamps under a root of its own. `now` is what its clock shows."""

    root: Authority
    key: FileKey
    now: datetime = AT

    @property
    def tsa(self) -> LocalTimestampAuthority:
        return LocalTimestampAuthority(self.key, lambda: self.now)


def stamping(
    *,
    kind: str = "rsa2048",
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.TIME_STAMPING,
    not_before: datetime = AT - YEAR,
    not_after: datetime = AT + 2 * YEAR,
    root: Authority | None = None,
) -> Stamping:
    root = root or authority("Time root of the tests", number=5, not_after=AT + 20 * YEAR)
    key = private_key(kind, 20)
    made = certificate(
        name("Time stamps of the tests"),
        key,
        root,
        not_before=not_before,
        not_after=not_after,
        extensions=(
            (x509.ExtendedKeyUsage([purpose]), True),
            (usage(digital_signature=True), True),
        ),
    )
    return Stamping(root, FileKey(key, made))


def trusting(pki: Hierarchy, stamps: Stamping, crls: list[bytes] | None = None) -> TrustStore:
    """Both roots; by default without any revocation list."""
    anchors = [pki.root.certificate, stamps.root.certificate]
    return TrustStore.of(anchors, [pki.ca.certificate], crls or [])


def evidence(pki: Hierarchy, stamps: Stamping, day: datetime) -> Evidence:
    """The lists of all authorities as of a day, good for a week."""
    lists = [a.crl(day - DAY, day + 7 * DAY) for a in (pki.root, pki.ca, stamps.root)]
    return Evidence((pki.ca.certificate, pki.root.certificate, stamps.root.certificate), tuple(lists))


def made(
    level: str,
    pki: Hierarchy,
    stamps: Stamping,
    *,
    key: FileKey | None = None,
    data: bytes = DECLARATION,
    **options: Any,
) -> bytes:
    """A declaration signed at AT and brought to a level on the same day."""
    stamps.now = AT
    document = signed(key or pki.taxpayer, data, **({"profile": "xades-b"} | options))
    return raised(document, level, pki, stamps)


def raised(
    document: bytes, level: str, pki: Hierarchy, stamps: Stamping, at: datetime | None = None
) -> bytes:
    """Brought to a level at a time, by default what the authority's clock shows."""
    at = at or stamps.now
    if level == "B":
        return document
    return augment(
        document,
        level=level,  # type: ignore[arg-type]
        tsa=stamps.tsa,
        policy=in_time(),
        at=at,
        trust=trusting(pki, stamps),
        evidence=evidence(pki, stamps, at),
    )


def changed(document: bytes, change: Any) -> bytes:
    """The document after a change to its tree."""
    root = etree.fromstring(document)
    change(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


@contextmanager
def served(answer: Callable[[bytes], tuple[int, str, bytes]]) -> Iterator[str]:
    """An authority behind HTTP on this machine: what it answers to a request (status, media type, body)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/timestamp-query"
            status, media_type, body = answer(asked)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            with suppress(ConnectionError):  # who asked may be tired of waiting
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/tsa"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
