"""The queue of handovers: claimed, fenced and written down like the deliveries, without any order among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.ports import LONGEST_WAIT_SECONDS, HandoverClaim, HandoverOutcome, Written
from gateway.store.operations import FARTHEST, INSERT_EVENT, READ_FILING, Request
from gateway.store.rows import HANDOVER_COLUMNS, Row, filing_of, handover_of, time_text
from gateway.store.statements import NOW, SKIP_LOCKED, Statement, Steps

READ_HANDOVERS = f"SELECT {HANDOVER_COLUMNS} FROM handover WHERE number = ? ORDER BY seq"

_CLAIM = f"""
WITH picked AS MATERIALIZED (
    SELECT seq FROM handover WHERE due_at IS NOT NULL AND (due_at <= {NOW} OR due_at > {FARTHEST})
    AND (lease_until IS NULL OR lease_until < {NOW} OR lease_until > {FARTHEST})
    ORDER BY due_at LIMIT ?3 {SKIP_LOCKED})
UPDATE handover SET owner = ?1, lease_until = {NOW} + ?2, attempt = attempt + 1
WHERE seq IN (SELECT seq FROM picked) RETURNING number, attempt, failures, {HANDOVER_COLUMNS}
"""


def claim_handovers(batch: Sequence[Request]) -> Steps:
    """`Deliveries.claim_handovers`."""
    results = []
    for request in batch:
        (claimed,) = yield Statement(
            _CLAIM, [(request.owner, request.lease_seconds, request.limit)], fetch=True
        )
        read = yield Statement(READ_FILING, [(row[0],) for row in claimed], fetch=True)
        results.append(
            [
                HandoverClaim(filing_of(rows[0]), handover_of(columns), request.owner, attempt, failures)
                for (_, attempt, failures, *columns), rows in zip(claimed, read, strict=True)
            ]
        )
    return results


@dataclass(frozen=True, slots=True)
class Tried:
    """An outcome and the time of business at which it came."""

    outcome: HandoverOutcome
    at: datetime


def record_handover(batch: Sequence[Tried]) -> Steps:
    """`Deliveries.record_handover`: whoever still holds the lease writes."""
    fenced = yield Statement(
        f"""UPDATE handover
            SET status = ?, detail = ?, due_at = {NOW} + ?,
                failures = CASE WHEN ? THEN failures + 1 ELSE 0 END, owner = NULL, lease_until = NULL
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
    waits = outcome.due_seconds is not None
    due = None if outcome.due_seconds is None else min(outcome.due_seconds, LONGEST_WAIT_SECONDS)
    fence = (claim.filing.number, claim.handover.agency, claim.owner, claim.attempt)
    return (status.value, outcome.detail, due, waits, *fence)
