"""Claims on both queues: taken lane by lane within the agencies' limits, fenced, renewed while their node lives."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.attempt import AttemptResult
from gateway.filing.status import Status
from gateway.ports import Claim, HandoverClaim
from gateway.store.attempts import NewAttempt, write_attempts
from gateway.store.lanes import DELIVERY, HANDOVER, Queue, open_lanes, room
from gateway.store.operations import FARTHEST, READ_FILING
from gateway.store.rows import HANDOVER_COLUMNS, Row, filing_of, handover_of, time_of_seconds
from gateway.store.statements import NOW, SKIP_LOCKED, Statement, Steps

Rows = Generator[Statement, list[list[Row]], list[Row]]


@dataclass(frozen=True, slots=True)
class Request:
    """A worker's wish for work at a time of business."""

    owner: str
    limit: int
    lease_seconds: float
    at: datetime


def claim_due(batch: Sequence[Request]) -> Steps:
    """`Deliveries.claim_due`: one request after another, so that no filing is claimed twice in a batch."""
    results = []
    for request in batch:
        claimed = yield from _claim(DELIVERY, request)
        read = yield Statement(READ_FILING, [(row[0],) for row in claimed], fetch=True)
        claims = [
            Claim(filing_of(rows[0]), request.owner, attempt, failures)
            for (_, attempt, failures, *_), rows in zip(claimed, read, strict=True)
        ]
        yield from write_attempts(
            [
                _lost(row, request, handover="", step=_STEPS.get(claim.filing.status, "route"))
                for row, claim in zip(claimed, claims, strict=True)
                if row[3] is not None
            ]
        )
        results.append(claims)
    return results


def claim_handovers(batch: Sequence[Request]) -> Steps:
    """`Deliveries.claim_handovers`."""
    results = []
    for request in batch:
        claimed = yield from _claim(HANDOVER, request)
        read = yield Statement(READ_FILING, [(row[0],) for row in claimed], fetch=True)
        claims = [
            HandoverClaim(filing_of(rows[0]), handover_of(columns), request.owner, attempt, failures)
            for (_, attempt, failures, _, _, _, *columns), rows in zip(claimed, read, strict=True)
        ]
        yield from write_attempts(
            [
                _lost(row, request, handover=claim.handover.agency, step="hand-over")
                for row, claim in zip(claimed, claims, strict=True)
                if row[3] is not None
            ]
        )
        results.append(claims)
    return results


_STEPS = {Status.PROVISIONAL: "recheck", Status.DELIVERING: "deliver", Status.DELIVERED: "track"}


def _claim(queue: Queue, request: Request) -> Rows:
    """Each lane its share, rows without an agency too, which bind nobody; then what others left over."""
    lanes = ["", *(yield from open_lanes(queue, request.at))]
    claimed: list[Row] = []
    wants = dict.fromkeys(lanes, True)
    while (left := request.limit - len(claimed)) > 0 and (hungry := [lane for lane in lanes if wants[lane]]):
        share = -(-left // len(hungry))
        for lane in hungry:
            wish = min(share, request.limit - len(claimed))
            allowed = (yield from room(lane, wish)) if lane and wish else wish
            taken = (yield from _take(queue, lane, allowed, request)) if allowed else []
            claimed += taken
            wants[lane] = 0 < wish == len(taken)
    return claimed


def _take(queue: Queue, lane: str, limit: int, request: Request) -> Rows:
    """What is due, and where that is not enough, what a clock that was ahead has made due too late."""
    taken: list[Row] = []
    for when in (f"<= {NOW}", f"> {FARTHEST}"):
        if len(taken) < limit:
            row = (lane, limit - len(taken), request.owner, request.lease_seconds)
            (rows,) = yield Statement(_sql(queue, when), [row], fetch=True)
            taken += rows
    return taken


def _sql(queue: Queue, when: str) -> str:
    """A lane's index of due times is followed: no long queue is sorted for a claim. Materialized: picked once."""
    in_turn, columns = "", ""
    if queue is DELIVERY:
        in_turn = """AND NOT EXISTS (SELECT 1 FROM delivery e
            WHERE e.order_key = q.order_key AND e.holds = 1 AND e.seq < q.seq)"""
    else:
        columns = f", {HANDOVER_COLUMNS}"
    return f"""
WITH picked AS MATERIALIZED (
    SELECT q.seq FROM {queue.table} q WHERE {queue.free(when).format(lane="?")} {in_turn}
    ORDER BY q.due_at LIMIT ? {SKIP_LOCKED})
UPDATE {queue.table} SET lost_owner = owner, lost_at = claimed_at,
    owner = ?, claimed_at = {NOW}, lease_until = {NOW} + ?, attempt = attempt + 1
WHERE seq IN (SELECT seq FROM picked)
RETURNING number, attempt, failures, lost_owner, lost_at, {queue.lane}{columns}
"""


def _lost(row: Row, request: Request, *, handover: str, step: str) -> NewAttempt:
    """What the claim's last owner did, it never wrote: it died, or was too slow."""
    number, _, _, owner, since, agency, *_ = row
    began = request.at if since is None else time_of_seconds(since)
    return NewAttempt(number, handover, step, agency, owner, AttemptResult.LOST, "", began, request.at, None)


@dataclass(frozen=True, slots=True)
class Renewal:
    """A claim whose node lives."""

    claim: Claim | HandoverClaim
    lease_seconds: float


def renew(batch: Sequence[Renewal]) -> Steps:
    """`Deliveries.renew`: False for a claim that is not its owner's any more."""
    renewed = yield Statement(
        f"UPDATE delivery SET lease_until = {NOW} + ? WHERE number = ? AND owner = ? AND attempt = ? RETURNING seq",
        [(one.lease_seconds, *_fence(one.claim)) for one in batch],
        fetch=True,
    )
    return [bool(rows) for rows in renewed]


def renew_handover(batch: Sequence[Renewal]) -> Steps:
    """`Deliveries.renew_handover`."""
    renewed = yield Statement(
        f"""UPDATE handover SET lease_until = {NOW} + ?
            WHERE number = ? AND agency = ? AND owner = ? AND attempt = ? RETURNING seq""",
        [(one.lease_seconds, *_fence(one.claim)) for one in batch],
        fetch=True,
    )
    return [bool(rows) for rows in renewed]


def _fence(claim: Claim | HandoverClaim) -> Row:
    about = (claim.handover.agency,) if isinstance(claim, HandoverClaim) else ()
    return (claim.filing.number, *about, claim.owner, claim.attempt)
