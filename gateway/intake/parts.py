"""Which part of a multipart request is the signed XML, and which are the papers beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

import schemas
from gateway.errors import Unreadable
from gateway.filing.findings import Finding
from gateway.intake import multipart_texts as texts
from gateway.intake.multipart import FieldValue, Part

FORM, RELATED = "multipart/form-data", "multipart/related"
MOST_PARTS = 1 + schemas.MOST_ATTACHMENTS
ROOT_NAME = "filing"
"""How the part with the signed XML may be called in a form."""

_IDENTITY = frozenset({"", "7bit", "8bit", "binary", "identity"})
_EXTENDED = re.compile(r"(?i:utf-8)'[A-Za-z0-9-]*'([^'\"]*)")


@dataclass(frozen=True, slots=True)
class Unwrapped:
    """The signed XML with its declared type, and the papers in the order in which they came."""

    body: bytes = field(repr=False)
    content_type: str
    papers: tuple[schemas.Paper, ...]


def multipart_type(content_type: str) -> FieldValue | None:
    """The header, where it says that the request has parts. Raises Unreadable where it does, and cannot be read."""
    if content_type.partition(";")[0].strip().lower() not in (FORM, RELATED):
        return None
    try:
        return FieldValue.of(content_type)
    except ValueError:
        raise Unreadable([texts.content_type(content_type)]) from None


def unwrap(content_type: FieldValue, parts: Sequence[Part]) -> Unwrapped:
    """Tell the root from the papers. The root is the part called `filing` (multipart/form-data, RFC 7578), the one that
    `start` names (multipart/related, RFC 2387), or else the first.

    Raises:
        Unreadable: no part, no such root, several; a part encoded, or without a usable file name: with every reason.
    """
    root = _root(content_type, parts)
    findings = [] if root is not None else [texts.root()]
    papers = []
    for part in parts:
        findings += _encoded(part)
        if part is root:
            continue
        name = _file_name(part)
        if schemas.is_file_name(name):
            papers.append(schemas.Paper(name, part.content, part.sha256))
        else:
            findings.append(texts.file_name(name))
    if root is None or findings:
        raise Unreadable(findings)
    return Unwrapped(root.content, root.headers.get("content-type", ""), tuple(papers))


def _root(content_type: FieldValue, parts: Sequence[Part]) -> Part | None:
    start = content_type.parameters.get("start")
    if content_type.value == RELATED and start is not None:
        named = [part for part in parts if part.headers.get("content-id", "") == start]
    else:
        named = [part for part in parts if _disposition(part).parameters.get("name") == ROOT_NAME] or [
            *parts[:1]
        ]
    return named[0] if len(named) == 1 else None


def _encoded(part: Part) -> Iterator[Finding]:
    for name in ("content-transfer-encoding", "content-encoding"):
        encoding = part.headers.get(name, "")
        if encoding.lower() not in _IDENTITY:
            yield texts.transfer_encoding(encoding)


def _disposition(part: Part) -> FieldValue:
    """Raises Unreadable where it cannot be read."""
    try:
        return FieldValue.of(part.headers.get("content-disposition", ""))
    except ValueError:
        raise Unreadable([texts.part_header()]) from None


def _file_name(part: Part) -> str:
    """`filename*` (RFC 8187, UTF-8), else `filename`, else the Content-ID; "" where there is none that can be read."""
    parameters = _disposition(part).parameters
    if (extended := parameters.get("filename*")) is not None:
        found = _EXTENDED.fullmatch(extended)
        return _percent_decoded(found[1]) if found else ""
    if (name := parameters.get("filename")) is not None:
        return name
    return _percent_decoded(part.headers.get("content-id", "").removeprefix("<").removesuffix(">"))


def _percent_decoded(text: str) -> str:
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        return ""
