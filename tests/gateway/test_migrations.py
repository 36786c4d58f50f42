"""The schema goes forward on both engines: in one step or many, by one node or several, and older code runs on it."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from gateway.errors import ConfigurationError
from gateway.store import migrate, postgres
from gateway.store.migrate import Migration
from gateway.store.opening import is_url, migrate_store, missing_migrations, open_store
from tests.gateway.builders import AT, prepared
from tests.postgres import drop_database, empty_database, fresh_database


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """A place without any schema."""
    if request.param == "sqlite":
        yield str(tmp_path / "s.sqlite")
        return
    server = request.getfixturevalue("postgres_server")
    connection = await asyncpg.connect(server)
    url = await empty_database(server, connection)
    await connection.close()
    yield url
    await drop_database(server, url)


async def execute(place: str, sql: str) -> list[tuple[object, ...]]:
    if is_url(place):
        connection = await asyncpg.connect(place)
        rows = await connection.fetch(sql)
        await connection.close()
        return [tuple(row) for row in rows]
    with sqlite3.connect(place) as embedded:
        return embedded.execute(sql).fetchall()


async def schema(place: str) -> object:
    """All that matters of it: columns with types, keys and indexes."""
    if not is_url(place):
        return await execute(place, "SELECT type, name, tbl_name FROM sqlite_master ORDER BY 1, 2"), [
            await execute(place, f"SELECT * FROM pragma_table_info('{name}')")
            for (name,) in await execute(
                place, "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1"
            )
        ]
    return (
        await execute(
            place,
            "SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity"
            " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
        ),
        await execute(place, "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"),
        await execute(
            place,
            "SELECT conrelid::regclass::text, pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
        ),
    )


def engine_of(place: str) -> migrate.Engine:
    return "postgresql" if is_url(place) else "sqlite"


def with_one_more(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """The next version of the gateway."""
    known = migrate.migrations
    monkeypatch.setattr(
        migrate, "migrations", lambda engine: [*known(engine), Migration("9999_next.sql", text)]
    )


async def test_step_by_step_gives_the_schema_that_one_step_gives(
    empty: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [one.name for one in migrate.migrations(engine_of(empty))]
    known = migrate.migrations
    for count in range(1, len(names) + 1):
        if count < len(names) and names[count - 1] < "0006":
            continue  # before it nobody told breaking ones from others
        monkeypatch.setattr(migrate, "migrations", lambda engine, count=count: known(engine)[:count])
        await migrate_store(empty)
    monkeypatch.undo()
    assert await missing_migrations(empty) == []
    if is_url(empty):
        at_once = await fresh_database(request.getfixturevalue("postgres_server"))
    else:
        at_once = f"{empty}.other"
        await migrate_store(at_once)
    assert await schema(empty) == await schema(at_once)
    applied = await execute(empty, "SELECT name, checksum FROM migration ORDER BY name")
    assert applied == [
        (one.name, hashlib.sha256(one.text.encode()).hexdigest()) for one in known(engine_of(empty))
    ]


async def test_nodes_that_start_at_once_migrate_once(empty: str) -> None:
    names = [one.name for one in migrate.migrations(engine_of(empty))]
    assert await missing_migrations(empty) == names
    done = await asyncio.gather(*(migrate_store(empty) for _ in range(4)))
    assert sorted(done) == [[], [], [], names]


async def test_the_version_before_runs_on_an_additive_schema(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node of the version before is at work, and another one of it starts, after the next has migrated."""
    before = await open_store(place, lambda: AT)
    await before.add(prepared(b"<a/>", key="k"))
    with monkeypatch.context() as next_version:
        with_one_more(
            next_version, "ALTER TABLE filing ADD COLUMN more TEXT;\nCREATE TABLE more (id TEXT);\n"
        )
        assert await migrate_store(place) == ["9999_next.sql"]
    assert (await before.add(prepared(b"<a/>", key="k"))).repeat
    assert not (await before.add(prepared(b"<b/>"))).repeat
    another = await open_store(place, lambda: AT)
    assert len(await another.claim_due("w", 5, 60)) == 1
    await before.close()
    await another.close()


async def test_the_version_before_does_not_start_on_a_breaking_schema(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as next_version:
        with_one_more(next_version, "-- breaking\nALTER TABLE filing RENAME COLUMN digest TO sha256;\n")
        await migrate_store(place)
    with pytest.raises(ConfigurationError, match=r"9999_next.sql: applied by a newer version"):
        await open_store(place, lambda: AT)


async def test_a_migration_that_fails_leaves_nothing(empty: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as next_version:
        with_one_more(next_version, "CREATE TABLE half (id TEXT);\nINSERT INTO nowhere VALUES (1);\n")
        with pytest.raises(Exception, match="nowhere"):
            await migrate_store(empty)
    assert len(await missing_migrations(empty)) == len(migrate.migrations(engine_of(empty)))
    assert await migrate_store(empty)


async def test_a_changed_migration_is_refused(place: str) -> None:
    await migrate_store(place)
    name = migrate.migrations(engine_of(place))[0].name
    await execute(place, f"UPDATE migration SET checksum = 'x' WHERE name = '{name}'")
    with pytest.raises(ConfigurationError, match="changed after it was applied"):
        await open_store(place, lambda: AT)


async def test_a_node_needs_no_right_to_change_the_schema(postgres_server: str, postgres_place: str) -> None:
    owner = await asyncpg.connect(postgres_place)
    await owner.execute(
        "DROP ROLE IF EXISTS node; CREATE ROLE node LOGIN;"
        " GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO node;"
        " GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO node"
    )
    store = await open_store(postgres_place.replace("efile@", "node@"), lambda: AT)
    await store.add(prepared())
    await store.close()
    await owner.execute("DROP OWNED BY node; DROP ROLE node")
    await owner.close()
    assert await postgres.migrated(postgres_place) == []
