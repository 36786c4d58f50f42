"""One door for every format: the first octets say which, the format's own verifier judges."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from signing.asic import verify_asic
from signing.cms.verify import verify_cms
from signing.pdf import verify_pdf
from signing.policy import Policy
from signing.report import Report
from signing.trust import TrustStore
from signing.verify import Key, verify_xml

Format = Literal["xml", "pdf", "cms", "asic"]


def format_of(data: bytes) -> Format:
    """By the first octets: a ZIP's, a PDF's, DER or PEM of CMS; `%PDF-` may stand in the first 1024; else XML."""
    if data.startswith(b"PK\x03\x04"):
        return "asic"
    start = data[:64].lstrip()
    binary = data[:1] == b"\x30" and data[1:2] > b"\x7f"  # not text: a PDF may be what the CMS holds
    if binary or start.startswith((b"-----BEGIN CMS", b"-----BEGIN PKCS7", b"-----BEGIN PKCS #7")):
        return "cms"
    if b"%PDF-" in data[:1024]:  # ISO 32000-1 Annex H.3
        return "pdf"
    return "xml"


def verify(
    data: bytes,
    *,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
    content: bytes | None = None,
) -> Report:
    """Judge a signed file of any format; see `verify_xml`. `content`: what a detached CMS signature is over."""
    kind = format_of(data)
    if kind == "cms":
        return verify_cms(data, content=content, policy=policy, trust=trust, at=at, key=key)
    if kind == "asic":
        return verify_asic(data, policy=policy, trust=trust, at=at, key=key)
    if kind == "pdf":
        return verify_pdf(data, policy=policy, trust=trust, at=at, key=key)
    return verify_xml(data, policy=policy, trust=trust, at=at, key=key)
