"""Bodies encrypted at rest: nobody reads them without the key, old keys still open, nothing can be swapped."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.body_keys import first_keys
from gateway.errors import ConfigurationError
from gateway.settings import BodySettings
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.rows import pack
from gateway.store.sealing import BodyKeys, Sealed
from gateway.store.statements import Statement, Steps
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing

OLD, NEW = os.urandom(32), os.urandom(32)


async def open_with(place: str, keys: BodyKeys, folder: FolderBlobs | None = None) -> Store:
    return await open_store(place, lambda: AT, bodies=Bodies(folder, keys))


async def stored(store: Store, number: str) -> bytes:
    ((octets,),) = await store._driver.read("SELECT octets FROM body WHERE number = ?", (number,))
    return bytes(octets)


async def test_a_body_is_unreadable_without_its_key_and_the_same_to_the_byte_with_it(place: str) -> None:
    body = b"<declaration>\r\n</declaration>"
    store = await open_with(place, BodyKeys({"2026": OLD}, "2026"))
    number = (await store.add(store.prepare(new_filing(body)))).filing.number
    octets = await stored(store, number)
    assert octets.startswith(b"EFS1\x042026")
    assert pack(body) not in octets
    assert await store.document(number) == body
    await store.close()
    without = await open_with(place, BodyKeys({}, None))
    with pytest.raises(Sealed, match="'2026' is not here"):
        await without.document(number)
    await without.close()


async def test_after_a_change_of_keys_old_bodies_and_those_from_before_any_key_still_open(
    place: str, tmp_path: Path
) -> None:
    folder = FolderBlobs(tmp_path / "bodies", over_bytes=1_000)
    bodies = [os.urandom(5_000), b"<small/>", os.urandom(6_000), b"<small2/>", os.urandom(7_000)]
    stages = [BodyKeys({}, None), BodyKeys({"old": OLD}, "old"), BodyKeys({"old": OLD, "new": NEW}, "new")]
    numbers = []
    for keys, some in zip(stages, (bodies[:2], bodies[2:4], bodies[4:]), strict=True):
        store = await open_with(place, keys, folder)
        numbers += [(await store.add(store.prepare(new_filing(body)))).filing.number for body in some]
        await store.close()
    store = await open_with(place, stages[-1], folder)
    assert [await store.document(number) for number in numbers] == bodies
    await store.close()


async def test_one_body_in_anothers_place_does_not_open(place: str) -> None:
    store = await open_with(place, BodyKeys({"k": OLD}, "k"))
    one, other = [
        (await store.add(store.prepare(new_filing(body)))).filing.number for body in (b"<a/>", b"<b/>")
    ]
    octets = await stored(store, one)

    def swap(batch: list[None]) -> Steps:
        yield Statement("UPDATE body SET octets = ? WHERE number = ?", [(octets, other)])
        return batch

    await store._driver.write(swap, None)  # type: ignore[arg-type]
    with pytest.raises(Sealed, match="not what was stored"):
        await store.document(other)
    await store.close()


@pytest.mark.parametrize("seal_with", [None, "k"])
async def test_papers_are_sealed_too_and_one_that_seems_sealed_is_not_taken_for_it(
    place: str, seal_with: str | None
) -> None:
    papers = (b"%PDF-1.7 text text text text", b"EFS1\x01k" + os.urandom(500))
    store = await open_with(place, BodyKeys({"k": OLD}, seal_with))
    number = (await store.add(store.prepare(new_filing(papers=papers)))).filing.number
    assert [await store.paper(number, one.place) for one in await store.papers(number)] == list(papers)
    rows = await store._driver.read("SELECT octets FROM paper")
    assert {bytes(row[0]).startswith(b"EFS1\x01k") for row in rows} == {seal_with is not None}
    await store.close()


@pytest.mark.parametrize(
    "cut", [b"EFS1", b"EFS1\x01", b"EFS1\x01k", b"EFS1\x01k" + bytes(12), b"EFS1\xff\xff"]
)
def test_what_is_cut_short_is_said(cut: bytes) -> None:
    with pytest.raises(Sealed):
        BodyKeys({"k": OLD}, "k").open(cut, bytes(32))


def test_every_unfit_key_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"short")
    named = BodySettings(keys={"short": tmp_path / "short", "none": tmp_path / "none"}, seal_with="other")
    with pytest.raises(ConfigurationError) as refused:
        first_keys(named, (), AT)
    assert len(refused.value.faults) == 3
