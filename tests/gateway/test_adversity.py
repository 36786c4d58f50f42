"""The store when the clock jumps, the disk stalls, and the settings file lists other certificates than before."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import signal
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

import pytest

from gateway.errors import StoreUnavailable
from gateway.filing.filing import NoticeKind, SignedNotice
from gateway.filing.status import Status
from gateway.ports import LONGEST_WAIT_SECONDS, Outcome
from gateway.store.opening import open_store
from gateway.store.queue import QueueFilter
from gateway.store.seeds import Roster, Seed
from gateway.store.statements import Statement, Steps
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing, prepared, verdict, verdict_notice


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT)
    yield opened
    await opened.close()


@pytest.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[Store]:
    """On SQLite, whose file and lock the test gets at."""
    opened = await open_store(str(tmp_path / "s.sqlite"), lambda: AT)
    yield opened
    await opened.close()


@contextmanager
def stalled(directory: Path) -> Iterator[None]:
    """Another process was stopped while it held the lock."""
    with (directory / "s.sqlite.lock").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
        fcntl.flock(held, fcntl.LOCK_UN)


class TestClock:
    async def shift(self, store: Store, column: str) -> None:
        """As if the machine's clock had been 30 days ahead when this was written."""

        def ahead(batch: Sequence[None]) -> Steps:
            yield Statement(f"UPDATE delivery SET {column} = {column} + 30 * 86400", [()])
            return batch

        await store._driver.write(ahead, None)

    async def test_what_was_due_by_a_clock_ahead_is_due_now(self, store: Store) -> None:
        await store.add(prepared())
        await self.shift(store, "due_at")
        assert len(await store.claim_due("w", 5, 60)) == 1

    async def test_a_lease_by_a_clock_ahead_is_void(self, store: Store) -> None:
        await store.add(prepared())
        assert len(await store.claim_due("dead", 5, 60)) == 1
        await self.shift(store, "lease_until")
        assert len(await store.claim_due("w", 5, 60)) == 1

    async def test_the_longest_wait_and_the_longest_lease_still_hold(self, store: Store) -> None:
        await store.add(prepared())
        (claim,) = await store.claim_due("w", 5, LONGEST_WAIT_SECONDS)
        assert await store.claim_due("w", 5, 60) == []
        outcome = Outcome(claim, Status.DELIVERING, None, due_seconds=30 * 86400, progress=False)
        await store.record_outcome(outcome)
        assert await store.claim_due("w", 5, 60) == []
        (waiting,) = await store.waiting(QueueFilter())
        assert waiting.due_seconds is not None
        assert LONGEST_WAIT_SECONDS - 10 < waiting.due_seconds <= LONGEST_WAIT_SECONDS

    async def test_the_original_receipt_is_the_first_whatever_the_clock_said(self, store: Store) -> None:
        new = new_filing(b"<a/>", key="k", status=Status.PROVISIONAL)
        recorded = await store.add(store.prepare(new))
        (claim,) = await store.claim_due("w", 5, 60)
        refusal = SignedNotice(NoticeKind.REFUSAL, AT - timedelta(seconds=5), b"<refusal/>")
        await store.record_outcome(Outcome(claim, Status.REFUSED, "refused", notice=refusal, findings=()))
        again = await store.find_repeat("alpha", "k", new.filing.digest)
        assert again is not None
        assert again.notice == recorded.notice
        assert (await store.add(prepared(b"<a/>", key="k"))).notice == recorded.notice
        assert await store.notice(new.filing.number, list(NoticeKind)) == refusal


class TestStall:
    async def test_what_waits_is_bounded_and_not_half_done(
        self, embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.store.sqlite._STALL_SECONDS", 0.2)
        filings = [prepared(f"<n>{i}</n>".encode(), key=f"k{i}") for i in range(5)]
        with stalled(tmp_path):
            for _ in range(6):  # a sender that repeats, as 503 tells it to
                answers = await asyncio.gather(*(embedded.add(f) for f in filings), return_exceptions=True)
                assert all(isinstance(answer, StoreUnavailable) for answer in answers)
            assert embedded._driver._queue.qsize() <= 10
        monkeypatch.undo()
        await embedded.add(prepared(b"<after/>"))
        assert len(await embedded.waiting(QueueFilter())) == 1

    async def test_too_many_writes_are_refused(
        self, embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gateway.store.sqlite._MOST_WAITING", 3)
        with stalled(tmp_path):
            tasks = [asyncio.create_task(embedded.add(prepared(f"{i}".encode()))) for i in range(10)]
            await asyncio.sleep(0.2)
            refused = [task for task in tasks if task.done()]
            assert len(refused) >= 4
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(result, StoreUnavailable) for result in results) == len(refused)

    async def test_readiness_is_lost_with_a_bad_write_and_found_again_with_a_good_one(
        self, embedded: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert await embedded.fault() is None
        monkeypatch.setattr("gateway.store.sqlite._STALL_SECONDS", 0.2)
        monkeypatch.setattr("gateway.store.store._PROBE_SECONDS", 0.2)
        with stalled(tmp_path):
            with pytest.raises(StoreUnavailable):
                await embedded.add(prepared())
            assert await embedded.fault() == "stalled"
        for _ in range(50):
            if await embedded.fault() is None:
                break
            await asyncio.sleep(0.05)
        assert await embedded.fault() is None

    async def test_a_small_write_does_not_prove_that_a_full_disk_takes_more(
        self, embedded: Store, tmp_path: Path
    ) -> None:
        """What the worker writes down finds room in the old log."""
        real = embedded._driver._writer
        with sqlite3.connect(tmp_path / "s.sqlite") as other:
            (pages,) = other.execute("PRAGMA page_count").fetchone()
        real.execute(f"PRAGMA max_page_count = {pages}")  # SQLITE_FULL, as from a full disk
        with pytest.raises(StoreUnavailable):
            await embedded.add(prepared(os.urandom(200_000)))
        assert embedded._driver.fault() == "full"
        await embedded.seed([Seed("limits", {"name": "body_bytes", "value": 1.0})], "test")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, hard))
        try:
            assert await embedded.fault() == "full"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert await embedded.fault() is None


class TestRosters:
    ROW: ClassVar = {
        "fingerprint": "f",
        "kind": "provider",
        "party": "p",
        "subject": "s",
        "not_after": "2030",
    }

    async def seed(self, store: Store, *listed: str) -> None:
        seeds = [Seed("client_certificate", self.ROW | {"fingerprint": f}, {"active": 1}) for f in listed]
        await store.seed(seeds, "settings file", [Roster("provider", "p", frozenset(listed))])

    async def active(self, store: Store, fingerprint: str) -> bool:
        found = await store.client(fingerprint)
        assert found is not None
        return found.active

    async def test_what_is_no_longer_listed_opens_no_door_until_it_is_listed_again(
        self, store: Store
    ) -> None:
        await self.seed(store, "f", "g")
        before = await store.epoch()
        await self.seed(store, "g")
        assert (await self.active(store, "f"), await self.active(store, "g")) == (False, True)
        assert await store.epoch() == before + 1
        await self.seed(store, "g")
        assert await store.epoch() == before + 1
        await self.seed(store, "f", "g")
        assert await self.active(store, "f")
        acts = [
            act
            for (act,) in await store._driver.read("SELECT act FROM audit WHERE subject = 'f' ORDER BY seq")
        ]
        assert acts == [f"client_certificate.{act}" for act in ("add", "retire", "restore")]

    async def test_what_an_administrator_switched_stays(self, store: Store) -> None:
        await self.seed(store, "f", "g")
        await store.seed([Seed("client_certificate", {"fingerprint": "f", "active": 0})], "admin")
        await store.seed(
            [Seed("client_certificate", self.ROW | {"fingerprint": "x"}, {"active": 1})], "admin"
        )
        await self.seed(store, "f", "g")
        assert not await self.active(store, "f")
        assert await self.active(store, "x")


async def test_a_verdict_repeated_without_end_is_told_ever_more_seldom(store: Store) -> None:
    await store.add(prepared())
    (claim,) = await store.claim_due("w", 1, 30)
    await store.record_outcome(Outcome(claim, Status.DELIVERING, "routed", due_seconds=0))
    number = claim.filing.number
    long = replace(verdict(), reference="x" * 200)
    for _ in range(20):
        await store.record_verdict(number, long, verdict_notice(), AT)
    opposite = await store.record_verdict(number, verdict(Status.REJECTED), verdict_notice(), AT)
    assert opposite.contradicts
    events = await store.events(number)
    names = [event.name for event in events]
    assert names.count("verdict-repeated") == 6
    assert names.count("verdict-contradicted") == 1
    assert events[-1].detail.startswith("rejected TCT-1 sha256:")
    assert all(len(event.detail) < 300 for event in events)
