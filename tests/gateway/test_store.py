"""The contract of `ports.Filings` and `ports.Deliveries`, over both engines; and what is the embedded one's alone."""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import resource
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import BadRequest, KeyReused, NotFound, PapersDiffer, StoreUnavailable
from gateway.filing.filing import NoticeKind, Recorded
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome
from gateway.store import opening
from gateway.store.rows import json_text
from gateway.store.seeds import Seed
from gateway.store.sqlite import SqliteDriver
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing, prepared, verdict, verdict_notice


def open_store(path: Path) -> Store:
    return Store(SqliteDriver(path), lambda: AT)


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await opening.open_store(place, lambda: AT)
    yield opened
    await opened.close()


class TestFilings:
    async def test_what_was_added_can_be_read_back_to_the_byte(self, store: Store) -> None:
        new = new_filing(b"\xef\xbb\xbf<a>\r\n</a>", key="k")
        recorded = await store.add(store.prepare(new))
        assert (recorded.filing, recorded.notice, recorded.repeat) == (new.filing, new.notice, False)
        assert await store.filing(new.filing.number) == new.filing
        assert await store.document(new.filing.number) == new.document
        assert await store.notice(new.filing.number, [NoticeKind.RECEIPT]) == new.notice
        assert [event.name for event in await store.events(new.filing.number)] == ["acknowledged"]

    async def test_the_same_key_gets_the_original_receipt(self, store: Store) -> None:
        first = await store.add(prepared(key="k"))
        again = await store.add(prepared(key="k"))
        assert again.repeat
        assert (again.filing.number, again.notice) == (first.filing.number, first.notice)

    async def test_the_same_bytes_get_the_original_receipt_under_any_key(self, store: Store) -> None:
        first = await store.add(prepared(key="one"))
        for key in ("two", None):
            assert (await store.add(prepared(key=key))).notice == first.notice

    async def test_a_key_for_other_bytes_is_a_conflict(self, store: Store) -> None:
        first = await store.add(prepared(b"<a/>", key="k"))
        with pytest.raises(KeyReused) as conflict:
            await store.add(prepared(b"<b/>", key="k"))
        assert conflict.value.number == first.filing.number
        with pytest.raises(KeyReused):
            await store.find_repeat("alpha", "k", b"other digest")

    async def test_a_new_key_for_known_bytes_is_theirs_from_then_on(self, store: Store) -> None:
        first = await store.add(prepared(b"<a/>", key="k1"))
        assert (await store.add(prepared(b"<a/>", key="k2"))).repeat
        found = await store.find_repeat("alpha", "k3", first.filing.digest)
        assert found is not None
        for key in ("k2", "k3"):
            with pytest.raises(KeyReused) as conflict:
                await store.add(prepared(b"<b/>", key=key))
            assert conflict.value.number == first.filing.number

    async def test_a_new_key_for_known_bytes_is_theirs_within_one_batch_too(self, store: Store) -> None:
        await store.add(prepared(b"<a/>", key="k1"))
        repeat, other = await asyncio.gather(
            store.add(prepared(b"<a/>", key="k2")),
            store.add(prepared(b"<b/>", key="k2")),
            return_exceptions=True,
        )
        assert not isinstance(repeat, BaseException)
        assert isinstance(other, KeyReused)

    async def test_another_provider_is_another_world(self, store: Store) -> None:
        first = await store.add(prepared(key="k"))
        other = await store.add(prepared(key="k", provider="beta"))
        assert not other.repeat
        assert other.filing.number != first.filing.number

    async def test_refused_bytes_are_judged_anew_but_not_under_their_key(self, store: Store) -> None:
        first = await store.add(prepared(key="k", status=Status.REFUSED))
        assert (await store.add(prepared(key="k"))).filing.number == first.filing.number
        assert not (await store.add(prepared(key="k2"))).repeat

    async def test_papers_are_read_back_to_the_byte_compressed_or_not(self, store: Store) -> None:
        contents = (b"", b"%PDF-" * 100_000, os.urandom(300_000))
        new = new_filing(key="k", papers=contents)
        recorded = await store.add(store.prepare(new))
        number = recorded.filing.number
        assert recorded.filing == new.filing == await store.filing(number)
        assert await store.papers(number) == [paper.about for paper in new.papers]
        for paper in new.papers:
            assert await store.paper(number, paper.about.place) == paper.content
        with pytest.raises(KeyError):
            await store.paper(number, 1)
        assert await store.papers("none") == []

    async def test_the_same_bytes_with_other_papers_are_no_repeat_and_leave_nothing(
        self, store: Store
    ) -> None:
        first = await store.add(prepared(key="k", papers=(b"a", b"b")))
        for papers in ((b"a",), ()):
            with pytest.raises(PapersDiffer) as differ:
                await store.add(prepared(papers=papers))
            assert differ.value.number == first.filing.number
            with pytest.raises(KeyReused):
                await store.add(prepared(key="k", papers=papers))
        with pytest.raises(PapersDiffer):
            await store.find_repeat("alpha", "new", first.filing.digest)
        assert await store.find_repeat("alpha", "new", b"another") is None, "the new key was not bound"
        assert (await store.add(prepared(key="k2", papers=(b"a", b"b")))).repeat
        assert await store.papers(first.filing.number)

    async def test_within_one_batch_the_first_papers_stay(self, store: Store) -> None:
        one, other, same = await asyncio.gather(
            *(store.add(prepared(b"<new/>", papers=papers)) for papers in ((b"a",), (b"b",), (b"a",))),
            return_exceptions=True,
        )
        assert isinstance(one, Recorded)
        assert isinstance(other, PapersDiffer)
        assert isinstance(same, Recorded)
        assert same.repeat

    async def test_two_hundred_at_once_of_one_message_make_one_filing(self, store: Store) -> None:
        recorded = await asyncio.gather(*(store.add(prepared(key="k")) for _ in range(200)))
        assert len({r.filing.number for r in recorded}) == 1
        assert len({r.notice.document for r in recorded}) == 1
        assert sum(not r.repeat for r in recorded) == 1

    async def test_a_bad_item_of_a_batch_fails_alone(self, store: Store) -> None:
        taken = prepared(b"<taken/>")
        await store.add(taken)
        other = replace(new_filing(b"<other/>").filing, number=taken.new.filing.number)
        same_number = store.prepare(replace(new_filing(b"<other/>"), filing=other))
        answers = await asyncio.gather(
            *(store.add(prepared(f"<n>{i}</n>".encode())) for i in range(20)),
            store.add(same_number),
            *(store.add(prepared(f"<m>{i}</m>".encode())) for i in range(20)),
            return_exceptions=True,
        )
        bad = [answer for answer in answers if isinstance(answer, Exception)]
        assert len(bad) == 1
        assert isinstance(bad[0], sqlite3.IntegrityError | asyncpg.IntegrityConstraintViolationError)


class TestDeliveries:
    async def claim(self, store: Store, owner: str = "w1", lease: float = 30.0) -> list[Claim]:
        return list(await store.claim_due(owner, 100, lease))

    async def test_a_claimed_filing_is_nobody_elses_until_the_lease_ends(self, store: Store) -> None:
        new = await store.add(prepared())
        (kept,) = await self.claim(store)
        assert kept.filing.number == new.filing.number
        assert await self.claim(store, "w2") == []
        await store.add(prepared(period="Q1/2026", body=b"<b/>"))
        (claim,) = await self.claim(store, lease=0.05)
        await asyncio.sleep(0.1)
        (again,) = await self.claim(store, "w2")
        assert again.filing == claim.filing
        assert again.attempt == claim.attempt + 1

    async def test_who_lost_the_lease_writes_nothing(self, store: Store) -> None:
        await store.add(prepared())
        (slow,) = await self.claim(store, lease=0.05)
        await asyncio.sleep(0.1)
        (fast,) = await self.claim(store, "w2")
        late = await store.record_outcome(Outcome(slow, Status.STUCK, "late", due_seconds=0))
        assert not late.applied
        assert (
            await store.record_outcome(Outcome(fast, Status.DELIVERED, "delivered", due_seconds=60))
        ).applied
        assert (await store.filing(fast.filing.number)).status is Status.DELIVERED  # type: ignore[union-attr]

    async def test_one_taxpayers_period_keeps_its_order_and_holds_only_itself(self, store: Store) -> None:
        first = await store.add(prepared(b"<c/>"))
        second = await store.add(prepared(b"<b/>"))
        elsewhere = await store.add(prepared(b"<d/>", period="Q1/2026"))
        claims = await self.claim(store)
        assert {c.filing.number for c in claims} == {first.filing.number, elsewhere.filing.number}
        mine = next(c for c in claims if c.filing.number == first.filing.number)
        await store.record_outcome(Outcome(mine, Status.STUCK, "stuck"))
        assert await self.claim(store) == []  # a dead letter holds its period
        (other,) = (c for c in claims if c is not mine)
        await store.record_outcome(Outcome(other, Status.DELIVERED, "delivered", due_seconds=0))
        assert [c.filing.number for c in await self.claim(store)] == [elsewhere.filing.number]
        assert second.filing.number not in {c.filing.number for c in claims}

    async def test_the_next_goes_once_the_first_has_reached_its_agency(self, store: Store) -> None:
        await store.add(prepared(b"<c/>"))
        second = await store.add(prepared(b"<b/>"))
        (claim,) = await self.claim(store)
        await store.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=60))
        assert [c.filing.number for c in await self.claim(store)] == [second.filing.number]

    async def test_failures_count_until_there_is_progress(self, store: Store) -> None:
        await store.add(prepared())
        for expected in (0, 1, 2):
            (claim,) = await self.claim(store)
            assert claim.failures == expected
            await store.record_outcome(
                Outcome(claim, Status.DELIVERING, "attempt-failed", due_seconds=0, progress=False)
            )
        (claim,) = await self.claim(store)
        await store.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=0))
        (claim,) = await self.claim(store)
        assert claim.failures == 0

    async def test_a_verdict_ends_the_delivery_with_its_notice(self, store: Store) -> None:
        await store.add(prepared())
        (claim,) = await self.claim(store)
        outcome = Outcome(claim, Status.ACCEPTED, "accepted", verdict=verdict(), notice=verdict_notice())
        await store.record_outcome(outcome)
        number = claim.filing.number
        assert await store.verdict(number) == verdict()
        assert await store.notice(number, [NoticeKind.VERDICT]) == verdict_notice()
        assert await self.claim(store) == []

    async def test_a_refused_recheck_frees_the_bytes(self, store: Store) -> None:
        await store.add(prepared(status=Status.PROVISIONAL))
        (claim,) = await self.claim(store)
        await store.record_outcome(Outcome(claim, Status.REFUSED, "refused", findings=()))
        assert not (await store.add(prepared())).repeat


class TestVerdicts:
    async def delivering(self, store: Store) -> str:
        await store.add(prepared())
        (claim,) = await store.claim_due("w", 1, 30)
        await store.record_outcome(Outcome(claim, Status.DELIVERING, "routed", due_seconds=0))
        return claim.filing.number

    async def test_the_first_verdict_stays(self, store: Store) -> None:
        number = await self.delivering(store)
        first = await store.record_verdict(number, verdict(), verdict_notice("<one/>"), AT)
        again = await store.record_verdict(number, verdict(), verdict_notice("<two/>"), AT)
        opposite = await store.record_verdict(number, verdict(Status.REJECTED), verdict_notice("<no/>"), AT)
        assert (first.first, again.first, opposite.first) == (True, False, False)
        assert (again.contradicts, opposite.contradicts) == (False, True)
        assert opposite.verdict == verdict()
        notice = await store.notice(number, [NoticeKind.VERDICT])
        assert notice is not None
        assert notice.document == b"<one/>"
        assert [e.name for e in await store.events(number)][-3:] == [
            "accepted",
            "verdict-repeated",
            "verdict-contradicted",
        ]

    async def test_a_verdict_voids_the_delivery_under_way(self, store: Store) -> None:
        number = await self.delivering(store)
        (claim,) = await store.claim_due("w", 1, 30)
        await store.record_verdict(number, verdict(), verdict_notice(), AT)
        late = await store.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=1))
        assert not late.applied
        assert (await store.filing(number)).status is Status.ACCEPTED  # type: ignore[union-attr]

    async def test_no_verdict_for_what_was_never_sent(self, store: Store) -> None:
        recorded = await store.add(prepared())
        with pytest.raises(BadRequest):
            await store.record_verdict(recorded.filing.number, verdict(), verdict_notice(), AT)
        with pytest.raises(NotFound):
            await store.record_verdict("SLA-20261124-000000000000-0", verdict(), verdict_notice(), AT)


class TestSeeds:
    async def test_a_change_raises_the_epoch_and_leaves_an_audit_record(self, store: Store) -> None:
        seed = Seed("limits", {"name": "body_bytes", "value": 1.0})
        before = await store.epoch()
        assert await store.seed([seed], "test") == 1
        assert await store.seed([seed], "test") == 0
        assert await store.seed([Seed("limits", {"name": "body_bytes", "value": 2.0})], "test") == 1
        assert await store.epoch() == before + 2
        assert await store.limits() == {"body_bytes": 2.0}

    async def test_what_an_administrator_changed_stays_over_a_restart(self, store: Store) -> None:
        row = {"fingerprint": "f", "kind": "provider", "party": "p", "subject": "s", "not_after": "2030"}
        seed = Seed("client_certificate", row, initial={"active": 1})
        await store.seed([seed], "settings file")
        await store.seed([Seed("client_certificate", {"fingerprint": "f", "active": 0})], "admin")
        await store.seed([seed], "settings file")
        found = await store.client("f")
        assert found is not None
        assert not found.active

    async def test_audit_records_are_chained_by_hash(self, store: Store) -> None:
        for value in (1.0, 2.0, 3.0):
            await store.seed([Seed("limits", {"name": "body_bytes", "value": value})], "test")
        rows = await store._driver.read(
            "SELECT previous, at, actor, act, subject, detail, hash FROM audit ORDER BY seq"
        )
        assert [row[3] for row in rows] == ["limits.add", "limits.change", "limits.change"]
        previous = ""
        for row in rows:
            assert row[0] == previous
            assert row[6] == hashlib.sha256(json_text(list(row[:6])).encode()).hexdigest()
            previous = row[6]


class TestDurability:
    async def test_a_killed_process_loses_no_acknowledged_filing(self, place: str) -> None:
        """Kill -9 in the middle of many writes, several times: what was answered is there afterwards."""
        acknowledged: set[str] = set()
        for _ in range(5):
            writer = subprocess.Popen(
                [sys.executable, "-m", "tests.gateway.endless_writer", place],
                stdout=subprocess.PIPE,
                cwd=Path(__file__).resolve().parents[2],
                text=True,
            )
            assert writer.stdout is not None
            for _ in range(200):
                acknowledged.add(writer.stdout.readline().strip())
            os.kill(writer.pid, signal.SIGKILL)
            acknowledged.update(line.strip() for line in writer.stdout if line.endswith("\n"))
            writer.wait()
        store = await opening.open_store(place, lambda: AT)
        read = store._driver.read
        stored = {row[0] for row in await read("SELECT number FROM filing JOIN body USING (number)")}
        queued = {row[0] for row in await read("SELECT number FROM delivery")}
        assert len(acknowledged) > 900
        assert acknowledged <= stored
        assert stored == queued
        await store.close()
        if not opening.is_url(place):
            assert sqlite3.connect(place).execute("PRAGMA integrity_check").fetchone() == ("ok",)

    async def test_two_stores_in_one_place_do_not_claim_twice(self, place: str) -> None:
        one, two = [await opening.open_store(place, lambda: AT) for _ in range(2)]
        await asyncio.gather(*(one.add(prepared(f"{i}".encode(), period=f"{i}")) for i in range(300)))
        claims = await asyncio.gather(*(s.claim_due(f"w{n}", 7, 30) for n, s in enumerate([one, two] * 40)))
        numbers = [claim.filing.number for batch in claims for claim in batch]
        assert len(numbers) == len(set(numbers)) == 300
        await one.close()
        await two.close()

    async def test_a_full_disk_promises_nothing_and_passes(self, tmp_path: Path) -> None:
        store = open_store(tmp_path / "s.sqlite")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        used = (tmp_path / "s.sqlite-wal").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (used + 20_000, hard))
        try:
            with pytest.raises(StoreUnavailable):
                await store.add(prepared(os.urandom(200_000)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await store.close()
        reopened = open_store(tmp_path / "s.sqlite")
        assert not (await reopened.add(prepared(b"<after/>"))).repeat
        await reopened.close()

    async def test_a_store_that_hangs_is_a_busy_gateway_not_a_hanging_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A process that was stopped while it held the lock; what nobody waits for any more is not half-done."""
        store = open_store(tmp_path / "s.sqlite")
        monkeypatch.setattr("gateway.store.sqlite._STALL_SECONDS", 0.2)
        with (tmp_path / "s.sqlite.lock").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(StoreUnavailable):
                await store.add(prepared(key="k"))
            fcntl.flock(held, fcntl.LOCK_UN)
        monkeypatch.undo()
        assert not (await store.add(prepared(key="k"))).repeat
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.add(prepared(key="other"))

    def test_what_cannot_be_opened_is_said(self, tmp_path: Path) -> None:
        (tmp_path / "s.sqlite").write_bytes(b"this is not a database" * 100)
        with pytest.raises(StoreUnavailable, match="cannot be opened"):
            open_store(tmp_path / "s.sqlite")

    async def test_nobody_else_may_read_the_store(self, tmp_path: Path) -> None:
        """Bodies are other people's tax declarations, in the write-ahead log too."""
        store = open_store(tmp_path / "new" / "s.sqlite")
        modes = {file.name: file.stat().st_mode & 0o077 for file in (tmp_path / "new").iterdir()}
        await store.close()
        assert set(modes) == {"s.sqlite", "s.sqlite-wal", "s.sqlite-shm", "s.sqlite.lock"}
        assert set(modes.values()) == {0}
