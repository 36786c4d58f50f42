"""A multipart body cut into its parts as it arrives (RFC 2046, 5.1): strictly, so that nobody can read it otherwise.

Nothing is guessed: a line that only begins like a boundary, anything before the first or after the last one, and a body
that ends before its closing boundary are refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from io import BytesIO

from gateway.errors import Unreadable
from gateway.filing.findings import Finding
from gateway.intake import multipart_texts as texts

MOST_HEADER_BYTES = 16_384
"""The headers of one part together."""
_MOST_BLANK = 1024
_BOUNDARY = re.compile(r"[0-9A-Za-z'()+_,./:=? -]{0,69}[0-9A-Za-z'()+_,./:=?-]", re.ASCII)
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - of RFC 9110, 5.6.2
_PARAMETER = re.compile(rf'[ \t]*;[ \t]*({_TOKEN})=(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))', re.ASCII)
_NAME = re.compile(_TOKEN, re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class FieldValue:
    """A header's value and its parameters, both by lower-case names."""

    value: str
    parameters: Mapping[str, str]

    @classmethod
    def of(cls, header: str) -> FieldValue:
        """Raises ValueError where it is not of the form `value; name=token; name="text"`, or a name comes twice."""
        value, _, _ = header.partition(";")
        parameters: dict[str, str] = {}
        header = header.rstrip(" \t;")
        end = len(value)
        while end < len(header):
            found = _PARAMETER.match(header, end)
            if found is None or found[1].lower() in parameters:
                raise ValueError(header[:200])
            quoted = found[2]
            text = found[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters[found[1].lower()] = text
            end = found.end()
        return cls(value.strip().lower(), parameters)


@dataclass(frozen=True, slots=True)
class Part:
    """One part: its headers by lower-case names, its octets, and their SHA-256 in lower-case hex."""

    headers: Mapping[str, str]
    content: bytes = field(repr=False)
    sha256: str


def boundary_of(content_type: FieldValue) -> bytes:
    """Raises Unreadable where there is none that RFC 2046, 5.1.1, allows."""
    boundary = content_type.parameters.get("boundary", "")
    if _BOUNDARY.fullmatch(boundary) is None:
        raise Unreadable([texts.boundary(boundary)])
    return boundary.encode("ascii")


class MultipartReader:
    """`feed` what arrives, then `close`. Octets are hashed on their way and held once.

    Raises Unreadable from both as soon as the body is none of the agreed form.
    """

    def __init__(self, boundary: bytes, most_parts: int) -> None:
        self._delimiter = b"\r\n--" + boundary
        self._most = most_parts
        self._buffer = b"\r\n"  # a boundary begins a line, also the first one
        self._step = self._before
        self._parts: list[Part] = []
        self._headers: Mapping[str, str] = {}
        self._content = BytesIO()
        self._hash = hashlib.sha256()

    def feed(self, chunk: bytes) -> None:
        self._buffer += chunk
        while self._step():
            pass

    def close(self) -> list[Part]:
        """All parts, in their order."""
        if self._step == self._before:
            raise Unreadable([texts.no_parts()])
        if self._step != self._after:
            raise Unreadable([texts.cut_off()])
        return self._parts

    def _before(self) -> bool:
        """Nothing but white space stands before the first boundary."""
        found = self._find(self._delimiter, _MOST_BLANK, texts.no_parts)
        if found < 0:
            return False
        if self._buffer[:found].strip():
            raise Unreadable([texts.stray()])
        return self._go(found + len(self._delimiter), self._boundary)

    def _boundary(self) -> bool:
        """After a boundary: two hyphens at the end of all, else a line's end."""
        if self._buffer.startswith(b"--"):
            return self._go(2, self._after)
        end = self._find(b"\r\n", _MOST_BLANK, texts.boundary_line)
        if end < 0:
            return False
        if self._buffer[:end].strip(b" \t"):
            raise Unreadable([texts.boundary_line()])
        if len(self._parts) >= self._most:
            raise Unreadable([texts.too_many_parts(self._most)])
        return self._go(end, self._head)

    def _head(self) -> bool:
        """The headers, each on its line, then an empty one: perhaps that one alone."""
        end = self._find(b"\r\n\r\n", MOST_HEADER_BYTES, texts.part_header)
        if end < 0:
            return False
        self._headers = _headers(self._buffer[2:end])
        self._content, self._hash = BytesIO(), hashlib.sha256()
        return self._go(end + 2, self._first)

    def _first(self) -> bool:
        """A part without octets may end where they would begin."""
        if len(self._buffer) < len(self._delimiter):
            return False
        return self._go(0 if self._buffer.startswith(self._delimiter) else 2, self._body)

    def _body(self) -> bool:
        found = self._buffer.find(self._delimiter)
        end = found if found >= 0 else max(0, len(self._buffer) - len(self._delimiter) + 1)
        octets = self._buffer[:end]
        self._content.write(octets)
        self._hash.update(octets)
        if found < 0:
            self._buffer = self._buffer[end:]
            return False
        self._parts.append(Part(self._headers, self._content.getvalue(), self._hash.hexdigest()))
        return self._go(end + len(self._delimiter), self._boundary)

    def _after(self) -> bool:
        if self._buffer.strip():
            raise Unreadable([texts.stray()])
        self._buffer = b""
        return False

    def _go(self, used: int, step: Callable[[], bool]) -> bool:
        self._buffer, self._step = self._buffer[used:], step
        return True

    def _find(self, end: bytes, most: int, otherwise: Callable[[], Finding]) -> int:
        """Where `end` stands within the next `most` octets; -1 while it may still come. Raises Unreadable."""
        found = self._buffer.find(end, 0, most + len(end))
        if found < 0 and len(self._buffer) >= most + len(end):
            raise Unreadable([otherwise()])
        return found


def _headers(block: bytes) -> Mapping[str, str]:
    """Raises Unreadable: no UTF-8, a control, a line without a name, a folded one, a name that comes twice."""
    try:
        lines = block.decode("utf-8").split("\r\n") if block else []
    except UnicodeDecodeError:
        raise Unreadable([texts.part_header()]) from None
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        name = name.lower()
        if not colon or not _NAME.fullmatch(name) or name in found or _CONTROLS.search(value):
            raise Unreadable([texts.part_header()])
        found[name] = value.strip(" \t")
    return found
