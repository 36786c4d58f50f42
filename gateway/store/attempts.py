"""Attempts as rows; equal ones in a row by one node share one, so that an outage of days does not fill the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.filing.attempt import Attempt, AttemptResult, Attempts
from gateway.store.rows import Row, time_text
from gateway.store.statements import Part, Statement

_ANSWER_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """One attempt about to be written; the times are those of business."""

    number: str
    handover: str
    step: str
    agency: str
    node: str
    result: AttemptResult
    answer: str
    began: datetime
    ended: datetime
    seconds: float | None


def attempt_of(number: str, handover: str, node: str, attempt: Attempt, at: datetime) -> NewAttempt:
    """An attempt that ended at `at`."""
    began = at - timedelta(seconds=attempt.seconds or 0.0)
    return NewAttempt(
        number,
        handover,
        attempt.step,
        attempt.agency,
        node,
        attempt.result,
        attempt.answer[:_ANSWER_CHARACTERS],
        began,
        at,
        attempt.seconds,
    )


def write_attempts(attempts: Sequence[NewAttempt]) -> Part:
    """Count those equal to the last of their filing there, write the others."""
    counted = yield Statement(
        """UPDATE attempt SET times = times + 1, last_at = ?1, seconds = ?2
           WHERE number = ?3 AND seq = (SELECT max(a.seq) FROM attempt a WHERE a.number = ?3 AND a.handover = ?4)
           AND step = ?5 AND agency = ?6 AND node = ?7 AND result = ?8 AND answer = ?9 RETURNING seq""",
        [(time_text(a.ended), a.seconds, a.number, a.handover, *_same(a)) for a in attempts],
        fetch=True,
    )
    yield Statement(
        """INSERT INTO attempt (number, handover, step, agency, node, result, answer, first_at, last_at, seconds)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)""",
        [
            (a.number, a.handover, *_same(a), time_text(a.began), time_text(a.ended), a.seconds)
            for a, rows in zip(attempts, counted, strict=True)
            if not rows
        ],
    )


def _same(attempt: NewAttempt) -> Row:
    return (attempt.step, attempt.agency, attempt.node, attempt.result.value, attempt.answer)


READ_ATTEMPTS = """
SELECT step, handover, agency, node, result, answer, first_at, last_at, seconds, times
FROM attempt WHERE number = ? ORDER BY seq
"""


def attempts_of(row: Row) -> Attempts:
    """From a row of READ_ATTEMPTS."""
    step, handover, agency, node, result, answer, first_at, last_at, seconds, times = row
    return Attempts(
        step,
        handover,
        agency,
        node,
        AttemptResult(result),
        answer,
        datetime.fromisoformat(first_at),
        datetime.fromisoformat(last_at),
        seconds,
        times,
    )
