"""Terms of what waits, the most urgent first: one implementation for all doors of administrators."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

from gateway.admin.times import local
from gateway.calendar import Deadlines
from gateway.filing.deadline import Level, Watched
from gateway.jobs.watch import standing
from gateway.store.store import Store

LEVEL_WORDS = {
    Level.NONE: ("trong hạn", "in time"),
    Level.NEAR: ("sắp đến hạn", "near"),
    Level.OVERDUE: ("quá hạn", "overdue"),
    Level.LONG_OVERDUE: ("quá hạn lâu", "long overdue"),
}
"""(Vietnamese, English)."""
_AT_ONCE = 100


async def deadlines(
    store: Store,
    tables: Deadlines,
    now: datetime,
    *,
    all_that_waits: bool = False,
    agency: str | None = None,
    limit: int = 10_000,
) -> list[dict[str, Any]]:
    """What is near its term or past it, or all that waits; of one back-end, or of all. `limit`: the oldest so many.

    `level` is that of `Level`, in small letters with hyphens; `lateSeconds` below 0 are still to come.
    """
    rows = []
    for n, one in enumerate(await store.late(limit, all_that_waits=all_that_waits)):
        if n % _AT_ONCE == 0:
            await asyncio.sleep(0)  # whoever files at the same process need not wait for all of them
        if agency is None or one.filing.agency == agency:
            found = standing(one, tables, now)
            if found is not None and (all_that_waits or found.level > Level.NONE):
                told = {"milestone": found.milestone.value, "level": level_name(found.level)}
                rows.append((found.due, _row(one, found.due, now) | told))
    rows.sort(key=lambda row: row[0])
    return [row for _, row in rows]


def level_name(level: Level) -> str:
    """As it is told: `long-overdue`."""
    return level.name.lower().replace("_", "-")


def level_of(name: str) -> Level:
    """The reverse of `level_name`."""
    return Level[name.upper().replace("-", "_")]


def _row(watched: Watched, due: datetime, now: datetime) -> dict[str, Any]:
    filing = watched.filing
    return {
        "number": filing.number,
        "due": local(due),
        "lateSeconds": round((now - due).total_seconds()),
        "status": filing.status.value,
        "agency": filing.agency,
        "receivedAt": local(filing.received_at),
    }
