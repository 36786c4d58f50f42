"""Large bodies lie in a folder, on the disk before the commit that names them; what nobody names goes, a day later."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.errors import StoreUnavailable
from gateway.store import bodies as module
from gateway.store.blobs import ORPHANED_SECONDS, FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared

LARGE = os.urandom(5_000)


@pytest.fixture
def folder(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "bodies", over_bytes=1_000)


@pytest.fixture
async def store(place: str, folder: FolderBlobs) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT, bodies=Bodies(folder))
    yield opened
    await opened.close()


def files(folder: FolderBlobs) -> list[Path]:
    return [file for file in folder._folder.glob("*/*") if file.is_file()]


def age(folder: FolderBlobs, seconds: float) -> None:
    for file in files(folder):
        os.utime(file, (time.time() - seconds,) * 2)


@contextmanager
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as later:
        now = time.monotonic
        later.setattr(module.time, "monotonic", lambda: now() + 3_600)
        yield


async def test_large_bodies_lie_in_the_folder_and_small_ones_in_the_database(
    store: Store, folder: FolderBlobs
) -> None:
    large, small = await store.add(prepared(LARGE)), await store.add(prepared(b"<small/>"))
    (file,) = files(folder)
    assert file.name == large.filing.digest.hex()
    assert file.stat().st_mode & 0o077 == 0
    assert await store.document(large.filing.number) == await store.body(large.filing.number) == LARGE
    assert await store.document(small.filing.number) == b"<small/>"
    rows = await store._driver.read("SELECT octets FROM body WHERE blob IS NOT NULL")
    assert [bytes(row[0]) for row in rows] == [b""]


async def test_a_body_is_synced_before_it_has_its_name_and_the_folder_before_the_commit(
    folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, link = os.fsync, os.link
    monkeypatch.setattr(
        os, "fsync", lambda handle: (done.append(os.readlink(f"/proc/self/fd/{handle}")), sync(handle))
    )
    monkeypatch.setattr(os, "link", lambda a, b: (done.append("named"), link(a, b)))
    await asyncio.to_thread(folder.put, "ab" * 32, b"octets")
    written, named, shard, above = done
    assert (named, shard, above) == ("named", str(folder._folder / "ab"), str(folder._folder))
    assert written.startswith(str(folder._folder / "ab" / "."))


async def test_a_body_that_is_gone_or_changed_is_said_and_not_delivered(
    store: Store, folder: FolderBlobs
) -> None:
    number = (await store.add(prepared(LARGE))).filing.number
    (file,) = files(folder)
    octets = file.read_bytes()
    file.write_bytes(prepared(b"<other/>").octets)
    with pytest.raises(ValueError, match="not what was filed"):
        await store.body(number)
    file.unlink()
    with pytest.raises(StoreUnavailable):
        await store.body(number)
    file.write_bytes(octets)
    assert await store.body(number) == LARGE


async def test_a_folder_without_room_promises_nothing_and_is_told_until_it_has_some(
    store: Store, folder: FolderBlobs
) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with pytest.raises(StoreUnavailable):
            await store.add(prepared(LARGE, key="k"))
        assert await store.no_room_over() == folder.over_bytes
        assert await store.fault() is None, "what is small goes on"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert files(folder) == []
    assert await store.no_room_over() is None
    assert not (await store.add(prepared(LARGE, key="k"))).repeat


class TestSweep:
    async def test_only_what_nobody_names_goes_and_only_after_a_day(
        self, store: Store, folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        kept = (await store.add(prepared(LARGE))).filing.digest.hex()
        folder.put("ab" * 32, b"orphan")
        (folder._folder / "ab" / ".unfinished").write_bytes(b"half")
        assert await store.sweep() == 0
        age(folder, ORPHANED_SECONDS + 60)
        assert await store.sweep() == 0  # an hour's second look: a clock may have jumped
        with an_hour_later(monkeypatch):
            assert await store.sweep() == 1
        assert [file.name for file in files(folder)] == [kept]

    async def test_what_is_put_again_meanwhile_stays(
        self, store: Store, folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.put("ab" * 32, b"orphan")
        age(folder, ORPHANED_SECONDS + 60)
        assert await store.sweep() == 0
        (page,) = folder.aged()
        folder.put("ab" * 32, b"orphan")
        with an_hour_later(monkeypatch):
            assert folder.remove(page) == 0
            assert await store.sweep() == 0

    async def test_a_clock_that_jumps_a_day_removes_nothing_at_once(
        self, store: Store, folder: FolderBlobs
    ) -> None:
        folder.put("ab" * 32, b"in flight")
        age(folder, 30 * ORPHANED_SECONDS)
        assert [await store.sweep(), await store.sweep()] == [0, 0]

    async def test_what_is_named_by_then_stays_however_often_it_is_looked_at(
        self, store: Store, folder: FolderBlobs, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for n in range(3):
            await store.add(prepared(LARGE + bytes([n])))
        age(folder, ORPHANED_SECONDS + 60)
        monkeypatch.setattr("gateway.store.blobs._PAGE", 2)
        for _ in range(2):
            with an_hour_later(monkeypatch):
                assert await store.sweep() == 0
        assert len(files(folder)) == 3


async def test_a_killed_process_loses_no_large_body(place: str, tmp_path: Path, folder: FolderBlobs) -> None:
    command = [sys.executable, "-m", "tests.gateway.endless_writer", place, str(folder._folder)]
    root = Path(__file__).resolve().parents[2]
    acknowledged: set[str] = set()
    for _ in range(3):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=root, text=True)
        assert writer.stdout is not None
        acknowledged |= {writer.stdout.readline().strip() for _ in range(60)}
        writer.kill()
        acknowledged |= {line.strip() for line in writer.stdout if line.endswith("\n")}
        writer.wait()
    store = await open_store(place, lambda: AT, bodies=Bodies(folder))
    for number in acknowledged:
        assert len(await store.body(number)) == 2000
    await store.close()
