"""What administrators look up: filings by tax code, how back-ends answered last, the audit record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.filing.attempt import AttemptResult
from gateway.store.rows import FILING_COLUMNS, Row
from gateway.store.statements import TAXPAYER

FILINGS_OF = f"""
SELECT {FILING_COLUMNS} FROM filing WHERE summary IS NOT NULL AND {TAXPAYER} = ?
ORDER BY received_at DESC, number LIMIT ?
"""
"""By the index of the same expression (0010)."""

_NEWEST = 10_000
"""Attempts among which the last of each back-end is looked for: the whole record is never walked."""

LAST_ATTEMPTS = f"""
SELECT agency, step, result, answer, last_at, seconds, node FROM attempt WHERE seq IN (
    SELECT max(newest.seq) FROM (SELECT seq, agency FROM attempt ORDER BY seq DESC LIMIT {_NEWEST}) newest
    GROUP BY newest.agency)
"""

BACKENDS = """
SELECT id, name, adapter, serves, maintenance, max_in_flight, per_second, failures FROM agency ORDER BY id
"""


@dataclass(frozen=True, slots=True)
class LastAttempt:
    """What a back-end answered last; `at` is aware, `seconds` None where nobody knows how long it took."""

    agency: str
    step: str
    result: AttemptResult
    answer: str
    at: datetime
    seconds: float | None
    node: str


def last_attempt_of(row: Row) -> LastAttempt:
    """From a row of LAST_ATTEMPTS."""
    agency, step, result, answer, at, seconds, node = row
    return LastAttempt(agency, step, AttemptResult(result), answer, datetime.fromisoformat(at), seconds, node)


@dataclass(frozen=True, slots=True)
class Backend:
    """A back-end as it is set up: `maintenance` as people write it."""

    id: str
    name: str
    adapter: str
    serves: tuple[str, ...]
    maintenance: tuple[str, ...]
    max_in_flight: int
    per_second: float
    failures: int


def backend_of(row: Row) -> Backend:
    """From a row of BACKENDS."""
    id, name, adapter, serves, maintenance, most, rate, failures = row
    served, windows = (tuple(msgspec.json.decode(text)) for text in (serves, maintenance))
    return Backend(id, name, adapter, served, windows, most, rate, failures)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit record: who did what to which subject, when (aware), and why or with which values."""

    seq: int
    at: datetime
    actor: str
    act: str
    subject: str
    detail: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """All that is given must hold. `act` may end in `.*`; `before`: only entries with a lower number."""

    actor: str | None = None
    act: str | None = None
    subject: str | None = None
    before: int | None = None
    limit: int = 200


def audit_query(wanted: AuditFilter) -> tuple[str, Row]:
    """The newest first, as columns of AuditEntry."""
    conditions, row = ["1 = 1"], list[object]()
    family = wanted.act[:-1] if wanted.act is not None and wanted.act.endswith(".*") else None
    for condition, value in (
        ("actor = ?", wanted.actor),
        ("act = ?", None if family is not None else wanted.act),
        (f"substr(act, 1, {len(family or '')}) = ?", family),
        ("subject = ?", wanted.subject),
        ("seq < ?", wanted.before),
    ):
        if value is not None:
            conditions.append(condition)
            row.append(value)
    where = " AND ".join(conditions)
    sql = f"SELECT seq, at, actor, act, subject, detail, hash FROM audit WHERE {where} ORDER BY seq DESC LIMIT ?"
    return sql, [*row, wanted.limit]


def audit_entry_of(row: Row) -> AuditEntry:
    """From a row of `audit_query`."""
    seq, at, actor, act, subject, detail, digest = row
    return AuditEntry(seq, datetime.fromisoformat(at), actor, act, subject, detail, digest)
