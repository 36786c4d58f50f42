"""PostgreSQL's tables of a month (migration 0008): made ahead, and gone once retention has emptied them.

Nothing waits for them, and no filing needs one: a row without its month lies in the table's `…_rest`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import asyncpg
import structlog

from gateway.filing.identifiers import VIETNAM
from gateway.store.postgres_connection import as_store_errors, connect

log = structlog.get_logger("store")
OF_MONTHS = ("body", "paper", "notice", "evidence", "event", "attempt")
_LOCK_SECONDS = 2
"""Whoever writes waits no longer for us than this; it is tried again in an hour."""
_told: set[str] = set()
_OLDEST_EMPTY = 12
"""Months: a table that is empty and younger may yet be needed."""


async def make_months(url: str, code: str, at: datetime, ahead: int) -> int:
    """The tables of this month and of `ahead` more, for numbers that begin with `code`; answers how many are new.

    Raises StoreUnavailable, ConfigurationError.
    """
    connection = await connect(url)
    made = 0
    try:
        for first, end in _months(at, ahead):
            for table in OF_MONTHS:
                with as_store_errors():
                    made += await _make(connection, table, code, first, end)
    finally:
        connection.terminate()
    return made


async def drop_empty_months(url: str, at: datetime) -> int:
    """The tables of long ago that hold nothing any more; answers how many went. Raises like `make_months`."""
    connection = await connect(url)
    oldest, dropped = f"{_back(at, _OLDEST_EMPTY):%Y%m}", 0
    try:
        with as_store_errors():
            found = await connection.fetch(
                "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
                " WHERE i.inhparent = ANY($1::regclass[]) AND c.relname ~ '_[0-9]{6}$' AND right(c.relname, 6) < $2",
                list(OF_MONTHS),
                oldest,
            )
            for (name,) in found:
                dropped += await _drop(connection, name)
    finally:
        connection.terminate()
    return dropped


async def _make(connection: asyncpg.Connection, table: str, code: str, first: str, end: str) -> bool:
    """Beside, and then attached: so readers and writers of the other months are not held up."""
    name = f"{table}_{code.lower()}_{first}"
    if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", name):
        return False
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            await connection.execute(f"CREATE TABLE {name} (LIKE {table} INCLUDING ALL)")
            await connection.execute(
                f"ALTER TABLE {table} ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{code}-{first}') TO ('{code}-{end}')"
            )
    except asyncpg.InvalidObjectDefinitionError:  # what was there before 0008 reaches into this month
        return False
    except (
        asyncpg.DuplicateTableError,
        asyncpg.DuplicateObjectError,
        asyncpg.UniqueViolationError,
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
    ):
        return False  # another node is at it, or the table is busy
    except asyncpg.CheckViolationError:
        log.warning("month-not-made", table=name, why=f"rows of this month lie in {table}_rest already")
        return False
    except asyncpg.InsufficientPrivilegeError:
        log.warning(
            "month-not-made", table=name, why="no right to; run `efile migrate` as the schema's owner"
        )
        return False
    return True


async def _drop(connection: asyncpg.Connection, name: str) -> bool:
    try:
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
            if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {name})"):
                return False
            await connection.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
            if await connection.fetchval(f"SELECT EXISTS (SELECT 1 FROM {name})"):
                return False
            await connection.execute(f"DROP TABLE {name}")
    except (
        asyncpg.UndefinedTableError,
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.InsufficientPrivilegeError,
    ):
        return False
    return True


def _months(at: datetime, ahead: int) -> Iterator[tuple[str, str]]:
    """Vietnam's months as numbers write them (`202612`), each with the next."""
    for back in range(0, -ahead - 1, -1):
        yield f"{_back(at, back):%Y%m}", f"{_back(at, back - 1):%Y%m}"


def _back(at: datetime, months: int) -> datetime:
    day = at.astimezone(VIETNAM)
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return day.replace(year=year, month=month + 1, day=1)
