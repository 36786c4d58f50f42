"""Attempts at an agency, for the record: when, by which node, what was answered, how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class AttemptResult(StrEnum):
    """What came of an attempt. The words are public: CLI, metrics, docs/delivery.md."""

    TAKEN = "taken"
    PENDING = "pending"
    UNKNOWN = "unknown"
    VERDICT = "verdict"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    FAULT = "fault"
    LOST = "lost"


AGENCY_IS_UP = frozenset(
    {
        AttemptResult.TAKEN,
        AttemptResult.PENDING,
        AttemptResult.UNKNOWN,
        AttemptResult.VERDICT,
        AttemptResult.REFUSED,
    }
)
"""It answered in the agreed form, whatever it said. UNREACHABLE passes by itself, FAULT is ours, LOST a dead node's."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt: the step that made it, the back-end it was made at, what it answered in a sentence.

    `seconds`: how long it took; None: nobody knows. `retry_after`: what the agency asked for, in seconds.
    """

    step: str
    agency: str
    result: AttemptResult
    answer: str
    seconds: float | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """Equal attempts in a row by one node, as the store keeps them: `times`, from `first_at` to `last_at` (aware).

    `handover`: the cooperating agency, "" for the filing itself. `seconds`: of the last one.
    """

    step: str
    handover: str
    agency: str
    node: str
    result: AttemptResult
    answer: str
    first_at: datetime
    last_at: datetime
    seconds: float | None
    times: int
