"""What an operator sees of the delivery queue: what waits and why, by filter; and how the agencies stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.calendar import closed_until
from gateway.filing.status import Status
from gateway.store.lanes import BREAKER_OPEN
from gateway.store.rows import Row, time_text, windows_of
from gateway.store.statements import NOW


@dataclass(frozen=True, slots=True)
class Waiting:
    """One filing in the queue. `due_seconds`: until its next step, None for a dead letter and for what is held."""

    number: str
    status: str
    order_key: str
    agency: str | None
    due_seconds: float | None
    attempts: int
    failures: int
    last_event: str
    last_detail: str
    held: str | None
    received_at: str


HANDOVERS = f"""
SELECT h.number, h.status, '', h.agency, h.due_at - {NOW}, h.attempt, h.failures, 'handover-' || h.status, h.detail,
    NULL, f.received_at
FROM handover h JOIN filing f ON f.number = h.number
WHERE h.status IN ('stuck', 'not-joined') OR (? AND h.status = 'waiting') ORDER BY h.seq
"""


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """Which filings of the queue: all that is given must hold.

    `agency`: the back-end. `received_before` (aware). `reason`: in the last event, its detail, or the reason of a hold,
    in any case of letters. `limit`: the oldest so many.
    """

    numbers: tuple[str, ...] = ()
    agency: str | None = None
    form: str | None = None
    status: Status | None = None
    received_before: datetime | None = None
    reason: str | None = None
    held: bool | None = None
    limit: int = 1000

    @property
    def narrows(self) -> bool:
        """Whether it asks for anything at all."""
        about = (self.agency, self.form, self.status, self.received_before, self.reason, self.held)
        return bool(self.numbers) or any(one is not None for one in about)


def waiting_query(wanted: QueueFilter) -> tuple[str, Row]:
    """The queue in order of receipt, as columns of Waiting."""
    conditions, row = ["1 = 1"], list[object]()
    if wanted.numbers:
        conditions.append(f"d.number IN ({', '.join('?' * len(wanted.numbers))})")
        row += wanted.numbers
    if wanted.held is not None:
        conditions.append("d.held IS NOT NULL" if wanted.held else "d.held IS NULL")
    for condition, value in (
        ("f.agency = ?", wanted.agency),
        ("f.summary LIKE ?", wanted.form and f'%"form_code":"{wanted.form}"%'),
        ("f.status = ?", wanted.status and wanted.status.value),
        ("f.received_at < ?", wanted.received_before and time_text(wanted.received_before)),
        (
            "LOWER(e.name || ': ' || e.detail || COALESCE(d.held, '')) LIKE ?",
            wanted.reason and f"%{wanted.reason.lower()}%",
        ),
    ):
        if value is not None:
            conditions.append(condition)
            row.append(value)
    sql = f"""
SELECT d.number, f.status, d.order_key, f.agency, d.due_at - {NOW}, d.attempt, d.failures, e.name, e.detail,
    d.held, f.received_at
FROM delivery d JOIN filing f ON f.number = d.number
JOIN event e ON e.number = d.number AND e.seq = (SELECT max(seq) FROM event WHERE number = d.number)
WHERE {" AND ".join(conditions)} ORDER BY d.seq LIMIT ?
"""
    return sql, [*row, wanted.limit]


@dataclass(frozen=True, slots=True)
class Lane:
    """How a back-end stands, for all processes: `state` in a word, `why` or until when, how much waits for it."""

    agency: str
    state: str
    why: str
    waiting: int
    in_flight: int
    oldest: str | None


@dataclass(frozen=True, slots=True)
class Survey:
    """The whole queue in figures. `filings`: by STANDS, how many there are."""

    lanes: list[Lane]
    filings: dict[str, int]


STANDS = ("to-forward", "awaiting-verdict", "stuck", "held")

LANES = f"""
SELECT a.id, a.held, a.maintenance, a.failures, a.breaker_failures,
    CASE WHEN {BREAKER_OPEN} THEN a.closed_until - {NOW} END, a.asked_until - {NOW}
FROM agency a ORDER BY a.id
"""

COUNTS = """
SELECT s.agency, s.stands, s.counted, s.leased, f.received_at
FROM (SELECT agency,
        CASE WHEN held IS NOT NULL THEN 'held' WHEN due_at IS NULL AND owner IS NULL THEN 'stuck'
             WHEN holds = 1 THEN 'to-forward' ELSE 'awaiting-verdict' END AS stands,
        count(*) AS counted, count(owner) AS leased, min(seq) AS oldest
      FROM delivery GROUP BY agency, stands) s
JOIN delivery d ON d.seq = s.oldest JOIN filing f ON f.number = d.number
"""
"""One walk over the queue, whatever its length; the oldest is the first in the order of receipt."""


def survey_of(lanes: Sequence[Row], counts: Sequence[Row], at: datetime) -> Survey:
    """From rows of LANES and COUNTS; `at` is the time of business."""
    filings = dict.fromkeys(STANDS, 0)
    by_agency: dict[str, list[Row]] = {}
    for row in counts:
        filings[row[1]] += row[2]
        by_agency.setdefault(row[0], []).append(row)
    found = []
    for lane in lanes:
        own = by_agency.get(lane[0], [])
        waiting, leased = sum(row[2] for row in own), sum(row[3] for row in own)
        oldest = min((row[4] for row in own), default=None)
        found.append(Lane(lane[0], *_state(lane, at), waiting, leased, oldest))
    return Survey(found, filings)


def _state(row: Row, at: datetime) -> tuple[str, str]:
    _, held, maintenance, failures, breaker, closed, asked = row
    if held is not None:
        return "held", held
    if (until := closed_until(windows_of(maintenance), at)) is not None:
        return "maintenance", f"until {until.isoformat(timespec='minutes')}"
    if closed is not None and closed > 0:
        return "open", f"{failures} failures in a row; one call tries in {closed:.0f} s"
    if asked is not None and asked > 0:
        return "asked", f"it asked not to be called for {asked:.0f} s"
    if failures >= breaker:
        return "half-open", f"{failures} failures in a row; one call at a time"
    return "closed", f"{failures} failures in a row" if failures else ""


LENGTH = "SELECT count(*) FROM (SELECT 1 FROM delivery LIMIT ?) counted"
