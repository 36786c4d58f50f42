"""A store with filings that wait for their verdicts already, as after an agency's long silence."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime

import asyncpg
import msgspec

from gateway.calendar import OWN_CALENDAR, load_deadlines
from gateway.store.opening import is_url, migrate_store
from gateway.store.watching import NEVER
from tests.gateway.builders import summary

_SERIES = {
    "sqlite": "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {count})",
    "postgresql": "WITH s AS (SELECT generate_series(1, {count}) AS i)",
}
_NUMBER = {
    "sqlite": "printf('OLD-20261101-%012d-0', i)",
    "postgresql": "'OLD-20261101-' || lpad(i::text, 12, '0') || '-0'",
}
_DIGEST = {"sqlite": "randomblob(32)", "postgresql": "sha256(i::text::bytea)"}
_NOW = {"sqlite": "unixepoch()", "postgresql": "extract(epoch FROM now())"}


def fill(place: str, count: int) -> None:
    """Migrate the store at `place` and put `count` waiting filings into it: all rows of each but body and papers.

    They are with the agency `tax`, and to be asked for again within the hour: claims and reports walk among them, and
    find none that is due.
    """
    asyncio.run(migrate_store(place))
    if not count:
        return
    engine = "postgresql" if is_url(place) else "sqlite"
    series, number = _SERIES[engine].format(count=count), _NUMBER[engine]
    at = datetime.now(UTC).isoformat(timespec="microseconds")
    about = msgspec.json.encode(summary()).decode().replace("'", "''")
    statements = [
        f"""INSERT INTO filing (number, provider, status, received_at, digest, size, summary, findings, agency)
            {series} SELECT {number}, 'alpha', 'delivered', '{at}', {_DIGEST[engine]}, 20000, '{about}', '[]', 'tax'
            FROM s""",
        f"""INSERT INTO repeat_key (provider, kind, value, number)
            {series} SELECT 'alpha', 'key', 'old-' || i, {number} FROM s""",
        f"""INSERT INTO delivery (number, order_key, holds, due_at, agency, warn_at)
            {series} SELECT {number}, 'old-' || i, 0, {_NOW[engine]} + 1800 + i % 1700, 'tax', '{NEVER}' FROM s""",
        f"""INSERT INTO event (number, at, name, detail)
            {series} SELECT {number}, '{at}', 'delivered', '' FROM s""",
        f"""INSERT INTO notice (number, kind, issued_at, document)
            {series} SELECT {number}, 'receipt', '{at}', {_DIGEST[engine]} FROM s""",
        f"UPDATE reckoned SET basis = '{load_deadlines(OWN_CALENDAR).basis}'",
    ]
    if engine == "postgresql":
        asyncio.run(_in_postgres(place, [*statements, "ANALYZE"]))
    else:
        with sqlite3.connect(place) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()


async def _in_postgres(url: str, statements: list[str]) -> None:
    connection = await asyncpg.connect(url)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()
