"""What an operator does with the delivery queue: look, and send a dead letter on its way again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import NotFound
from gateway.filing.handover import HandoverStatus
from gateway.filing.status import Status
from gateway.ports import STATUS_LOST
from gateway.store.operations import HOLD_DELIVERY, INSERT_EVENT
from gateway.store.rows import time_text
from gateway.store.seeds import append_audit
from gateway.store.statements import FOR_UPDATE, NOW, Statement, Steps


class NotStuck(Exception):
    """Only a dead letter can be replayed; the message says where the filing stands."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One filing in the queue. `due_seconds`: until its next step, None for a dead letter."""

    number: str
    status: str
    order_key: str
    agency: str | None
    due_seconds: float | None
    attempts: int
    failures: int
    last_event: str
    last_detail: str


HANDOVERS = f"""
SELECT h.number, h.status, '', h.agency, h.due_at - {NOW}, h.attempt, h.failures, 'handover-' || h.status, h.detail
FROM handover h WHERE h.status IN ('stuck', 'not-joined') OR (? AND h.status = 'waiting') ORDER BY h.seq
"""

WAITING = f"""
SELECT d.number, f.status, d.order_key, f.agency, d.due_at - {NOW}, d.attempt, d.failures, e.name, e.detail
FROM delivery d JOIN filing f ON f.number = d.number
JOIN event e ON e.seq = (SELECT max(seq) FROM event WHERE number = d.number)
WHERE f.status = 'stuck' OR ? ORDER BY d.seq
"""


@dataclass(frozen=True, slots=True)
class Replay:
    """An operator's order, with who and why for the audit record."""

    number: str
    actor: str
    why: str
    at: datetime
    agency: str | None = None
    """A cooperating agency: only its handover is sent on its way again."""


def replay_handover(batch: Sequence[Replay]) -> Steps:
    """A handover that is stuck, or whose agency had not joined, waits again."""
    results: list[NotFound | NotStuck | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT status, name FROM handover WHERE number = ? AND agency = ? {FOR_UPDATE}",
            [(order.number, order.agency)],
            fetch=True,
        )
        if not found:
            results.append(NotFound(f"{order.number} {order.agency}"))
        elif found[0][0] not in (HandoverStatus.STUCK, HandoverStatus.NOT_JOINED):
            results.append(NotStuck(f"{order.number} {order.agency} is {found[0][0]}, not stuck"))
        else:
            yield Statement(
                f"""UPDATE handover SET status = 'waiting', detail = '', due_at = {NOW}, failures = 0
                    WHERE number = ? AND agency = ?""",
                [(order.number, order.agency)],
            )
            told = f"{found[0][1]}: {order.why}"
            yield Statement(INSERT_EVENT, [(order.number, time_text(order.at), "handover-replayed", told)])
            subject = f"{order.number} {order.agency}"
            yield from append_audit(order.at, order.actor, "handover.replay", subject, order.why)
            results.append(None)
    return results


def replay(batch: Sequence[Replay]) -> Steps:
    """A stuck filing becomes `acknowledged` again: it is routed anew, since its route may have been the trouble.

    One whose certificate's status was lost becomes `provisional`: its signatures are judged before anything else.
    """
    results: list[NotFound | NotStuck | None] = []
    for order in batch:
        yield Statement(HOLD_DELIVERY, [(order.number,)], fetch=True)
        (found,) = yield Statement(
            "SELECT status FROM filing WHERE number = ?", [(order.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(order.number))
            continue
        if found[0][0] != Status.STUCK:
            results.append(NotStuck(f"{order.number} is {found[0][0]}, not stuck"))
            continue
        yield Statement(
            f"""UPDATE delivery SET due_at = CASE WHEN held IS NULL THEN {NOW} END, agency = '', failures = 0,
                owner = NULL, lease_until = NULL, claimed_at = NULL WHERE number = ?""",
            [(order.number,)],
        )
        (why_stuck,) = yield Statement(
            "SELECT name FROM event WHERE number = ? AND name IN (?, 'stuck') ORDER BY seq DESC LIMIT 1",
            [(order.number, STATUS_LOST)],
            fetch=True,
        )
        lost = bool(why_stuck) and why_stuck[0][0] == STATUS_LOST
        status = Status.PROVISIONAL if lost else Status.ACKNOWLEDGED
        yield Statement("UPDATE filing SET status = ? WHERE number = ?", [(status.value, order.number)])
        yield Statement(INSERT_EVENT, [(order.number, time_text(order.at), "replayed", order.why)])
        yield from append_audit(order.at, order.actor, "filing.replay", order.number, order.why)
        results.append(None)
    return results
