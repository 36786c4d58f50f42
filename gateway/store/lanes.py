"""How much of an agency's work may be claimed now: its hold, maintenance, breaker, concurrency and rate, in its row.

A claim locks the agency's row before it counts: the limits hold over all processes and nodes.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.calendar.windows import closed_until
from gateway.filing.attempt import AGENCY_IS_UP, Attempt, AttemptResult
from gateway.ports import LONGEST_WAIT_SECONDS, MOST_PAUSES
from gateway.store.operations import FARTHEST
from gateway.store.rows import Row, windows_of
from gateway.store.statements import FOR_UPDATE, NOW, Part, Statement


@dataclass(frozen=True, slots=True)
class Queue:
    """One of the two queues, by its SQL names."""

    table: str
    lane: str

    def free(self, when: str) -> str:
        """The rows of a lane that nobody works on and that are due; `when` compares `due_at`."""
        return f"""q.{self.lane} = {{lane}} AND q.due_at {when}
            AND (q.lease_until IS NULL OR q.lease_until < {NOW} OR q.lease_until > {FARTHEST})"""


DELIVERY = Queue("delivery", "agency")
HANDOVER = Queue("handover", "backend")

BREAKER_OPEN = f"closed_until IS NOT NULL AND closed_until > {NOW} AND closed_until < {NOW} + pause + 1.0"
"""Of an agency's row. No longer than the pause that opened it: what lies farther was written by a clock ahead."""

_SHUT = f"""({BREAKER_OPEN})
    OR (a.asked_until IS NOT NULL AND a.asked_until > {NOW} AND a.asked_until < {FARTHEST})"""
"""Behind its breaker, or left in peace as it asked; what lies farther was written while the clock was ahead."""

_LEASED = f"owner IS NOT NULL AND lease_until >= {NOW} AND lease_until <= {FARTHEST}"
_BUSY = f"""
SELECT (SELECT count(*) FROM delivery WHERE agency = ? AND {_LEASED})
     + (SELECT count(*) FROM handover WHERE backend = ? AND {_LEASED})
"""
"""A dead node's claims count as long as their leases last. No longer: they could not be taken over where they alone
are all that the agency allows, be it the one call that tries whether it is back."""

Taking = Generator[Statement, list[list[Row]], int]


def open_lanes(queue: Queue, at: datetime) -> Generator[Statement, list[list[Row]], list[str]]:
    """The back-ends with due work that may be called now; `at` is the time of business, for maintenance."""
    (rows,) = yield Statement(_open_lanes(queue), [()], fetch=True)
    return [id for id, maintenance in rows if closed_until(windows_of(maintenance), at) is None]


def _open_lanes(queue: Queue) -> str:
    waits = " OR ".join(
        f"EXISTS (SELECT 1 FROM {queue.table} q WHERE {queue.free(when).format(lane='a.id')})"
        for when in (f"<= {NOW}", f"> {FARTHEST}")
    )
    return f"""SELECT a.id, a.maintenance FROM agency a
        WHERE a.held IS NULL AND NOT ({_SHUT}) AND ({waits}) ORDER BY a.id"""


def room(lane: str, wish: int) -> Taking:
    """How many of `wish` calls the agency may get now; its row is locked from here to the commit."""
    (rows,) = yield Statement(
        f"""SELECT tokens, {NOW} - filled_at, per_second, max_in_flight, failures, breaker_failures
            FROM agency WHERE id = ? {FOR_UPDATE}""",
        [(lane,)],
        fetch=True,
    )
    tokens, since, per_second, most, failures, breaker = rows[0]
    ((busy,),) = yield Statement(_BUSY, [(lane, lane)], fetch=True)
    allowed = (1 if failures >= breaker else most) - busy[0]
    if per_second > 0:
        tokens = min(tokens + max(since, 0.0) * per_second, max(per_second, 1.0))
        allowed = min(allowed, int(tokens))
    taken: int = max(0, min(wish, allowed))
    if per_second > 0 and taken:
        yield Statement(
            f"UPDATE agency SET tokens = ?, filled_at = {NOW} WHERE id = ?", [(tokens - taken, lane)]
        )
    return taken


_OPENS = f"failures + 1 >= breaker_failures AND NOT ({BREAKER_OPEN})"
_PAUSE = f"""CASE WHEN pause = 0 THEN breaker_seconds
    WHEN pause * 2 > breaker_seconds * {MOST_PAUSES} THEN breaker_seconds * {MOST_PAUSES} ELSE pause * 2 END"""

_FAILED = f"""
UPDATE agency SET failures = failures + 1,
    closed_until = CASE WHEN {_OPENS} THEN {NOW} + {_PAUSE} ELSE closed_until END,
    pause = CASE WHEN {_OPENS} THEN {_PAUSE} ELSE pause END
WHERE id = ?
"""
"""The breaker opens once: calls that were under way fail against an open one and make its pause no longer."""

_ANSWERED = "UPDATE agency SET failures = 0, closed_until = NULL, pause = 0 WHERE id = ? AND failures > 0"

_ASKED = f"""
UPDATE agency SET asked_until = {NOW} + ?
WHERE id = ? AND (asked_until IS NULL OR asked_until < {NOW} + ? OR asked_until > {FARTHEST})
"""


def learn(attempts: Sequence[Attempt | None]) -> Part:
    """What attempts tell of their agencies: the breaker counts failures in a row, an answer closes it."""
    for attempt in sorted((a for a in attempts if a is not None and a.agency), key=lambda a: a.agency):
        if attempt.result is AttemptResult.UNREACHABLE:
            yield Statement(_FAILED, [(attempt.agency,)])
            if attempt.retry_after:
                wait = min(attempt.retry_after, LONGEST_WAIT_SECONDS)
                yield Statement(_ASKED, [(wait, attempt.agency, wait)])
        elif attempt.result in AGENCY_IS_UP:
            yield Statement(_ANSWERED, [(attempt.agency,)])
