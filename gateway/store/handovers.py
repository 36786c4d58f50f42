"""The queue of handovers: fenced and written down like the deliveries, without any order among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.ports import LONGEST_WAIT_SECONDS, HandoverOutcome, Written
from gateway.store.attempts import attempt_of, write_attempts
from gateway.store.lanes import learn
from gateway.store.operations import INSERT_EVENT
from gateway.store.rows import HANDOVER_COLUMNS, Row, time_text
from gateway.store.statements import NOW, Statement, Steps

READ_HANDOVERS = f"SELECT {HANDOVER_COLUMNS} FROM handover WHERE number = ? ORDER BY seq"


@dataclass(frozen=True, slots=True)
class Tried:
    """An outcome and the time of business at which it came."""

    outcome: HandoverOutcome
    at: datetime


def record_handover(batch: Sequence[Tried]) -> Steps:
    """`Deliveries.record_handover`: whoever still holds the lease writes."""
    fenced = yield Statement(
        f"""UPDATE handover
            SET status = ?, detail = ?, backend = COALESCE(?, backend), due_at = {NOW} + ?,
                failures = CASE WHEN ? THEN failures + 1 ELSE 0 END,
                owner = NULL, lease_until = NULL, claimed_at = NULL
            WHERE number = ? AND agency = ? AND owner = ? AND attempt = ? RETURNING seq""",
        [_fence_row(item.outcome) for item in batch],
        fetch=True,
    )
    yield Statement(
        INSERT_EVENT,
        [
            (item.outcome.claim.filing.number, time_text(item.at), item.outcome.event, _told(item.outcome))
            for item, rows in zip(batch, fenced, strict=True)
            if rows and item.outcome.event is not None
        ],
    )
    applied = [item for item, rows in zip(batch, fenced, strict=True) if rows]
    yield from write_attempts(
        [
            attempt_of(claim.filing.number, claim.handover.agency, claim.owner, item.outcome.attempt, item.at)
            for item in applied
            if (claim := item.outcome.claim) and item.outcome.attempt is not None
        ]
    )
    yield from learn([item.outcome.attempt for item in applied])
    return [Written(applied=bool(rows)) for rows in fenced]


@dataclass(frozen=True, slots=True)
class HandoverAnswer:
    """What a cooperating agency made of a filing, as it told us."""

    number: str
    agency: str
    answer: str
    at: datetime


def record_answer(batch: Sequence[HandoverAnswer]) -> Steps:
    """`Deliveries.record_answer`: the first answer stays; answers whether it was this one."""
    results = []
    for item in batch:
        (first,) = yield Statement(
            "UPDATE handover SET answer = ? WHERE number = ? AND agency = ? AND answer = '' RETURNING name",
            [(item.answer, item.number, item.agency)],
            fetch=True,
        )
        yield Statement(
            INSERT_EVENT,
            [
                (item.number, time_text(item.at), "handover-answered", f"{row[0]}: {item.answer}")
                for row in first
            ],
        )
        results.append(bool(first))
    return results


def _told(outcome: HandoverOutcome) -> str:
    return f"{outcome.claim.handover.name}: {outcome.detail}".rstrip(": ")


def _fence_row(outcome: HandoverOutcome) -> Row:
    claim, status = outcome.claim, outcome.status
    waits = outcome.due_seconds is not None and outcome.backend is None
    due = None if outcome.due_seconds is None else min(outcome.due_seconds, LONGEST_WAIT_SECONDS)
    fence = (claim.filing.number, claim.handover.agency, claim.owner, claim.attempt)
    return (status.value, outcome.detail, outcome.backend, due, waits, *fence)
