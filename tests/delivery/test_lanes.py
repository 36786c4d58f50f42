"""An agency's limits hold over all processes: two stores at one place, as two processes have, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.status import Status
from gateway.ports import Claim, HandoverOutcome, Outcome
from gateway.store.opening import open_store
from gateway.store.seeds import Seed
from gateway.store.statements import Part, Statement
from gateway.store.store import Store
from tests.gateway.builders import prepared, verdict, verdict_notice


@dataclass
class Two:
    """Two processes' stores; `at` is their time of business."""

    one: Store
    two: Store
    at: datetime

    async def agency(self, id: str = "tax", **limits: Any) -> None:
        plain = {"name": id, "adapter": "rest", "config": "{}", "serves": "[]", "poll_seconds": 1.0}
        await self.one.seed([Seed("agency", {"id": id, **plain, **limits})], "test")

    async def routed(self, count: int, agency: str = "tax") -> list[str]:
        """Filings on their way to an agency, due now."""
        numbers = []
        for _ in range(count):
            number = (await self.one.add(prepared(str(datetime.now(UTC)).encode()))).filing.number
            numbers.append(number)
        await self.one._driver.write(_spread, numbers)
        claims = await self.one.claim_due("router", 999, 30)
        for claim in claims:
            to = claim.filing.agency or agency
            await self.one.record_outcome(
                Outcome(claim, Status.DELIVERING, "routed", due_seconds=0, agency=to)
            )
        return numbers


def _spread(batch: list[list[str]]) -> Any:
    """As if each were another taxpayer's: none holds another."""
    for numbers in batch:
        yield Statement("UPDATE delivery SET order_key = number WHERE number = ?", [(n,) for n in numbers])
    return [None] * len(batch)


def _pass(batch: list[float]) -> Any:
    """As if so many seconds had passed."""
    for seconds in batch:
        yield from _earlier(seconds)
    return [None] * len(batch)


def _earlier(seconds: float) -> Part:
    for table, columns in {
        "agency": ("closed_until", "asked_until", "filled_at"),
        "delivery": ("due_at", "lease_until"),
    }.items():
        for column in columns:
            yield Statement(f"UPDATE {table} SET {column} = {column} - ?", [(seconds,)])


@pytest.fixture
async def both(place: str) -> AsyncIterator[Two]:
    two = Two(None, None, datetime(2026, 11, 25, 8, 0, tzinfo=UTC))  # type: ignore[arg-type]
    two.one, two.two = [await open_store(place, lambda: two.at) for _ in range(2)]
    yield two
    await two.one.close()
    await two.two.close()


def unreachable(claim: Claim, retry_after: float | None = None) -> Outcome:
    attempt = Attempt("deliver", "tax", AttemptResult.UNREACHABLE, "down", 0.1, retry_after)
    return Outcome(claim, Status.DELIVERING, None, due_seconds=0, progress=False, attempt=attempt)


def refused(claim: Claim) -> Outcome:
    attempt = Attempt("deliver", "tax", AttemptResult.REFUSED, "422", 0.1)
    return Outcome(claim, Status.STUCK, "stuck", progress=False, attempt=attempt)


async def test_calls_at_once_are_bounded_over_all_processes(both: Two) -> None:
    await both.agency(max_in_flight=3)
    await both.routed(10)
    claims = [
        claim
        for batch in await asyncio.gather(
            *(store.claim_due(f"w{n}", 2, 30) for n in range(4) for store in (both.one, both.two))
        )
        for claim in batch
    ]
    assert len(claims) == 3
    assert await both.two.claim_due("w", 9, 30) == []
    await both.one.record_outcome(refused(claims[0]))
    assert len(await both.two.claim_due("w", 9, 30)) == 1


async def test_one_agencys_backlog_leaves_room_for_the_others(both: Two) -> None:
    await both.agency("tax")
    await both.agency("zoo")
    await both.routed(12, "tax")
    await both.routed(2, "zoo")
    claims = await both.one.claim_due("w", 6, 30)
    assert sorted(claim.filing.agency or "" for claim in claims) == ["tax"] * 4 + ["zoo"] * 2


async def test_what_is_to_be_routed_leaves_room_for_what_is_to_be_delivered(both: Two) -> None:
    await both.agency("tax")
    await both.routed(4)
    for i in range(20):
        await both.one.add(prepared(f"<new>{i}</new>".encode(), period=f"Q1/{2001 + i}"))
    claims = await both.one.claim_due("w", 8, 30)
    assert sorted(claim.filing.agency or "" for claim in claims) == [""] * 4 + ["tax"] * 4


async def test_calls_a_second_are_bounded_over_all_processes(both: Two) -> None:
    await both.agency(per_second=4)
    await both.routed(20)
    assert len(await both.one.claim_due("a", 99, 30)) == 4, "a bucket of one second"
    await both.agency(per_second=0.001)
    await both.one._driver.write(_pass, 400.0)
    assert await both.two.claim_due("b", 99, 30) == [], "not a whole call yet, for the other process either"
    await both.one._driver.write(_pass, 601.0)
    assert len(await both.two.claim_due("b", 99, 30)) == 1


async def test_the_breaker_opens_for_all_tries_one_and_closes(both: Two) -> None:
    await both.agency(breaker_failures=3, breaker_seconds=10.0)
    await both.routed(9)
    for store in (both.one, both.two, both.one):
        (claim,) = await store.claim_due("w", 1, 30)
        await store.record_outcome(unreachable(claim))
    assert await both.two.claim_due("w", 9, 30) == [], "open, for the other process too"
    await both.one._driver.write(_pass, 11.0)
    (probe,) = await both.two.claim_due("w", 9, 30)
    assert await both.one.claim_due("w", 9, 30) == [], "half open: one call at a time"
    await both.two.record_outcome(unreachable(probe))
    await both.one._driver.write(_pass, 11.0)
    assert await both.one.claim_due("w", 9, 30) == [], "the pause has doubled"
    await both.one._driver.write(_pass, 10.0)
    (probe,) = await both.one.claim_due("w", 9, 30)
    await both.one.record_outcome(refused(probe))
    assert len(await both.two.claim_due("w", 99, 30)) == 8, "a refusal is an answer: closed"


async def test_calls_under_way_do_not_lengthen_the_pause(both: Two) -> None:
    await both.agency(breaker_failures=2, breaker_seconds=10.0)
    await both.routed(6)
    claims = await both.one.claim_due("w", 6, 30)
    await asyncio.gather(*(both.one.record_outcome(unreachable(claim)) for claim in claims))
    await both.one._driver.write(_pass, 10.5)
    assert len(await both.one.claim_due("w", 9, 30)) == 1


async def test_claims_of_a_dead_node_take_no_room_once_their_leases_are_over(both: Two) -> None:
    """Else nobody could take them over: the agency would be shut for ever."""
    await both.agency(max_in_flight=2, breaker_failures=1, breaker_seconds=10.0)
    await both.routed(4)
    assert len(await both.one.claim_due("dead", 9, 30)) == 2
    assert await both.two.claim_due("b", 9, 30) == []
    await both.one._driver.write(_pass, 31.0)
    claim, _ = await both.two.claim_due("b", 9, 30)
    await both.two.record_outcome(unreachable(claim))
    await both.one._driver.write(_pass, 31.0)
    assert len(await both.one.claim_due("dies with its probe", 9, 30)) == 1
    await both.one._driver.write(_pass, 31.0)
    assert len(await both.two.claim_due("b", 9, 30)) == 1


async def test_a_breaker_written_by_a_clock_ahead_is_void(both: Two) -> None:
    await both.agency(breaker_failures=1, breaker_seconds=10.0)
    await both.routed(1)
    (claim,) = await both.one.claim_due("w", 9, 30)
    await both.one.record_outcome(unreachable(claim, retry_after=5.0))
    await both.one._driver.write(_pass, -30 * 86400.0)
    assert len(await both.one.claim_due("w", 9, 30)) == 1


async def test_a_breaker_that_a_clock_some_minutes_ahead_wrote_is_void_after_its_own_pause(both: Two) -> None:
    """What is due by that clock waits so long, at most an hour; what is filed since goes out."""
    await both.agency(breaker_failures=1, breaker_seconds=10.0)
    await both.routed(1)
    (claim,) = await both.one.claim_due("w", 9, 30)
    await both.one.record_outcome(unreachable(claim))
    await both.one._driver.write(_pass, -600.0)
    assert [lane.state for lane in (await both.one.survey()).lanes] == ["half-open"]
    await both.routed(2)
    (probe,) = await both.one.claim_due("w", 9, 30)
    await both.one.record_outcome(unreachable(probe))
    assert await both.two.claim_due("w", 9, 30) == [], "it opens anew"
    await both.one._driver.write(_pass, 21.0)
    assert len(await both.two.claim_due("w", 9, 30)) == 1


async def test_who_asks_for_peace_gets_it_from_all(both: Two) -> None:
    await both.agency()
    await both.routed(5)
    first, second = await both.one.claim_due("w", 2, 30)
    await both.one.record_outcome(unreachable(first, retry_after=120.0))
    await both.one.record_outcome(refused(second))  # an answer that was under way ends no peace
    assert await both.two.claim_due("w", 9, 30) == []
    await both.one._driver.write(_pass, 119.0)
    assert await both.two.claim_due("w", 9, 30) == []
    await both.one._driver.write(_pass, 2.0)
    assert len(await both.two.claim_due("w", 9, 30)) == 4


async def test_in_maintenance_nothing_is_sent(both: Two) -> None:
    await both.agency(maintenance='["daily 15:00-16:00"]')  # 8:00 UTC is 15:00 in Vietnam
    await both.routed(2)
    assert await both.one.claim_due("w", 9, 30) == []
    both.at += timedelta(hours=1)
    assert len(await both.one.claim_due("w", 9, 30)) == 2


async def test_what_speaks_to_no_agency_is_bound_by_none(both: Two) -> None:
    await both.agency(max_in_flight=1, breaker_failures=1)
    await both.routed(3)
    (claim,) = await both.one.claim_due("w", 9, 30)
    await both.one.record_outcome(unreachable(claim))
    await both.one.add(prepared(b"<new/>"))
    (fresh,) = await both.one.claim_due("w", 9, 30)
    assert fresh.filing.status is Status.ACKNOWLEDGED


async def test_a_handover_is_bound_by_its_back_ends_limits(both: Two) -> None:
    await both.agency("finance")
    await both.agency("tax", breaker_failures=1, breaker_seconds=10.0)
    (number,) = await both.routed(1, "finance")
    (claim,) = await both.one.claim_due("w", 9, 30)
    planned = tuple(
        Handover(name, name, name, HandoverStatus.WAITING, backend="tax") for name in ("one", "two")
    )
    done = Outcome(claim, Status.ACCEPTED, "accepted", verdict=verdict(), notice=verdict_notice())
    await both.one.record_outcome(replace(done, handovers=planned))
    (handover,) = await both.one.claim_handovers("w", 1, 30)
    failed = Attempt("hand-over", "tax", AttemptResult.UNREACHABLE, "down", 0.1)
    outcome = HandoverOutcome(handover, HandoverStatus.WAITING, None, due_seconds=0, attempt=failed)
    await both.one.record_handover(outcome)
    assert await both.two.claim_handovers("w", 9, 30) == []
    assert [one.handover for one in await both.one.attempts(number)] == ["one"]
