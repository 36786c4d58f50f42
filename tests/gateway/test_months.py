"""PostgreSQL keeps what grows in a table a month: made ahead, found by the number, gone once retention emptied it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.identifiers import new_filing_number
from gateway.filing.retention import Part, Rule
from gateway.filing.status import Status
from gateway.ports import Outcome, Prepared
from gateway.store import migrate
from gateway.store.months import OF_MONTHS, drop_empty_months, make_months
from gateway.store.opening import migrate_store, open_store
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared, verdict, verdict_notice
from tests.postgres import drop_database, empty_database

MONTHS = "0008_months.postgresql.sql"


@pytest.fixture
async def connection(postgres_place: str) -> AsyncIterator[asyncpg.Connection]:
    opened = await asyncpg.connect(postgres_place)
    yield opened
    await opened.close()


@pytest.fixture
async def place_before(postgres_server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A database of the schema before there were months."""
    server = await asyncpg.connect(postgres_server)
    url = await empty_database(postgres_server, server)
    await server.close()
    known = migrate.migrations
    with monkeypatch.context() as before:
        before.setattr(
            migrate, "migrations", lambda engine: [one for one in known(engine) if one.name != MONTHS]
        )
        await migrate_store(url)
    yield url
    await drop_database(postgres_server, url)


def of(at: datetime, body: bytes, **how: object) -> Prepared:
    """A filing that was received at a time, numbered so."""
    one = prepared(body, **how)
    filing = replace(one.new.filing, received_at=at, number=new_filing_number("SLA", at))
    return replace(one, new=replace(one.new, filing=filing))


async def where(connection: asyncpg.Connection, table: str) -> list[str]:
    rows = await connection.fetch(f"SELECT tableoid::regclass::text FROM {table} ORDER BY number")
    return [row[0] for row in rows]


async def tables(connection: asyncpg.Connection, like: str) -> list[str]:
    rows = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ $1 ORDER BY 1", like
    )
    return [row[0] for row in rows]


async def carried(store: Store, one: Prepared) -> str:
    """All the way, with an attempt, so that each table but `paper` has a row of it."""
    number = (await store.add(one)).filing.number
    for claim in await store.claim_due("w", 100, 60):
        attempt = Attempt("deliver", "tax", AttemptResult.TAKEN, "ok", 0.1)
        await store.record_outcome(
            Outcome(claim, Status.DELIVERED, "delivered", due_seconds=0.0, attempt=attempt)
        )
    await store.record_verdict(number, verdict(), verdict_notice(), AT)
    return number


async def test_a_filing_lies_in_its_month_and_without_one_in_the_rest(
    postgres_place: str, connection: asyncpg.Connection
) -> None:
    store = await open_store(postgres_place, lambda: AT)
    early = await carried(store, of(AT, b"<early/>", papers=(b"p",)))
    assert await store._driver.tend("SLA", AT + timedelta(days=31)) == 3 * len(OF_MONTHS)
    number = await carried(store, of(AT + timedelta(days=31), b"<a/>", papers=(b"p",), period="Q3/2026"))
    for table in OF_MONTHS:
        assert set(await where(connection, table)) == {f"{table}_rest", f"{table}_sla_202612"}, table
    for one, body in ((early, b"<early/>"), (number, b"<a/>")):
        assert await store.document(one) == body
        assert [event.name for event in await store.events(one)][-1] == "accepted"
        assert [attempt.result for attempt in await store.attempts(one)] == [AttemptResult.TAKEN]
        assert len(await store.papers(one)) == 1
    await store.close()


async def test_months_are_vietnams_and_made_once_by_many(
    postgres_place: str, connection: asyncpg.Connection
) -> None:
    last_hours = datetime(2026, 11, 30, 18, tzinfo=UTC)
    made = await asyncio.gather(*(make_months(postgres_place, "SLA", last_hours, 1) for _ in range(4)))
    assert sum(made) == 2 * len(OF_MONTHS)
    assert await tables(connection, "^body_") == ["body_rest", "body_sla_202612", "body_sla_202701"]
    assert await make_months(postgres_place, "SLA", last_hours, 1) == 0
    assert await make_months(postgres_place, "H52", last_hours, 0) == len(OF_MONTHS), "another gateway's"


async def test_keys_hold_within_all_months(postgres_place: str, connection: asyncpg.Connection) -> None:
    """A number is of one month; repeats are found over all of them."""
    store = await open_store(postgres_place, lambda: AT)
    await make_months(postgres_place, "SLA", AT, 2)
    first = await store.add(of(AT, b"<a/>", key="k"))
    again = await store.add(of(AT + timedelta(days=40), b"<a/>", key="k"))
    assert (again.repeat, again.filing.number) == (True, first.filing.number)
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute(
            "INSERT INTO body (number, encoding, octets) VALUES ($1, 'zstd', '')", first.filing.number
        )
    await store.close()


async def test_who_knows_the_number_looks_at_one_month(
    postgres_place: str, connection: asyncpg.Connection
) -> None:
    await make_months(postgres_place, "SLA", AT, 12)
    for table in OF_MONTHS:
        plan = await connection.fetch(
            f"EXPLAIN SELECT * FROM {table} WHERE number = 'SLA-20261224-AAAAAAAAAAAA-A'"
        )
        text = "\n".join(row[0] for row in plan)
        assert f"{table}_sla_202612" in text
        assert text.count(" on ") - text.count("Bitmap Index") == 1, text
        assert "Seq Scan" not in text, text


async def test_what_was_there_before_stays_and_a_node_of_the_version_before_goes_on(
    place_before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has looked and written by the old tables, and does so again after another node has migrated."""
    now = datetime.now(UTC)
    node = await open_store_before(place_before, monkeypatch)
    old = await carried(node, of(now, b"<old/>", key="k", papers=(b"p",)))
    assert await migrate_store(place_before, "SLA") == [MONTHS]
    assert (await node.add(of(now, b"<old/>", key="k", papers=(b"p",)))).filing.number == old
    new = await carried(node, of(now, b"<new/>", period="Q4/2026"))
    later = await carried(node, of(now + timedelta(days=40), b"<later/>", period="Q1/2027"))
    assert await node.document(old) == b"<old/>"
    connection = await asyncpg.connect(place_before)
    for table in OF_MONTHS:
        month = f"{now + timedelta(days=40, hours=7):%Y%m}"
        expected = {f"{table}_before"} | ({f"{table}_sla_{month}"} if table != "paper" else set())
        assert set(await where(connection, table)) == expected
    seqs = await connection.fetch("SELECT seq FROM event ORDER BY seq")
    assert len({row[0] for row in seqs}) == len(seqs)
    statement = """UPDATE attempt SET times = times + 1 WHERE seq = (SELECT max(a.seq) FROM attempt a
        WHERE a.number = $1 AND a.handover = '') RETURNING number"""
    assert await connection.fetchval(statement, later) == later, "as versions before say it"
    assert [event.name for event in await node.events(new)][-1] == "accepted"
    await connection.close()
    await node.close()


async def test_a_node_at_work_does_not_keep_another_from_migrating(place_before: str) -> None:
    """Each holds what the other wants: whoever is the victim begins anew."""
    node, watch = await asyncpg.connect(place_before), await asyncpg.connect(place_before)
    await node.execute("BEGIN")
    await node.execute("LOCK TABLE delivery IN ROW EXCLUSIVE MODE")
    migrating = asyncio.create_task(migrate_store(place_before))
    while not await watch.fetchval("SELECT EXISTS (SELECT 1 FROM pg_locks WHERE NOT granted)"):
        await asyncio.sleep(0.01)
    await node.execute("SET LOCAL deadlock_timeout = '60s'")
    assert await node.fetchval("SELECT count(*) FROM filing") == 0
    await node.execute("COMMIT")
    assert await migrating == [MONTHS]
    await node.close()
    await watch.close()


async def open_store_before(place: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    known = migrate.migrations
    with monkeypatch.context() as before:
        before.setattr(
            migrate, "migrations", lambda engine: [one for one in known(engine) if one.name != MONTHS]
        )
        return await open_store(place, lambda: AT)


async def test_who_could_write_before_can_write_after(place_before: str) -> None:
    owner = await asyncpg.connect(place_before)
    await owner.execute(
        "DROP ROLE IF EXISTS writer; CREATE ROLE writer LOGIN;"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO writer"
    )
    await migrate_store(place_before)
    await owner.execute("GRANT SELECT ON migration TO writer")
    node = await open_store(place_before.replace("efile@", "writer@"), lambda: AT)
    number = await carried(node, of(AT, b"<a/>", papers=(b"p",)))
    assert await node.document(number) == b"<a/>"
    assert await node.tend("SLA") == 0, "it may make no tables, and says so"
    await node.close()
    await owner.execute("DROP OWNED BY writer; DROP ROLE writer")
    await owner.close()


async def test_a_month_goes_once_it_is_empty_and_long_ago(
    postgres_place: str, connection: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.store.operator_side.time_of_seconds", lambda _: now[0])
    now = [AT]
    store = await open_store(postgres_place, lambda: now[0])
    await make_months(postgres_place, "SLA", AT, 0)
    number = (await store.add(of(AT, b"<a/>", status=Status.REFUSED))).filing.number
    now[0] = AT + timedelta(days=5 * 365)
    assert await drop_empty_months(postgres_place, now[0]) == 2, "papers and attempts: there were none"
    assert await store.remove_ended(Rule("tax-declaration", Part.BODY, "1 year"), 10) == 1
    assert await drop_empty_months(postgres_place, AT + timedelta(days=40)) == 0, "that may yet be needed"
    assert await drop_empty_months(postgres_place, now[0]) == 1
    assert await tables(connection, "_sla_202611$") == [
        "event_sla_202611",
        "evidence_sla_202611",
        "notice_sla_202611",
    ]
    assert await store.document(number) is None
    assert [event.name for event in await store.events(number)] == ["refused", "body-removed"]
    await store.close()


async def test_a_month_whose_rows_came_before_it_is_told_and_they_stay(
    postgres_place: str, connection: asyncpg.Connection
) -> None:
    store = await open_store(postgres_place, lambda: AT)
    number = (await store.add(of(AT, b"<a/>"))).filing.number
    assert await make_months(postgres_place, "SLA", AT, 0) == 2, "of papers and attempts there were none"
    assert await where(connection, "body") == ["body_rest"]
    assert await store.document(number) == b"<a/>"
    await store.close()
