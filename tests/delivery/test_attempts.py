"""Attempts are rows; a claim is renewed while its process lives, and void once another has taken the filing over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.filing import Filing
from gateway.filing.status import Status
from gateway.jobs.carry_on import Worker
from gateway.ports import Claim, Outcome
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.delivery.test_delivery import behaves, file
from tests.gateway.builders import AT, prepared
from tests.house import House

UNREACHABLE = Attempt("deliver", "tax", AttemptResult.UNREACHABLE, "no answer", 0.5)


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT)
    yield opened
    await opened.close()


async def claimed(store: Store, owner: str = "one", lease: float = 30.0) -> Claim:
    (claim,) = await store.claim_due(owner, 9, lease)
    return claim


async def test_every_attempt_at_an_agency_says_when_who_what_and_how_long(house: House) -> None:
    behaves(house, lose_answer=2, callback=False, verdict_delay_s=1.0)
    number = await file(house)
    async with house.client() as client:
        await house.follow(client, number)
    rows = await house.gateway.store.attempts(number)
    assert {row.result for row in rows} >= {"unreachable", "taken", "verdict"}
    assert sum(row.times for row in rows if row.result == "unreachable") == 2
    assert all(row.agency == "tax" and row.node and row.seconds is not None for row in rows)
    assert all(row.first_at <= row.last_at for row in rows)
    assert rows[0].step == "deliver"
    assert rows[-1].answer.startswith("accepted ")


async def test_equal_attempts_in_a_row_share_one(store: Store) -> None:
    await store.add(prepared())
    for _ in range(5):
        claim = await claimed(store)
        outcome = Outcome(claim, Status.DELIVERING, None, due_seconds=0, progress=False, attempt=UNREACHABLE)
        await store.record_outcome(outcome)
    claim = await claimed(store, "two")
    taken = Attempt("deliver", "tax", AttemptResult.TAKEN, "R-1", 0.1)
    await store.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=9, attempt=taken))
    rows = await store.attempts(claim.filing.number)
    assert [(row.node, row.result, row.times) for row in rows] == [
        ("one", "unreachable", 5),
        ("two", "taken", 1),
    ]


async def test_a_lease_that_ran_out_leaves_a_lost_attempt_and_voids_what_comes_late(store: Store) -> None:
    await store.add(prepared())
    dead = await claimed(store, "dead", 0.05)
    await asyncio.sleep(0.1)
    await claimed(store, "alive")
    late = Outcome(dead, Status.DELIVERED, "delivered", due_seconds=9, attempt=UNREACHABLE)
    assert not (await store.record_outcome(late)).applied
    (lost,) = await store.attempts(dead.filing.number)
    assert (lost.node, lost.result, lost.seconds) == ("dead", "lost", None)


class Slow:
    """A worker whose step takes longer than several leases."""

    def __init__(self, store: Store, lease: float, step_seconds: float = 60.0) -> None:
        self.begun: list[Filing] = []
        self.go_on = asyncio.Event()
        self.store = store
        self.worker = Worker(
            "slow",
            store.claim_due,
            self.step,
            store.renew,
            in_flight=4,
            lease_seconds=lease,
            idle_seconds=0.02,
            step_seconds=step_seconds,
        )

    async def step(self, claim: Claim) -> Outcome:
        self.begun.append(claim.filing)
        await self.go_on.wait()
        outcome = Outcome(claim, Status.DELIVERED, "delivered", due_seconds=900)
        await self.store.record_outcome(outcome)
        return outcome


async def test_a_slow_step_is_not_done_twice(store: Store) -> None:
    slow = Slow(store, lease=0.3)
    recorded = await store.add(prepared())
    task = asyncio.create_task(slow.worker.run())
    await asyncio.sleep(1.0)
    assert len(slow.begun) == 1
    assert await store.claim_due("other", 9, 30) == []
    slow.go_on.set()
    await asyncio.sleep(0.2)
    task.cancel()
    await asyncio.wait([task])
    filing = await store.filing(recorded.filing.number)
    assert filing is not None
    assert filing.status is Status.DELIVERED
    assert await store.attempts(filing.number) == []  # nothing was lost


async def test_a_step_that_hangs_is_ended_and_its_filing_anybodys(store: Store) -> None:
    slow = Slow(store, lease=0.2, step_seconds=0.1)
    recorded = await store.add(prepared())
    task = asyncio.create_task(slow.worker.run())
    async with asyncio.timeout(20):
        while len(slow.begun) < 2:
            await asyncio.sleep(0.02)
    slow.go_on.set()
    task.cancel()
    await asyncio.wait([task])
    assert {filing.number for filing in slow.begun} == {recorded.filing.number}


async def test_a_claim_that_was_taken_over_ends_its_step(store: Store) -> None:
    slow = Slow(store, lease=0.3)
    recorded = await store.add(prepared())
    number = recorded.filing.number
    task = asyncio.create_task(slow.worker.run())
    async with asyncio.timeout(20):
        while not slow.begun:
            await asyncio.sleep(0.02)
        await store._driver.write(_taken_over, number)
        while slow.worker._running:
            await asyncio.sleep(0.02)
    task.cancel()
    await asyncio.wait([task])
    filing = await store.filing(number)
    assert filing is not None
    assert filing.status is Status.ACKNOWLEDGED


def _taken_over(batch):  # type: ignore[no-untyped-def]
    from gateway.store.statements import NOW, Statement

    sql = f"UPDATE delivery SET owner = 'other', attempt = attempt + 1, lease_until = {NOW} + 60 WHERE number = ?"
    yield Statement(sql, [(number,) for number in batch])
    return [None] * len(batch)
