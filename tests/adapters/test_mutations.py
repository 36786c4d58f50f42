"""Answers that are nearly right: whatever is cut, doubled or changed in them, they are read or refused, no more."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters import MalformedCallback, open_adapter, tax_wire
from adapters import edxml_wire as edxml
from adapters import permit_wire as permit
from adapters.soap import VERSIONS, open_envelope
from adapters.xml import NotOfTheForm, Schema
from tests.adapters.families.edxml import ORGANS
from tests.adapters.families.permit import PARTIES
from tests.adapters.test_mtom import package
from tests.adapters.test_permit import DECIDED, escaped, pushed
from tests.adapters.test_soap import result, soap, state

AT = datetime(2026, 7, 16, 2, tzinfo=UTC)
HEAD = edxml.Head("G22.99", "H52", "12/QĐ", "f-1/842", "H52")
PART = edxml.Part(edxml.RESULT_FILE, "application/xml", "", result().encode())
PIECES = [
    b"<",
    b">",
    b"&",
    b'"',
    b"\x00",
    b"\xff",
    b"--b",
    b"\r\n",
    b"&#0;",
    b"<!DOCTYPE a>",
    b"]]>",
    b"9" * 40,
    b"",
]

TAX = soap("1.1", state("daXuLy", result()))
PACKED = package(
    (b"Content-Type: application/xop+xml\r\nContent-ID: <m>", TAX), start="<m>", start_info="text/xml"
)
DECISION = edxml.answer(HEAD, AT, part=PART)
STATUS = edxml.answer(HEAD, AT, status=edxml.Status("02", "Sai", AT))


@st.composite
def changed(draw: st.DrawFn, octets: bytes) -> bytes:
    """`octets` with up to four pieces cut out, doubled, or replaced."""
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(octets) - 1)))
        end = draw(st.integers(start, min(len(octets), start + 200)))
        piece = draw(st.sampled_from([*PIECES, octets[start:end] * 2]) | st.binary(max_size=8))
        octets = octets[:start] + piece + octets[end:]
    return octets


SCHEMA, ENVELOPE = Schema("tax.xsd"), Schema("permit-envelope.xsd")


async def read_tax(content_type: str, octets: bytes) -> None:
    content = await open_envelope(content_type, octets, VERSIONS["1.1"])
    SCHEMA.check(content)
    if content.tag.endswith("}TraKQuaGDichResponse"):
        tax_wire.read_state(content)


def is_one_line(refused: Exception) -> None:
    assert str(refused).isprintable()


@settings(deadline=None)
@given(changed(TAX))
def test_a_soap_message(octets: bytes) -> None:
    try:
        asyncio.run(read_tax("text/xml", octets))
    except NotOfTheForm as refused:
        is_one_line(refused)


@settings(deadline=None)
@given(changed(PACKED[1]))
def test_a_package(octets: bytes) -> None:
    try:
        asyncio.run(read_tax(PACKED[0], octets))
    except NotOfTheForm as refused:
        is_one_line(refused)


@settings(deadline=None)
@given(changed(DECIDED.encode()).map(lambda octets: octets.decode("utf-8", "replace")))
def test_an_envelope_of_the_single_window(payload: str) -> None:
    try:
        permit.read(payload, ENVELOPE)
    except NotOfTheForm as refused:
        is_one_line(refused)


CALLBACKS = {
    "permit": (PARTIES, pushed(escaped(DECIDED)), "text/xml"),
    "edxml": (ORGANS, DECISION, "application/xml"),
    "edxml status": (ORGANS, STATUS, "application/xml"),
}


@pytest.mark.parametrize("case", CALLBACKS)
def test_a_callback(case: str) -> None:
    more, good, media_type = CALLBACKS[case]
    adapter = open_adapter(case.partition(" ")[0], {"base_url": "https://localhost", **more})

    @settings(deadline=None)
    @given(changed(good))
    def read(octets: bytes) -> None:
        try:
            adapter.read_callback(octets, {"Content-Type": media_type})
        except MalformedCallback as refused:
            is_one_line(refused)

    adapter.read_callback(good, {"Content-Type": media_type})
    read()
