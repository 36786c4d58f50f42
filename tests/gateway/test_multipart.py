"""Cutting a multipart body: the same parts however it arrives, and hostile bodies at no cost worth mentioning."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import Unreadable
from gateway.intake.multipart import FieldValue, MultipartReader, Part, boundary_of
from tests.cost import affordable

BOUNDARY = b"b0undary"
CONTENTS = st.lists(
    st.lists(
        st.sampled_from([b"\r\n", b"--", b"-", b"b0undar", b"\r", b"\n", b"x", b"\r\n--b0undar", b"\0"])
    ).map(b"".join),
    max_size=4,
)


def body(contents: list[bytes]) -> bytes:
    parts = (b"--" + BOUNDARY + b"\r\nX: y\r\n\r\n" + content + b"\r\n" for content in contents)
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"


def read(octets: bytes, sizes: list[int] | None = None, most: int = 10) -> list[Part]:
    reader = MultipartReader(BOUNDARY, most)
    rest = memoryview(octets)
    for size in sizes or []:
        reader.feed(bytes(rest[:size]))
        rest = rest[size:]
    reader.feed(bytes(rest))
    return reader.close()


@settings(deadline=None)
@given(CONTENTS, st.lists(st.integers(0, 40), max_size=30))
def test_parts_are_those_that_were_put_together_however_they_arrive(
    contents: list[bytes], sizes: list[int]
) -> None:
    found = read(body(contents), sizes) if contents else []
    assert [part.content for part in found] == contents
    assert [part.sha256 for part in found] == [hashlib.sha256(content).hexdigest() for content in contents]


@settings(deadline=None)
@given(CONTENTS, st.binary(max_size=8), st.integers(0, 200), st.lists(st.integers(0, 9), max_size=30))
def test_however_it_arrives_it_is_read_or_refused_alike(
    contents: list[bytes], inserted: bytes, place: int, sizes: list[int]
) -> None:
    octets = body(contents)
    octets = octets[:place] + inserted + octets[place:]

    def outcome(sizes: list[int]) -> object:
        try:
            return read(octets, sizes)
        except Unreadable as error:
            return [finding.code for finding in error.findings]

    whole = outcome([])
    assert outcome(sizes) == whole
    assert outcome([1] * len(octets)) == whole


def test_a_part_may_have_neither_headers_nor_octets() -> None:
    for one in (b"\r\n\r\n", b"\r\n", b"X: y\r\n\r\n\r\n", b"X: y\r\n\r\n"):
        octets = b"--b0undary\r\n" + one + b"--b0undary--"
        assert [part.content for part in read(octets)] == [b""], one


@pytest.mark.parametrize("piece", [b"\r\n--b0undar", b"\r\n", b"-", b"\r\n--b0undary\r\n\r\n", b"\r", b"\0"])
def test_hostile_bodies_cost_less_than_a_second(piece: bytes) -> None:
    octets = b"--b0undary\r\n\r\n" + piece * (20_000_000 // len(piece))
    for _ in affordable(1.0):
        with pytest.raises(Unreadable):
            read(octets, [65_536] * (len(octets) // 65_536), most=201)


@pytest.mark.parametrize(
    "header", ["a;b", "a; b", "a; b=c; B=d", 'a; b="c', "a; b=c d", "a;;b=c", "a; =c", 'a; b="c"d']
)
def test_a_parameter_that_can_be_read_two_ways_is_read_in_none(header: str) -> None:
    with pytest.raises(ValueError, match="a"):
        FieldValue.of(header)


def test_parameters_are_read_as_quoted() -> None:
    found = FieldValue.of('Multipart/Related ; boundary="a b;c\\"d";type="text/xml"; start="<x>"')
    assert found.value == "multipart/related"
    assert dict(found.parameters) == {"boundary": 'a b;c"d', "type": "text/xml", "start": "<x>"}
    with pytest.raises(Unreadable):
        boundary_of(found)


@pytest.mark.parametrize(
    "text", ["; a;" * 8000, "; a=" * 4000, '; a="' + "\\" * 8001, "; " + "a" * 8000 + ' ="']
)
def test_hostile_headers_cost_less_than_a_second(text: str) -> None:
    for _ in affordable(1.0):
        with pytest.raises(ValueError, match="x"):
            FieldValue.of("x" + text)
