"""Reading BER and DER (X.690) by element, within a budget; nothing is decoded that is not asked for.

Signed attributes, time stamps and embedded values are judged by their very octets, and one unreadable unsigned
attribute must not hide a signature: a reader of elements serves both, where a schema-driven one refuses the whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone

MAX_ELEMENTS = 200_000
"""Elements looked at in one document; the largest vector of the public test suites holds about 20,000."""
MAX_DEPTH = 64

INTEGER, BIT_STRING, OCTET_STRING, NULL, OID = 0x02, 0x03, 0x04, 0x05, 0x06
UTC_TIME, GENERALIZED_TIME, SEQUENCE, SET = 0x17, 0x18, 0x30, 0x31

_UTC_TIME = re.compile(r"(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})?(Z|[+-]\d{4})")
_GENERALIZED = re.compile(r"(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(?:[.,](\d{1,9}))?(Z|[+-]\d{4})")


class Asn1Refused(ValueError):
    """The octets are no acceptable BER; the text says what is wrong, and where."""


@dataclass(slots=True)
class Budget:
    """How many elements may still be looked at in one document."""

    elements: int = MAX_ELEMENTS

    def take(self) -> None:
        """Count one element. Raises Asn1Refused when too many were looked at."""
        self.elements -= 1
        if self.elements < 0:
            raise Asn1Refused(f"more than {MAX_ELEMENTS} elements")


@dataclass(frozen=True, slots=True)
class Element:
    """One element: `tag` is its identifier octet (numbers above 30 are refused), its content lies at [start, stop)."""

    data: bytes = field(repr=False)
    tag: int
    begin: int
    start: int
    stop: int
    end: int
    depth: int
    budget: Budget = field(repr=False, compare=False)

    @property
    def encoded(self) -> bytes:
        """The element as it stands, with its identifier and length."""
        return self.data[self.begin : self.end]

    @property
    def content(self) -> bytes:
        """The content octets as they stand."""
        return self.data[self.start : self.stop]

    @property
    def constructed(self) -> bool:
        """Whether it consists of elements."""
        return bool(self.tag & 0x20)

    def children(self) -> Iterator[Element]:
        """The elements inside. Raises Asn1Refused as they are met."""
        if not self.constructed:
            raise Asn1Refused(f"offset {self.begin}: a primitive element where a constructed one is needed")
        at = self.start
        while at < self.stop:
            child = _element(self.data, at, self.stop, self.depth + 1, self.budget)
            yield child
            at = child.end

    def list(self, tag: int | None = None, *, least: int = 0, limit: int = 4096) -> list[Element]:
        """All children, after checking this element's own tag. Raises Asn1Refused, also outside `least` … `limit`."""
        if tag is not None:
            self.expect(tag)
        found: list[Element] = []
        for child in self.children():
            found.append(child)
            if len(found) > limit:
                raise Asn1Refused(f"offset {self.begin}: more than {limit} elements in one place")
        if len(found) < least:
            raise Asn1Refused(f"offset {self.begin}: {len(found)} elements where {least} are needed")
        return found

    def expect(self, tag: int) -> Element:
        """This element, if it bears the tag. Raises Asn1Refused."""
        if self.tag != tag:
            raise Asn1Refused(f"offset {self.begin}: tag {self.tag:#04x} where {tag:#04x} is needed")
        return self

    def octets(self) -> bytes:
        """The value of an OCTET STRING (or an implicitly tagged one), put together where BER wrote it in parts."""
        if not self.constructed:
            return self.content
        return b"".join(part.octets() for part in self.children())

    def oid(self) -> str:
        """The value of an OBJECT IDENTIFIER, dotted. Raises Asn1Refused."""
        self.expect(OID)
        arcs, value = [], 0
        if not self.content or len(self.content) > 64 or self.content[-1] & 0x80:
            raise Asn1Refused(f"offset {self.begin}: malformed object identifier")
        for octet in self.content:
            value = value << 7 | octet & 0x7F
            if not octet & 0x80:
                arcs.append(value)
                value = 0
        first = min(arcs[0] // 40, 2)
        return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))

    def integer(self) -> int:
        """The value of an INTEGER of at most 256 octets. Raises Asn1Refused."""
        self.expect(INTEGER)
        if not 1 <= len(self.content) <= 256:
            raise Asn1Refused(f"offset {self.begin}: INTEGER of {len(self.content)} octets")
        return int.from_bytes(self.content, "big", signed=True)

    def time(self) -> datetime:
        """The value of a UTCTime or GeneralizedTime, aware. Raises Asn1Refused."""
        text = self.content[:64].decode("ascii", "replace")
        try:
            if self.tag == UTC_TIME and (found := _UTC_TIME.fullmatch(text)):
                year, *rest, zone = found.groups(default="0")
                return _moment(int(year) + (2000 if int(year) < 50 else 1900), rest, "0", zone)
            if self.tag == GENERALIZED_TIME and (found := _GENERALIZED.fullmatch(text)):
                year, *rest, fraction, zone = found.groups(default="0")
                return _moment(int(year), rest, fraction, zone)
        except ValueError:
            pass
        raise Asn1Refused(f"offset {self.begin}: malformed time")


def _moment(year: int, rest: list[str], fraction: str, zone: str) -> datetime:
    month, day, hour, minute, second = map(int, rest)
    offset = UTC
    if zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[3:])
        offset = timezone(timedelta(minutes=minutes if zone[0] == "+" else -minutes))
    micros = int(fraction.ljust(6, "0")[:6])
    return datetime(year, month, day, hour, minute, second, micros, offset)


def read_element(data: bytes, budget: Budget | None = None, *, whole: bool = True) -> Element:
    """The element at the start of the octets; `whole`: nothing may follow it. Raises Asn1Refused."""
    found = _element(data, 0, len(data), 0, budget or Budget())
    if whole and found.end != len(data):
        raise Asn1Refused(f"{len(data) - found.end} octets after the end")
    return found


def _element(data: bytes, at: int, limit: int, depth: int, budget: Budget) -> Element:
    budget.take()
    if depth > MAX_DEPTH:
        raise Asn1Refused(f"offset {at}: nested deeper than {MAX_DEPTH}")
    if limit - at < 2:
        raise Asn1Refused(f"offset {at}: truncated")
    tag, length = data[at], data[at + 1]
    if tag & 0x1F == 0x1F:
        raise Asn1Refused(f"offset {at}: tag number above 30")
    start = at + 2
    if length == 0x80:
        if not tag & 0x20:
            raise Asn1Refused(f"offset {at}: indefinite length of a primitive element")
        stop = _end_of_contents(data, start, limit, depth, budget)
        return Element(data, tag, at, start, stop, stop + 2, depth, budget)
    if length & 0x80:
        size = length & 0x7F
        if size > 8 or start + size > limit:
            raise Asn1Refused(f"offset {at}: malformed length")
        length = int.from_bytes(data[start : start + size], "big")
        start += size
    if length > limit - start:
        raise Asn1Refused(f"offset {at}: {length} octets announced, {limit - start} are there")
    return Element(data, tag, at, start, start + length, start + length, depth, budget)


def _end_of_contents(data: bytes, at: int, limit: int, depth: int, budget: Budget) -> int:
    while data[at : at + 2] != b"\0\0":
        at = _element(data, at, limit, depth + 1, budget).end
    if at + 2 > limit:
        raise Asn1Refused(f"offset {at}: end of contents missing")
    return at


def encode(tag: int, content: bytes) -> bytes:
    """An element with a definite length, in DER's shortest form."""
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def as_der(element: Element) -> bytes:
    """Re-encoded with definite lengths, SETs in DER's order (X.690 clause 11.6), strings in one part."""
    if not element.constructed:
        return encode(element.tag, element.content)
    universal_string = element.tag in (OCTET_STRING | 0x20, BIT_STRING | 0x20)
    if universal_string and element.tag == OCTET_STRING | 0x20:
        return encode(OCTET_STRING, element.octets())
    parts = [as_der(child) for child in element.children()]
    if element.tag == SET:
        parts.sort()
    return encode(element.tag, b"".join(parts))
