"""Connections to PostgreSQL: how they are made, what makes them unfit for promises, and how statements run on them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import asyncpg

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.store.rows import Row
from gateway.store.statements import FOR_UPDATE, NOW, SKIP_LOCKED, TAXPAYER, Operation, Statement

BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
PASSING = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
)
"""Somebody else's transaction came between, or his migration: it says nothing against what we wanted."""
RETRIED = (asyncpg.UniqueViolationError, *PASSING)
"""The same items again see what the other one did."""

_CONNECT_SECONDS = 5.0
_CLOCK = "extract(epoch FROM statement_timestamp())::float8"
_SESSION = {
    "application_name": "efile",
    "idle_in_transaction_session_timeout": "15s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
    "timezone": "UTC",
}
"""A node that has vanished holds its row locks no longer than this; what the URL says goes first."""

_LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
_NOT_LET_IN = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError)
_PASSING = ("08", "28", "3D", "53", "57", "58", "25006", "25P03", "55P03")
"""SQLSTATEs (Appendix A) by their beginnings: connection, log-in, resources, shutdown, disk, read-only, idle, lock."""


class Full(StoreUnavailable):
    """The server has no room on its disk."""


async def connect(url: str) -> asyncpg.Connection:
    """A connection to a server that takes writes and keeps what it acknowledges.

    Raises:
        StoreUnavailable: no such server answers.
        ConfigurationError: its settings, or the URL, would make a promise worth nothing.
    """
    with as_store_errors():
        try:
            connection = await asyncpg.connect(**arguments(url))
        except _NOT_LET_IN as error:
            raise ConfigurationError([f"store: PostgreSQL does not let us in: {error}"]) from error
    try:
        await _require_fit(connection)
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _require_fit(connection: asyncpg.Connection) -> None:
    """Raises as `connect`."""
    with as_store_errors():
        *durable, encoding = await connection.fetchrow(
            "SELECT current_setting('fsync'), current_setting('full_page_writes'), "
            "current_setting('synchronous_commit'), current_setting('server_encoding')"
        )
    names = ("fsync", "full_page_writes", "synchronous_commit")
    faults = [
        f"the PostgreSQL server has {name} = off"
        for name, value in zip(names, durable, strict=True)
        if value == "off"
    ]
    if encoding != "UTF8":
        faults.append(f"the PostgreSQL database is encoded in {encoding}, not UTF8")
    if faults:
        raise ConfigurationError(faults)


def arguments(url: str) -> dict[str, Any]:
    """What asyncpg is told: the URL, and what it does not say.

    Several hosts are tried in turn until one takes writes. Raises ConfigurationError where a password stands in it.
    """
    parts = urlsplit(url)
    said = dict(parse_qsl(parts.query))
    if parts.password is not None or "password" in said:
        raise ConfigurationError(
            [
                "store: a password in the URL would be shown and logged; keep it in a file (?passfile=…), or PGPASSWORD"
            ]
        )
    settings = {name: value for name, value in _SESSION.items() if name not in said}
    return {
        "dsn": url,
        "timeout": _CONNECT_SECONDS,
        "server_settings": settings,
        "target_session_attrs": said.get("target_session_attrs", "read-write"),
    }


@contextmanager
def as_store_errors() -> Iterator[None]:
    """What the server, the network or a time-out does to us, as StoreUnavailable; what a statement did, as it is."""
    try:
        yield
    except asyncpg.DiskFullError as error:
        raise Full(f"PostgreSQL has no room: {error}") from error
    except asyncpg.PostgresError as error:
        if error.sqlstate is None or error.sqlstate.startswith(_PASSING):
            raise StoreUnavailable(f"PostgreSQL cannot do it now: {error}") from error
        raise
    except _LOST as error:
        raise StoreUnavailable(f"PostgreSQL does not answer: {error or type(error).__name__}") from error


async def commit(connection: asyncpg.Connection) -> None:
    """Returns once the transaction is as durable as the server was told to make it. Raises StoreUnavailable.

    A server that was stopped while it waited for its standby commits all the same, and only warns.
    """
    warnings: list[str] = []

    def hear(_: asyncpg.Connection, message: asyncpg.PostgresLogMessage) -> None:
        if message.severity_en not in ("NOTICE", "INFO", "LOG", "DEBUG"):
            warnings.append(str(message))

    try:
        with as_store_errors():
            connection.add_log_listener(hear)  # which a connection that is lost by now refuses
            done = await connection.execute("COMMIT")
    finally:
        connection.remove_log_listener(hear)
    if done != "COMMIT" or warnings:
        raise StoreUnavailable(f"PostgreSQL gave no full commit: {'; '.join(warnings) or done}")


async def run(connection: asyncpg.Connection, operation: Operation, items: Sequence[Any]) -> Sequence[Any]:
    """Drive one operation's generator on an open transaction."""
    steps = operation(items)
    try:
        statement = next(steps)
        while True:
            with as_store_errors():
                rows = await _execute(connection, statement)
            statement = steps.send(rows)
    except StopIteration as stop:
        answers: Sequence[Any] = stop.value
        return answers


async def _execute(connection: asyncpg.Connection, statement: Statement) -> list[list[Row]]:
    """However many rows of parameters there are, they go to the server together."""
    sql, count = in_postgres(statement.sql)
    rows = [_storable(row) for row in statement.rows]
    if not statement.fetch:
        if len(rows) == 1:
            await connection.execute(sql, *rows[0])
        elif rows:
            await connection.executemany(sql, rows)
        return []
    if len(rows) == 1:
        return [await connection.fetch(sql, *rows[0])]
    results: list[list[Row]] = [[] for _ in rows]
    if rows:
        told = f"WITH told AS ({sql}) SELECT ${count + 1}::int4, told.* FROM told"
        for which, *row in await connection.fetchmany(told, [(*row, i) for i, row in enumerate(rows)]):
            results[which].append(row)
    return results


def _storable(row: Row) -> Row:
    """PostgreSQL's text has no NUL; whoever sent one gets the mark of a character that could not be kept."""
    if any(isinstance(value, str) and "\0" in value for value in row):
        return [
            value.replace("\0", "\N{REPLACEMENT CHARACTER}") if isinstance(value, str) else value
            for value in row
        ]
    return row


@cache
def in_postgres(sql: str) -> tuple[str, int]:
    """A statement in this engine's words, and how many parameters it has."""
    counted = itertools.count(1)
    numbers = []

    def number(found: re.Match[str]) -> str:
        numbers.append(int(found[1] or next(counted)))
        return f"${numbers[-1]}"

    sql = re.sub(r"\?(\d*)", number, sql)
    sql = (
        sql.replace(NOW, _CLOCK)
        .replace(SKIP_LOCKED, "FOR UPDATE SKIP LOCKED")
        .replace(FOR_UPDATE, "FOR UPDATE")
        .replace(TAXPAYER, """"substring"(summary, '"taxpayer_code":"([^"]*)"')""")
    )
    return sql, max(numbers, default=0)
