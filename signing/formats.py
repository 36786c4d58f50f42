"""One door for every format: the first octets say which, the format's own verifier judges."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from signing.policy import Policy
from signing.report import Report
from signing.trust import TrustStore
from signing.verify import Key, verify_xml

Format = Literal["xml", "pdf", "cms", "asic"]


def format_of(data: bytes) -> Format:
    """By the first octets: `%PDF-` in the first 1024 (ISO 32000-1 §7.5.2), a ZIP's, DER or PEM of CMS; else XML."""
    if data.startswith(b"PK\x03\x04"):
        return "asic"
    if b"%PDF-" in data[:1024]:
        return "pdf"
    start = data[:64].lstrip()
    if data[:1] == b"\x30" or start.startswith(
        (b"-----BEGIN CMS", b"-----BEGIN PKCS7", b"-----BEGIN PKCS #7")
    ):
        return "cms"
    return "xml"


def verify(
    data: bytes,
    *,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
) -> Report:
    """Judge a signed file of any format; see `verify_xml`."""
    return verify_xml(data, policy=policy, trust=trust, at=at, key=key)
