"""What administrators look up, on both engines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.admin import agencies, filings, incidents
from gateway.admin.queue import Act, Order, act_on_agency, act_on_filings, chosen, listed
from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.status import Status
from gateway.ports import Outcome
from gateway.store.incidents import IncidentRefused
from gateway.store.looking import FILINGS_OF, AuditFilter
from gateway.store.opening import open_store
from gateway.store.queue import QueueFilter
from gateway.store.rows import pack
from gateway.store.seeds import Seed
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT + timedelta(hours=1))
    plain = {"name": "Thuế", "adapter": "rest", "config": "{}", "serves": '["tax"]', "poll_seconds": 1.0}
    windows = {"maintenance": '["daily 03:00-03:30"]', "per_second": 5.0}
    await opened.seed([Seed("agency", {"id": "tax", **plain, **windows})], "test")
    await opened.seed([Seed("agency", {"id": "zoo", **plain, "name": "Sở thú"})], "test")
    yield opened
    await opened.close()


JUDGED = {
    "policy": "tt15-2025",
    "at": AT.isoformat(),
    "checks": {},
    "signatures": [{"signer": "CN=A", "indication": "TOTAL-PASSED", "subIndication": None, "checks": {}}],
}


async def add(store: Store, body: bytes, **how: str) -> str:
    evidence = pack(json.dumps(JUDGED).encode())
    return (await store.add(replace(prepared(body, **how), evidence=evidence))).filing.number


async def test_a_tax_code_finds_its_filings_and_nobody_elses(store: Store) -> None:
    first = await add(store, b"1", taxpayer="5500123457")
    second = await add(store, b"2", taxpayer="5500123457", period="Q3/2026")
    await add(store, b"3", taxpayer="5500123457-001")
    found = await filings.search(store, " 5500123457 ")
    assert {one["number"] for one in found} == {first, second}
    assert {one["taxpayerName"] for one in found} == {"CÔNG TY TNHH THỬ NGHIỆM"}
    assert [one["number"] for one in await filings.search(store, first)] == [first]
    assert len(await filings.search(store, "5500123457", limit=1)) == 1
    for nobody in ("550012345", "%", "' OR 1=1 --", "", "\0", "a\nb", "5" * 101, "5500123457\x00"):
        assert await filings.search(store, nobody) == []


async def test_it_is_found_by_an_index(store: Store, place: str) -> None:
    """The engine's own plan; with few rows PostgreSQL would rather walk, so it is told not to."""
    if "://" in place:
        import asyncpg

        from gateway.store.postgres_connection import in_postgres

        connection = await asyncpg.connect(place)
        await connection.execute("SET enable_seqscan = off")
        rows = await connection.fetch(f"EXPLAIN {in_postgres(FILINGS_OF)[0]}", "1", 1)
        await connection.close()
        plan = " ".join(row[0] for row in rows)
    else:
        import sqlite3

        from gateway.store.sqlite_connection import in_sqlite

        with sqlite3.connect(place) as connection:
            plan = str(connection.execute(f"EXPLAIN QUERY PLAN {in_sqlite(FILINGS_OF)}", ("1", 1)).fetchall())
    assert "filing_taxpayer" in plan


async def test_a_story_tells_all_and_a_stranger_none(store: Store) -> None:
    number = await add(store, b"1")
    (claim,) = await store.claim_due("node-1", 9, 30)
    attempt = Attempt("deliver", "tax", AttemptResult.UNREACHABLE, "HTTP 503 <b>", 0.5)
    await store.record_outcome(
        Outcome(claim, Status.DELIVERING, "unreachable", "x", due_seconds=9, agency="tax", attempt=attempt)
    )
    told = await filings.story(store, number)
    assert told is not None
    assert told["provider"] == "alpha"
    assert told["queue"]["number"] == number
    assert [one["event"] for one in told["events"]] == ["acknowledged", "unreachable"]
    assert [(one["node"], one["answer"]) for one in told["attempts"]] == [("node-1", "HTTP 503 <b>")]
    assert [one["kind"] for one in told["notices"]] == ["receipt"]
    (judged,) = told["judgements"]
    assert judged["at"] == "2026-11-24T15:00:00+07:00"
    assert judged["signatures"] == [{"signer": "CN=A", "indication": "TOTAL-PASSED", "subIndication": None}]
    assert told["verdict"] is None
    assert await filings.story(store, "SLA-20261124-000000000000-0") is None


async def test_agencies_tell_their_last_answer_and_how_they_are_set_up(store: Store) -> None:
    await add(store, b"1")
    for seconds, answer in ((1.0, "no route"), (2.0, "HTTP 503")):
        for claim in await store.claim_due("node-1", 9, 30):
            attempt = Attempt("deliver", "tax", AttemptResult.UNREACHABLE, answer, seconds)
            await store.record_outcome(
                Outcome(claim, Status.DELIVERING, None, due_seconds=0, agency="tax", attempt=attempt)
            )
    tax, zoo = await agencies.agencies(store)
    assert (tax["name"], tax["serves"], tax["maintenance"]) == ("Thuế", ["tax"], ["daily 03:00-03:30"])
    assert tax["last_attempt"]["answer"] == "HTTP 503"
    assert tax["waiting"] == 1
    assert zoo["last_attempt"] is None


async def test_orders_say_for_each_what_came_of_it_and_leave_an_entry(store: Store) -> None:
    number = await add(store, b"1")
    order = Order(Act.HOLD, "lan", "asked by the office")
    assert await chosen(store, Act.HOLD, QueueFilter(form="842")) == [number]
    held, unknown = await act_on_filings(store, order, [number, "SLA-1"])
    assert (held.done, unknown.done) == (True, False)
    assert unknown.fault is not None
    assert "SLA-1" in unknown.fault.vi
    assert await chosen(store, Act.HOLD, QueueFilter(form="842")) == []
    assert not (await act_on_filings(store, Order(Act.REPLAY, "lan", "x"), [number]))[0].done
    assert (await act_on_agency(store, order, "zoo")).done
    assert not (await act_on_agency(store, Order(Act.REPLAY, "lan", "x"), "zoo")).done
    (row,) = await listed(store, QueueFilter(held=True))
    assert row["held"] == "asked by the office"
    found = await store.audit(AuditFilter(actor="lan"))
    assert [(one.act, one.subject) for one in found] == [("agency.hold", "zoo"), ("filing.hold", number)]
    assert {one.detail for one in found} == {"asked by the office"}


async def test_an_order_for_many_answers_for_each_in_their_order(store: Store) -> None:
    numbers = [f"SLA-{n}" for n in range(250)]
    numbers[120] = await add(store, b"1")
    done = await act_on_filings(store, Order(Act.HOLD, "lan", "x"), numbers)
    assert [one.number for one in done] == numbers
    assert [one.number for one in done if one.done] == [numbers[120]]


async def test_the_audit_record_is_read_by_filter_the_newest_first(store: Store) -> None:
    await store.hold_agency("zoo", "lan", "1")
    await store.release_agency("zoo", "mai", "2")
    newest, older, *seeded = await store.audit(AuditFilter())
    assert (newest.act, older.act) == ("agency.release", "agency.hold")
    assert {one.act for one in seeded} == {"agency.add"}
    for wanted, count in (
        (AuditFilter(act="agency.*"), 4),
        (AuditFilter(act="agency.hold"), 1),
        (AuditFilter(actor="mai"), 1),
        (AuditFilter(subject="zoo"), 3),
        (AuditFilter(before=newest.seq), 3),
        (AuditFilter(limit=2), 2),
        (AuditFilter(act="%.*"), 0),
        (AuditFilter(actor="' OR 1=1 --"), 0),
    ):
        assert len(await store.audit(wanted)) == count, wanted


async def test_an_incident_that_ends_before_it_begins_is_refused(store: Store) -> None:
    with pytest.raises(IncidentRefused):
        await incidents.declare(store, "tax", first=AT, until=AT, why="x", who="lan")
