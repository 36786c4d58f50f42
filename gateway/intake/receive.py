"""receive: take the bytes of one message from a door, within the limits."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime

import schemas
from gateway.errors import BadRequest, BodyTooLarge, Unreadable, WrongMediaType
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
from gateway.ports import Provider

_XML_TYPES = re.compile(r"(?:application|text)/xml|[\w.+-]+/[\w.-]+\+xml", re.ASCII | re.IGNORECASE)
_UTF8 = frozenset({"utf-8", "utf8"})
_KEY = re.compile(r'"([\x21\x23-\x7e]{1,255})"|([\x21\x23-\x7e]{1,255})', re.ASCII)

EMPTY = Finding(
    code="document.empty",
    severity=Severity.ERROR,
    stage=Stage.RECEIVE,
    message=Text("Nội dung gửi lên trống.", "The body is empty."),
    remedy=Text(
        "Gửi tệp XML đã ký trong phần thân của yêu cầu.", "Send the signed XML file as the request body."
    ),
)


@dataclass(frozen=True, slots=True)
class SizeLimits:
    """In octets: one XML body, and all papers beside it together."""

    body: int
    papers: int


@dataclass(frozen=True, slots=True)
class Message:
    """What a door hands over. `idempotency_key` is the header's raw text, `content_type` too."""

    body: bytes = field(repr=False)
    content_type: str
    idempotency_key: str | None
    provider: Provider
    papers: tuple[schemas.Paper, ...] = ()


@dataclass(frozen=True, slots=True)
class Received:
    """The bytes exactly as sent, their SHA-256 digest, who sent them, and the time of receipt (aware).

    `papers`: the files that came beside the bytes, as yet named by nobody.
    """

    body: bytes = field(repr=False)
    digest: bytes
    at: datetime
    provider: Provider
    idempotency_key: str | None
    papers: tuple[schemas.Paper, ...] = ()

    @property
    def size(self) -> int:
        """All octets together."""
        return len(self.body) + sum(len(paper.content) for paper in self.papers)

    @property
    def papers_digest(self) -> bytes | None:
        """SHA-256 over the papers' digests and names in whatever order they came; None where there are none."""
        if not self.papers:
            return None
        lines = sorted(f"{paper.sha256} {paper.key}\n" for paper in self.papers)
        return hashlib.sha256("".join(lines).encode()).digest()


def receive(message: Message, at: datetime, limits: SizeLimits) -> Received:
    """Take the message in.

    Leaves nothing behind: whatever is raised here has not been recorded.

    Raises:
        WrongMediaType: the declared type is not XML, or its charset is not UTF-8 (RFC 7303).
        BodyTooLarge: the XML, or the papers together, have more octets than `limits` allow.
        BadRequest: the Idempotency-Key is empty, too long or not visible ASCII.
        Unreadable: the body is empty.
    """
    _require_xml(message.content_type)
    if len(message.body) > limits.body:
        raise BodyTooLarge(limits.body)
    if sum(len(paper.content) for paper in message.papers) > limits.papers:
        raise BodyTooLarge(limits.papers)
    key = _key(message.idempotency_key)
    if not message.body:
        raise Unreadable([EMPTY])
    digest = hashlib.sha256(message.body).digest()
    return Received(message.body, digest, at, message.provider, key, message.papers)


def _require_xml(content_type: str) -> None:
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if not _XML_TYPES.fullmatch(media_type):
        raise WrongMediaType(_visible(media_type) or "(none)")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(' "').lower() not in _UTF8:
            raise WrongMediaType(_visible(content_type))


def _visible(header: str) -> str:
    """For an answer: octets beyond ASCII, which HTTP leaves without a meaning, are written out."""
    return header[:200].encode("ascii", "backslashreplace").decode("ascii")


def _key(header: str | None) -> str | None:
    """The key without the quotes of a structured-field string (draft-ietf-httpapi-idempotency-key-header)."""
    if header is None:
        return None
    match = _KEY.fullmatch(header.strip())
    if match is None:
        detail = Text(
            "Idempotency-Key: một khóa duy nhất, 1 đến 255 ký tự ASCII nhìn thấy được",
            "Idempotency-Key: one key only, 1 to 255 visible ASCII characters",
        )
        raise BadRequest("idempotency-key.malformed", detail)
    return match[1] or match[2]
