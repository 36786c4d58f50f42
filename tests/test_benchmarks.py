"""The gateway's bench measures what it says: every cell is there, and its backlog waits without being due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from benchmarks.backlog import fill
from benchmarks.gateway import _quantile as quantile
from benchmarks.gateway import all_cells, main_cells
from gateway.calendar import OWN_CALENDAR, load_deadlines
from gateway.store.opening import open_store
from tests.gateway.builders import prepared


def test_all_cells_hold_the_main_ones() -> None:
    found = {(c.engine, c.processes, c.size, c.backlog) for c in all_cells()}
    assert found >= {(c.engine, c.processes, c.size, c.backlog) for c in main_cells()}
    assert len(found) == 2 * 2 * 3 * 3
    assert len(main_cells()) * main_cells()[0].seconds < 300


def test_a_quantile_is_the_bound_of_its_bucket() -> None:
    before = {0.001: 10.0, 0.01: 10.0, float("inf"): 10.0}
    after = {0.001: 108.0, 0.01: 110.0, float("inf"): 110.0}
    assert quantile(before, after, 0.99) == 0.01
    assert quantile(before, after, 0.98) == 0.001


async def test_a_backlog_waits_and_is_neither_due_nor_reckoned_anew(place: str) -> None:
    import asyncio

    await asyncio.to_thread(fill, place, 50)
    store = await open_store(place, lambda: datetime.now(UTC))
    assert await store.queue_length(100) == 50
    assert not await store.claim_due("w", 10, 60)
    assert not await store.reckon_by(load_deadlines(OWN_CALENDAR).basis)
    assert not await store.to_look_at(10)
    number = (await store.add(prepared(b"<a/>"))).filing.number
    (claim,) = await store.claim_due("w", 10, 60)
    assert claim.filing.number == number
    rows = await store.late(100, all_that_waits=True)
    assert len(rows) == 51
    assert min(row.filing.received_at for row in rows) > datetime.now(UTC) - timedelta(days=365)
    await store.close()
