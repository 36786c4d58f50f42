"""What an operator sees of the queue and does with it, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from gateway.errors import NotFound
from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.status import Status
from gateway.ports import Outcome
from gateway.store.opening import open_store
from gateway.store.orders import NotHeld
from gateway.store.queue import QueueFilter
from gateway.store.seeds import Seed
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared, verdict, verdict_notice


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT + timedelta(hours=1))
    limits = {"breaker_failures": 1, "maintenance": '["daily 16:00-17:00"]'}
    for id, more in (("tax", {}), ("zoo", limits)):
        plain = {"name": id, "adapter": "rest", "config": "{}", "serves": "[]", "poll_seconds": 1.0}
        await opened.seed([Seed("agency", {"id": id, **plain, **more})], "test")
    yield opened
    await opened.close()


async def stuck_and_routed(store: Store) -> tuple[str, str]:
    """One dead letter of one period, one filing on its way of another."""
    for period in ("Q1/2026", "Q2/2026"):
        await store.add(prepared(period.encode(), period=period))
    first, second = await store.claim_due("w", 9, 30)
    await store.record_outcome(
        Outcome(first, Status.STUCK, "stuck", "HTTP 422: wrong office", progress=False)
    )
    await store.record_outcome(
        Outcome(second, Status.DELIVERING, "routed", "tax", due_seconds=0, agency="tax")
    )
    return first.filing.number, second.filing.number


async def found(store: Store, wanted: QueueFilter) -> list[str]:
    return [one.number for one in await store.waiting(wanted)]


async def test_filters_choose_what_they_say(store: Store) -> None:
    stuck, routed = await stuck_and_routed(store)
    assert set(await found(store, QueueFilter())) == {stuck, routed}
    for wanted, number in (
        (QueueFilter(status=Status.STUCK), stuck),
        (QueueFilter(agency="tax"), routed),
        (QueueFilter(reason="WRONG office"), stuck),
        (QueueFilter(numbers=(routed,)), routed),
        (QueueFilter(form="842", status=Status.DELIVERING), routed),
    ):
        assert await found(store, wanted) == [number]
    assert await found(store, QueueFilter(form="84")) == []
    assert await found(store, QueueFilter(received_before=AT)) == []
    assert len(await found(store, QueueFilter(received_before=AT + timedelta(seconds=1)))) == 2
    assert len(await found(store, QueueFilter(limit=1))) == 1
    assert await found(store, QueueFilter(reason="100% ' OR 1=1 --")) == []


async def test_a_held_filing_waits_whatever_comes_and_goes_on_when_released(store: Store) -> None:
    _, number = await stuck_and_routed(store)
    (claim,) = await store.claim_due("w", 9, 30)
    await store.hold(number, "me", "asked")
    again = Outcome(claim, Status.DELIVERING, None, due_seconds=0, progress=False)
    assert (await store.record_outcome(again)).applied, "what was under way is written down"
    assert await store.claim_due("w", 9, 30) == []
    with pytest.raises(NotHeld):
        await store.hold(number, "me", "twice")
    (held,) = await store.waiting(QueueFilter(held=True))
    assert (held.held, held.due_seconds) == ("asked", None)
    await store.release(number, "me", "done")
    with pytest.raises(NotHeld):
        await store.release(number, "me", "twice")
    assert [claim.filing.number for claim in await store.claim_due("w", 9, 30)] == [number]


async def test_a_held_filing_takes_its_verdict(store: Store) -> None:
    _, number = await stuck_and_routed(store)
    await store.hold(number, "me", "asked")
    assert (await store.record_verdict(number, verdict(), verdict_notice(), AT)).first
    with pytest.raises(NotFound):
        await store.release(number, "me", "too late")


async def test_a_dead_letter_that_is_held_is_replayed_only_once_released(store: Store) -> None:
    number, routed = await stuck_and_routed(store)
    await store.hold(routed, "me", "apart")
    await store.hold(number, "me", "asked")
    await store.replay(number, "me", "mended")
    assert await store.claim_due("w", 9, 30) == []
    await store.release(number, "me", "done")
    assert [claim.filing.number for claim in await store.claim_due("w", 9, 30)] == [number]


async def test_a_released_dead_letter_is_a_dead_letter_still(store: Store) -> None:
    number, routed = await stuck_and_routed(store)
    for one in (number, routed):
        await store.hold(one, "me", "asked")
    await store.release(number, "me", "done")
    assert await store.claim_due("w", 9, 30) == []


async def test_a_held_agency_gives_nothing_to_anybody(store: Store) -> None:
    await stuck_and_routed(store)
    await store.hold_agency("tax", "me", "they asked")
    assert await store.claim_due("w", 9, 30) == []
    (tax, _) = (await store.survey()).lanes
    assert (tax.state, tax.why, tax.waiting) == ("held", "they asked", 1)
    assert (await store.survey()).filings == {"to-forward": 1, "awaiting-verdict": 0, "stuck": 1, "held": 0}
    await store.seed([Seed("agency", {"id": "tax", "poll_seconds": 2.0})], "settings file")
    assert (await store.survey()).lanes[0].state == "held", "a restart does not release it"
    await store.release_agency("tax", "me", "they asked")
    assert len(await store.claim_due("w", 9, 30)) == 1
    for id, fault in (("tax", NotHeld), ("moon", NotFound)):
        with pytest.raises(fault):
            await store.release_agency(id, "me", "x")


async def test_an_agency_says_why_it_is_not_called(store: Store) -> None:
    assert [(lane.agency, lane.state) for lane in (await store.survey()).lanes] == [
        ("tax", "closed"),
        ("zoo", "maintenance"),
    ]
    await store.seed([Seed("agency", {"id": "zoo", "maintenance": "[]"})], "test")
    await stuck_and_routed(store)
    (claim,) = await store.claim_due("w", 9, 30)
    down = Attempt("deliver", "zoo", AttemptResult.UNREACHABLE, "down")
    await store.record_outcome(
        Outcome(claim, Status.DELIVERING, None, due_seconds=0, agency="zoo", attempt=down)
    )
    (_, zoo) = (await store.survey()).lanes
    assert (zoo.state, zoo.waiting, zoo.oldest is not None) == ("open", 1, True)


async def test_each_order_leaves_an_audit_entry(store: Store) -> None:
    number, routed = await stuck_and_routed(store)
    await store.hold(routed, "me", "one")
    await store.release(routed, "me", "two")
    await store.replay(number, "me", "three")
    await store.hold_agency("tax", "me", "four")
    await store.release_agency("tax", "me", "five")
    rows = await store._driver.read("SELECT act, subject, actor, detail FROM audit ORDER BY seq")
    assert [tuple(row) for row in rows][2:] == [
        ("filing.hold", routed, "me", "one"),
        ("filing.release", routed, "me", "two"),
        ("filing.replay", number, "me", "three"),
        ("agency.hold", "tax", "me", "four"),
        ("agency.release", "tax", "me", "five"),
    ]
