"""The deadlines of what waits: when each filing is to be looked at next, and what has been told of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.deadline import Level, Watched
from gateway.store.rows import FILING_COLUMNS, Row, filing_of, time_text
from gateway.store.statements import FOR_UPDATE, Statement, Steps

NEVER = "9999-12-31T00:00:00.000000+00:00"
"""Later than any `warn_at`: nothing more is to be told."""

_WATCHED = f"""
SELECT d.holds, d.warn_at, d.warned, {", ".join("f." + c.strip() for c in FILING_COLUMNS.split(","))}
FROM delivery d JOIN filing f ON f.number = d.number WHERE {{}}
"""
UNRECKONED = _WATCHED.format("d.warn_at IS NULL ORDER BY d.seq LIMIT ?")
DUE = _WATCHED.format("d.warn_at <= ? ORDER BY d.warn_at LIMIT ?")
LATE = _WATCHED.format("d.warned > 0 OR d.warn_at IS NULL OR d.warn_at <= ? ORDER BY d.seq LIMIT ?")
ALL = _WATCHED.format("1 = 1 ORDER BY d.seq LIMIT ?")

OVERDUE = """
SELECT holds, count(*) FROM delivery WHERE warned >= ? GROUP BY holds
"""


def watched_of(row: Row) -> Watched:
    """From a row of the queries above."""
    holds, warn_at, warned, *filing = row
    return Watched(filing_of(filing), not holds, warn_at, Level(warned))


@dataclass(frozen=True, slots=True)
class Told:
    """`at`: when to look next, None for never; `level`: the highest that has been told by then."""

    watched: Watched
    at: datetime | None
    level: Level


def record_told(batch: Sequence[Told]) -> Steps:
    """True for the one process whose look it was; others, and a filing that has moved on meanwhile, get False."""
    written = yield Statement(
        """UPDATE delivery SET warn_at = ?, warned = ?
           WHERE number = ? AND COALESCE(warn_at, '') = ? AND warned = ? AND holds = ? RETURNING seq""",
        [
            (
                NEVER if one.at is None else time_text(one.at),
                int(one.level),
                one.watched.filing.number,
                one.watched.warn_at or "",
                int(one.watched.warned),
                int(not one.watched.delivered),
            )
            for one in batch
        ],
        fetch=True,
    )
    return [bool(rows) for rows in written]


def reckon_by(batch: Sequence[str]) -> Steps:
    """Have everything reckoned anew where the basis is another one now; what was told stays told."""
    results = []
    for basis in batch:
        (found,) = yield Statement(f"SELECT basis FROM reckoned {FOR_UPDATE}", [()], fetch=True)
        changed = found[0][0] != basis
        if changed:
            yield Statement("UPDATE reckoned SET basis = ?", [(basis,)])
            yield Statement("UPDATE delivery SET warn_at = NULL WHERE warn_at IS NOT NULL", [()])
        results.append(changed)
    return results
