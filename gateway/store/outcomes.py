"""What steps came to: fenced, and in one transaction with all that follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.status import FINAL, Status
from gateway.ports import LONGEST_WAIT_SECONDS, Outcome, Written
from gateway.store.attempts import attempt_of, write_attempts
from gateway.store.lanes import learn
from gateway.store.operations import INSERT_EVENT, INSERT_EVIDENCE, INSERT_NOTICE
from gateway.store.rows import HANDOVER_COLUMNS, Row, handover_row, json_text, notice_row, pack, time_text
from gateway.store.statements import NOW, Part, Statement, Steps


@dataclass(frozen=True, slots=True)
class Attempted:
    """An outcome and the time of business at which it came."""

    outcome: Outcome
    at: datetime


def record_outcome(batch: Sequence[Attempted]) -> Steps:
    """`Deliveries.record_outcome`: whoever still holds the lease writes; the others learn that they do not."""
    fenced = yield Statement(
        f"""UPDATE delivery
            SET due_at = CASE WHEN held IS NULL THEN {NOW} + ? END, agency = ?,
                failures = CASE WHEN ? THEN 0 ELSE failures + 1 END,
                warn_at = CASE WHEN holds = ? THEN warn_at END, warned = CASE WHEN holds = ? THEN warned ELSE 0 END,
                holds = ?, owner = NULL, lease_until = NULL, claimed_at = NULL
            WHERE number = ? AND owner = ? AND attempt = ? RETURNING seq""",
        [_fence_row(item.outcome) for item in batch],
        fetch=True,
    )
    applied = [item for item, rows in zip(batch, fenced, strict=True) if rows]
    yield from _move_on(applied)
    yield from _write_down(applied)
    yield from write_attempts(
        [
            attempt_of(claim.filing.number, "", claim.owner, item.outcome.attempt, item.at)
            for item in applied
            if (claim := item.outcome.claim) and item.outcome.attempt is not None
        ]
    )
    yield from learn([item.outcome.attempt for item in applied])
    return [Written(applied=bool(rows)) for rows in fenced]


def _move_on(applied: Sequence[Attempted]) -> Part:
    """The filing's new place; what is final leaves the queue, and refused bytes may come again."""
    yield Statement(
        """UPDATE filing SET status = ?, agency = COALESCE(?, agency), lead = COALESCE(?, lead),
           lead_name = COALESCE(?, lead_name), agency_reference = COALESCE(?, agency_reference),
           findings = COALESCE(?, findings) WHERE number = ?""",
        [
            (
                item.outcome.status.value,
                item.outcome.agency,
                *(item.outcome.lead or (None, None)),
                item.outcome.reference,
                None if item.outcome.findings is None else json_text(item.outcome.findings),
                item.outcome.claim.filing.number,
            )
            for item in applied
        ],
    )
    yield Statement(
        "DELETE FROM repeat_key WHERE kind = 'bytes' AND number = ? AND provider = ?",  # judged anew from now on
        [
            (item.outcome.claim.filing.number, item.outcome.claim.filing.provider)
            for item in applied
            if item.outcome.status is Status.REFUSED
        ],
    )
    yield Statement(
        "DELETE FROM delivery WHERE number = ?",
        [(item.outcome.claim.filing.number,) for item in applied if item.outcome.status in FINAL],
    )


def _write_down(applied: Sequence[Attempted]) -> Part:
    """What is told and kept: verdict, notice, evidence, event."""
    yield Statement(
        "INSERT INTO verdict (number, verdict) VALUES (?, ?)",
        [
            (item.outcome.claim.filing.number, json_text(item.outcome.verdict))
            for item in applied
            if item.outcome.verdict is not None
        ],
    )
    yield Statement(
        INSERT_NOTICE,
        [
            notice_row(item.outcome.claim.filing.number, item.outcome.notice)
            for item in applied
            if item.outcome.notice is not None
        ],
    )
    yield Statement(
        INSERT_EVIDENCE,
        [
            (item.outcome.claim.filing.number, time_text(item.at), pack(item.outcome.evidence))
            for item in applied
            if item.outcome.evidence is not None
        ],
    )
    yield Statement(
        INSERT_EVENT,
        [
            (item.outcome.claim.filing.number, time_text(item.at), item.outcome.event, item.outcome.detail)
            for item in applied
            if item.outcome.event is not None
        ],
    )
    yield from plan_handovers(
        [(item.outcome.claim.filing.number, item.outcome.handovers, item.at) for item in applied]
    )


def plan_handovers(planned: Sequence[tuple[str, Sequence[Handover], datetime]]) -> Part:
    """Filing number, handovers, time: in the verdict's own transaction, so that none is lost and none comes twice."""
    rows = [(number, handover, at) for number, handovers, at in planned for handover in handovers]
    yield Statement(
        f"""INSERT INTO handover (number, {HANDOVER_COLUMNS}, due_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, {NOW} + ?)
            ON CONFLICT DO NOTHING""",
        [
            (number, *handover_row(one), 0.0 if one.status is HandoverStatus.WAITING else None)
            for number, one, _ in rows
        ],
    )
    yield Statement(
        INSERT_EVENT,
        [
            (number, time_text(at), f"handover-{one.status}", f"{one.name}: {one.detail}".rstrip(": "))
            for number, one, at in rows
        ],
    )


_AT_THE_AGENCY = frozenset({Status.DELIVERING, Status.DELIVERED})
"""The next step speaks to the filing's back-end, within its limits."""


def _fence_row(outcome: Outcome) -> Row:
    """What reaches its agency, or comes back from it, has another deadline before it: `warn_at` begins anew."""
    claim, holds = outcome.claim, int(outcome.status is not Status.DELIVERED)
    due = None if outcome.due_seconds is None else min(outcome.due_seconds, LONGEST_WAIT_SECONDS)
    agency = (outcome.agency or claim.filing.agency or "") if outcome.status in _AT_THE_AGENCY else ""
    fence = (claim.filing.number, claim.owner, claim.attempt)
    return (due, agency, outcome.progress, holds, holds, holds, *fence)
