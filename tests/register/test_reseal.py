"""Bodies come from one key under another, over both engines: nothing is lost; a key goes when nothing is under it."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.body_keys import begin_with, first_keys, new_body_key, renew_keys
from gateway.errors import ConfigurationError
from gateway.register.entry import Purpose, RegisterRefused, Rehearsal, State
from gateway.settings import BodySettings
from gateway.store.blobs import ORPHANED_SECONDS, FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.looking import AuditFilter
from gateway.store.opening import open_store
from gateway.store.register import Addition, Adoption, Move
from gateway.store.sealing import BodyKeys, Sealed
from gateway.store.statements import Statement, Steps
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing
from tests.gateway.test_large_bodies import age, an_hour_later

ROOT = Path(__file__).resolve().parents[2]
DAY = timedelta(days=1)
LARGE, SMALL = os.urandom(5_000), b"<small/>"
PAPERS = (b"%PDF-1.7 text text text text", b"EFS1\x03old" + os.urandom(500))


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "bodies", over_bytes=1_000)


@pytest.fixture
async def store(place: str, folder: FolderBlobs) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT, bodies=Bodies(folder))
    yield opened
    await opened.close()


def key_file(tmp_path: Path, name: str) -> Path:
    file = tmp_path / name
    if not file.exists():
        file.write_bytes(os.urandom(32))
        file.chmod(0o600)
    return file


async def sealing_with(store: Store, tmp_path: Path, name: str) -> str:
    """The key of that name becomes the active one, as a new one in the settings does; its entry."""
    new = new_body_key(name, key_file(tmp_path, name), AT)
    await store.adopt(Adoption((new,), "settings file", AT))
    renew_keys(store.body_keys, await store.entries())
    assert store.body_keys.sealer.name == name
    return new.id


async def filed(store: Store, *bodies: bytes, **how: object) -> list[str]:
    return [(await store.add(store.prepare(new_filing(body, **how)))).filing.number for body in bodies]  # type: ignore[arg-type]


async def run(store: Store, sql: str, *row: object) -> None:
    def statement(batch: list[None]) -> Steps:
        yield Statement(sql, [row])
        return batch

    await store._driver.write(statement, None)  # type: ignore[arg-type]


async def headers(store: Store) -> set[bytes]:
    """How what lies in the store's own tables begins."""
    rows = await store._driver.read(
        "SELECT octets FROM body WHERE blob IS NULL UNION ALL SELECT octets FROM paper"
    )
    return {bytes(row[0])[:8] for row in rows}


async def move(store: Store, id: str, to: State, at: timedelta = timedelta(), **said: object) -> None:
    entry = next(e for e in await store.entries() if e.id == id)
    await store.move_entry(Move(id, entry.version, to, "lan", AT + at, "because", **said))  # type: ignore[arg-type]


async def everything_from_before(store: Store, tmp_path: Path) -> dict[str, bytes]:
    """Small and large, with papers and without, in the clear, under a key, and as an older version left it."""
    there = dict(zip(await filed(store, SMALL, LARGE), (SMALL, LARGE), strict=True))
    await sealing_with(store, tmp_path, "old")
    bodies = [SMALL + b"2", LARGE + b"2", b"<older/>", LARGE + b"older"]
    numbers = await filed(store, *bodies, papers=PAPERS)
    await run(store, "UPDATE body SET sealed_by = NULL WHERE number IN (?, ?)", *numbers[2:])
    await run(store, "UPDATE paper SET sealed_by = NULL WHERE number IN (?, ?)", *numbers[2:])
    return there | dict(zip(numbers, bodies, strict=True))


async def all_read(store: Store, there: dict[str, bytes]) -> None:
    for number, body in there.items():
        assert await store.document(number) == body
        papers = [await store.paper(number, one.place) for one in await store.papers(number)]
        assert papers in ([], list(PAPERS))


class TestReseal:
    async def test_all_comes_under_the_key_in_use_to_the_byte(
        self, store: Store, folder: FolderBlobs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        there = await everything_from_before(store, tmp_path)
        await sealing_with(store, tmp_path, "new")
        assert await store.sealed_counts() == {"": 2, "old": 2 + 4, None: 2 + 4}
        for sealed_by, count in (("old", 6), ("", 2), (None, 6), (None, 0)):
            progress = await store.reseal(sealed_by)
            assert (progress.resealed, progress.failed) == (count, [])
            await all_read(store, there)
        assert await store.sealed_counts() == {"new": 14}
        assert await headers(store) == {b"EFS1\x03new"}
        without = await open_store_with(
            store, folder, BodyKeys({"new": key_file(tmp_path, "new").read_bytes()}, "new")
        )
        await all_read(without, there)
        names = {row[0] for row in await store._driver.read("SELECT blob FROM body WHERE blob IS NOT NULL")}
        assert len(names) == 3
        for file in tmp_path.glob("bodies/**/*"):
            if file.is_file():
                os.utime(file, (1, 1))
        age(folder, ORPHANED_SECONDS + 60)
        assert await store.sweep() == 0
        with an_hour_later(monkeypatch):
            assert await store.sweep() == 3, "what lay there under the old key, and in the clear"
        await all_read(without, there)

    async def test_of_one_key_alone_what_nobody_has_looked_at_is_told_apart(
        self, store: Store, tmp_path: Path
    ) -> None:
        there = await everything_from_before(store, tmp_path)
        await run(store, "UPDATE body SET sealed_by = NULL")
        await sealing_with(store, tmp_path, "new")
        progress = await store.reseal(None, only="old")
        assert progress.resealed == 4 + 4
        assert await store.sealed_counts() == {"": 2, "old": 4, "new": 8}
        await all_read(store, there)

    async def test_what_does_not_open_stays_as_it_is_and_is_told_and_stops_nothing(
        self, store: Store, folder: FolderBlobs, tmp_path: Path
    ) -> None:
        there = await everything_from_before(store, tmp_path)
        forged, gone, *_ = await filed(store, b"<forged/>", LARGE + b"gone")
        await run(store, "UPDATE body SET octets = ? WHERE number = ?", b"EFS1\x03old" + bytes(60), forged)
        ((name,),) = await store._driver.read("SELECT blob FROM body WHERE number = ?", (gone,))
        folder._place(name).unlink()
        await sealing_with(store, tmp_path, "new")
        progress = await store.reseal("old")
        assert sorted(one.partition(":")[0] for one in progress.failed) == sorted([forged, gone])
        assert progress.resealed == 6
        assert (await store.sealed_counts())["old"] == 2
        await all_read(store, there)

    async def test_a_key_that_is_active_no_more_takes_nothing_over(
        self, store: Store, tmp_path: Path
    ) -> None:
        there = await everything_from_before(store, tmp_path)
        await sealing_with(store, tmp_path, "new")
        newest = new_body_key("newest", key_file(tmp_path, "newest"), AT)
        await store.adopt(Adoption((newest,), "settings file", AT))  # this process has not looked yet
        with pytest.raises(RegisterRefused, match="no longer the one in use"):
            await store.reseal("old")
        assert (await store.sealed_counts())["old"] == 6
        await all_read(store, there)

    async def test_one_document_under_two_keys_lies_twice_and_goes_once(
        self, store: Store, folder: FolderBlobs, tmp_path: Path
    ) -> None:
        """A file is found by its document; it must not be taken for sealed with a key that it is not sealed with."""
        await sealing_with(store, tmp_path, "old")
        numbers = await filed(store, LARGE, provider="alpha")
        await sealing_with(store, tmp_path, "new")
        numbers += await filed(store, LARGE, provider="beta")
        only_new = await open_store_with(
            store, folder, BodyKeys({"new": key_file(tmp_path, "new").read_bytes()}, "new")
        )
        with pytest.raises(Sealed):
            await only_new.document(numbers[0])
        assert await only_new.document(numbers[1]) == LARGE
        assert (await store.reseal("old")).resealed == 1
        assert [await only_new.document(number) for number in numbers] == [LARGE, LARGE]
        assert len({row[0] for row in await store._driver.read("SELECT blob FROM body")}) == 1


async def open_store_with(store: Store, folder: FolderBlobs, keys: BodyKeys) -> Store:
    """The same store as a process with other keys has it."""
    return Store(store._driver, lambda: AT, Bodies(folder, keys))


class TestRetirement:
    @pytest.mark.parametrize("looked_at", [True, False])
    async def test_a_key_is_not_given_up_while_anything_is_or_may_be_under_it(
        self, store: Store, tmp_path: Path, *, looked_at: bool
    ) -> None:
        old = await sealing_with(store, tmp_path, "old")
        await filed(store, SMALL)
        if not looked_at:
            await run(store, "UPDATE body SET sealed_by = NULL")
        await sealing_with(store, tmp_path, "new")
        with pytest.raises(RegisterRefused, match="bodies in the store are, or may be, sealed with it"):
            await move(store, old, State.RETIRED)
        await store.reseal("old" if looked_at else None)
        await move(store, old, State.RETIRED)

    async def test_a_paper_alone_keeps_its_key(self, store: Store, tmp_path: Path) -> None:
        old = await sealing_with(store, tmp_path, "old")
        await filed(store, SMALL, papers=PAPERS)
        await sealing_with(store, tmp_path, "new")
        await run(store, "UPDATE body SET sealed_by = 'new'")
        with pytest.raises(RegisterRefused, match="efile certs reseal"):
            await move(store, old, State.RETIRED)

    async def test_by_the_clock_it_is_put_off_by_a_day_and_told(self, store: Store, tmp_path: Path) -> None:
        old = await sealing_with(store, tmp_path, "old")
        await filed(store, SMALL)
        await sealing_with(store, tmp_path, "new")
        await move(store, old, State.RETIRED, ends_at=AT + DAY)
        assert await store.carry_out_due(AT + DAY, {}) == 1
        assert await store.carry_out_due(AT + DAY, {}) == 0
        entry = next(e for e in await store.entries() if e.id == old)
        assert (entry.state, entry.ends_at) == (State.RETIRING, AT + 2 * DAY)
        told = (await store.audit(AuditFilter()))[0]
        assert (told.act, told.actor) == ("certificate.schedule", "clock")
        assert "sealed with it" in told.detail
        await store.reseal("old")
        assert await store.carry_out_due(AT + 2 * DAY, {}) == 1
        assert next(e.state for e in await store.entries() if e.id == old) is State.RETIRED

    async def test_in_an_emergency_the_next_one_takes_over_and_the_stolen_one_still_opens(
        self, store: Store, tmp_path: Path
    ) -> None:
        old = await sealing_with(store, tmp_path, "old")
        numbers = await filed(store, SMALL, LARGE)
        with pytest.raises(RegisterRefused, match="another one has to take over first"):
            await move(store, old, State.REVOKED)
        new = new_body_key("new", key_file(tmp_path, "new"), AT)
        await store.add_entry(Addition(new, "lan", AT, ""))
        await store.record_rehearsal(new.id, Rehearsal(new.fingerprint, AT, "lan"))
        await move(store, old, State.REVOKED, successor=new.id)
        assert renew_keys(store.body_keys, await store.entries()) == []
        assert store.body_keys.sealer.name == "new"
        assert [await store.document(number) for number in numbers] == [SMALL, LARGE]
        await store.reseal("old")
        assert [await store.document(number) for number in numbers] == [SMALL, LARGE]
        assert await store.sealed_counts() == {"new": 2}

    async def test_a_name_is_one_keys_for_ever(self, store: Store, tmp_path: Path) -> None:
        await sealing_with(store, tmp_path, "old")
        (tmp_path / "else").mkdir()
        other = new_body_key("old", key_file(tmp_path / "else", "old"), AT)
        with pytest.raises(RegisterRefused, match="Another key has the name old"):
            await store.add_entry(Addition(other, "lan", AT, ""))
        assert await store.adopt(Adoption((other,), "settings file", AT)) == 0


class TestSettings:
    async def test_what_the_file_names_enters_once_and_a_new_one_takes_over(
        self, store: Store, tmp_path: Path
    ) -> None:
        one, two, three = (key_file(tmp_path, name) for name in ("one", "two", "three"))
        await start(store, BodySettings(keys={"one": one, "two": two}, seal_with="two"))
        assert await states(store) == {"one": "retiring", "two": "active"}
        await start(store, BodySettings(keys={"one": one, "two": two, "three": three}, seal_with="three"))
        assert await states(store) == {"one": "retiring", "two": "retiring", "three": "active"}
        await start(store, BodySettings(keys={"one": one, "two": two}, seal_with="two"))
        assert await states(store) == {"one": "retiring", "two": "retiring", "three": "active"}
        assert store.body_keys.sealer.name == "three"

    async def test_without_keys_nothing_is_sealed(self, store: Store) -> None:
        await start(store, BodySettings())
        assert await store.entries() == []
        await filed(store, SMALL)
        assert await store.sealed_counts() == {"": 1}

    async def test_another_key_in_the_same_file_does_not_start(self, store: Store, tmp_path: Path) -> None:
        one = key_file(tmp_path, "one")
        await start(store, BodySettings(keys={"one": one}, seal_with="one"))
        one.write_bytes(os.urandom(32))
        store._bodies.keys = BodyKeys({}, None)
        with pytest.raises(ConfigurationError, match="not the key that the register has"):
            await start(store, BodySettings(keys={"one": one}, seal_with="one"))

    async def test_the_file_of_a_retired_key_may_be_gone_and_of_another_not(
        self, store: Store, tmp_path: Path
    ) -> None:
        one, two = key_file(tmp_path, "one"), key_file(tmp_path, "two")
        named = BodySettings(keys={"one": one, "two": two}, seal_with="two")
        await start(store, named)
        one.unlink()
        store._bodies.keys = BodyKeys({}, None)
        with pytest.raises(ConfigurationError, match="No such file"):
            await start(store, named)
        await move(store, next(e.id for e in await store.entries() if e.subject == "one"), State.RETIRED)
        await start(store, named)
        two.unlink()
        store._bodies.keys = BodyKeys({}, None)
        with pytest.raises(ConfigurationError, match="No such file"):
            await start(store, BodySettings())


async def start(store: Store, bodies: BodySettings) -> None:
    """As a process starts."""
    first = first_keys(bodies, await store.entries(), AT)
    await store.adopt(Adoption(first.active, "settings file", AT, {}, first.beside))
    begin_with(store.body_keys, first, await store.entries())


async def states(store: Store) -> dict[str, str]:
    return {e.subject: e.state.value for e in await store.entries() if e.purpose is Purpose.BODIES}


async def test_power_is_cut_at_each_write_and_all_is_read_each_time(place: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.register.reseal_cut", place, str(tmp_path)]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    before, *cut, after = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(cut) >= 20, "each put and each statement, and then none"
    assert all(one["read"] == before["read"] for one in (*cut, after))
    assert all(sum(one["counts"].values()) == sum(before["counts"].values()) for one in cut)
    assert after["counts"] == {"new": sum(before["counts"].values())}
