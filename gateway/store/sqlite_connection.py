"""Connections to an SQLite file, and how statements run on them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store.migrate import APPLIED, migrate
from gateway.store.rows import Row
from gateway.store.statements import FOR_UPDATE, NOW, SKIP_LOCKED, TAXPAYER, Operation, Statement

_BUSY_SECONDS = 10.0


def run(connection: sqlite3.Connection, operation: Operation, items: Sequence[Any]) -> Sequence[Any]:
    """Drive one operation's generator on an open transaction."""
    steps = operation(items)
    try:
        statement = next(steps)
        while True:
            statement = steps.send(_execute(connection, statement))
    except StopIteration as stop:
        answers: Sequence[Any] = stop.value
        return answers


def _execute(connection: sqlite3.Connection, statement: Statement) -> list[list[Row]]:
    sql = in_sqlite(statement.sql)
    if statement.fetch:
        return [connection.execute(sql, row).fetchall() for row in statement.rows]
    if len(statement.rows) == 1:
        connection.execute(sql, statement.rows[0])
    elif statement.rows:
        connection.executemany(sql, statement.rows)
    return []


@cache
def in_sqlite(sql: str) -> str:
    """A statement in this engine's words. One writer at a time: no row needs a lock."""
    clock = "((julianday('now') - 2440587.5) * 86400.0)"
    sql = sql.replace(NOW, clock).replace(SKIP_LOCKED, "").replace(FOR_UPDATE, "")
    return sql.replace(TAXPAYER, "json_extract(summary, '$.taxpayer_code')")


def open_writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_BUSY_SECONDS)
    (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
    if mode != "wal":
        raise sqlite3.OperationalError(
            f"this file system cannot hold a write-ahead log (journal mode {mode})"
        )
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def migrated(connection: sqlite3.Connection) -> list[str]:
    """All or nothing; the caller holds the lock. Answers the names of the migrations applied."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        names = list(run(connection, lambda _: migrate("sqlite"), [None]))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return names


def applied(path: Path) -> Sequence[Row]:
    """The rows of APPLIED; none where there is no schema yet. Raises StoreUnavailable."""
    if not path.exists():
        return []
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchall()
            return connection.execute(APPLIED).fetchall() if tables else []
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreUnavailable(f"{path}: the store cannot be opened: {error}") from error
