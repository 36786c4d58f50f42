"""Forward-only migrations: numbered SQL files, each applied once, its checksum kept and compared."""

from __future__ import annotations

import hashlib
import sqlite3
from importlib.resources import files

from gateway.errors import ConfigurationError


def migrations() -> list[tuple[str, str]]:
    """(name, SQL text) in the order of their numbers."""
    folder = files("gateway.store") / "migrations"
    return sorted(
        (f.name, f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".sql")
    )


def migrate(connection: sqlite3.Connection) -> list[str]:
    """Apply what is missing, in one transaction; the caller holds the write lock. Answers the names applied.

    Raises:
        ConfigurationError: a migration that was applied reads differently now, or the database is newer.
    """
    connection.execute("CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, checksum TEXT NOT NULL)")
    applied = dict(connection.execute("SELECT name, checksum FROM migration"))
    known = {name: hashlib.sha256(sql.encode()).hexdigest() for name, sql in migrations()}
    faults = [
        f"{name}: changed after it was applied"
        for name in applied
        if known.get(name, applied[name]) != applied[name]
    ]
    faults += [f"{name}: applied by a newer version of the gateway" for name in applied if name not in known]
    if faults:
        raise ConfigurationError(faults)
    missing = [(name, sql) for name, sql in migrations() if name not in applied]
    for name, sql in missing:
        for statement in _statements(sql):
            connection.execute(statement)
        connection.execute("INSERT INTO migration VALUES (?, ?)", (name, known[name]))
    return [name for name, _ in missing]


def _statements(sql: str) -> list[str]:
    """Split into statements; `executescript` would commit what we want in one transaction."""
    statements, current = [], ""
    for line in sql.splitlines(keepends=True):
        current += line
        if sqlite3.complete_statement(current):
            statements.append(current)
            current = ""
    return statements
