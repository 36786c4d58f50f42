"""What an operator does with the delivery queue: replay, hold, release. Each order leaves an audit entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import NotFound
from gateway.filing.findings import Text
from gateway.filing.handover import HandoverStatus
from gateway.filing.status import WORDS, Status
from gateway.ports import STATUS_LOST
from gateway.store.audit import append_audit
from gateway.store.operations import HOLD_DELIVERY, INSERT_EVENT
from gateway.store.rows import time_text
from gateway.store.statements import FOR_UPDATE, NOW, Statement, Steps


class OrderRefused(Exception):
    """What an operator asks for cannot be, as things stand; `text` says why, in both languages."""

    def __init__(self, vi: str, en: str) -> None:
        self.text = Text(vi, en)
        super().__init__(str(self.text))


class NotStuck(OrderRefused):
    """Only a dead letter can be replayed; the text says where the filing stands."""


class NotHeld(OrderRefused):
    """Only what is held can be released, and only what is not, held."""


@dataclass(frozen=True, slots=True)
class Order:
    """An operator's order, with who and why for the audit record.

    `number`: a filing's, or an agency's identifier where the order is about a back-end. `agency`: a cooperating
    agency, where the order is about its handover alone.
    """

    number: str
    actor: str
    why: str
    at: datetime
    agency: str | None = None


def replay_handover(batch: Sequence[Order]) -> Steps:
    """A handover that is stuck, or whose agency had not joined, waits again."""
    results: list[NotFound | NotStuck | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT status, name FROM handover WHERE number = ? AND agency = ? {FOR_UPDATE}",
            [(order.number, order.agency)],
            fetch=True,
        )
        (body,) = yield Statement("SELECT 1 FROM body WHERE number = ?", [(order.number,)], fetch=True)
        if not found:
            results.append(NotFound(f"{order.number} {order.agency}"))
        elif not body:
            results.append(
                NotStuck(
                    f"{order.number}: tài liệu không còn được lưu",
                    f"{order.number}: its document is no longer kept",
                )
            )
        elif found[0][0] not in (HandoverStatus.STUCK, HandoverStatus.NOT_JOINED):
            results.append(
                NotStuck(
                    f"{order.number} {order.agency}: {found[0][0]}, không bị ách lại",
                    f"{order.number} {order.agency} is {found[0][0]}, not stuck",
                )
            )
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


def replay(batch: Sequence[Order]) -> Steps:
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
            results.append(
                NotStuck(
                    f"{order.number} không bị ách lại: {WORDS[Status(found[0][0])][0]}",
                    f"{order.number} is {found[0][0]}, not stuck",
                )
            )
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


def hold(batch: Sequence[Order]) -> Steps:
    """A filing stays where it is, and holds the later ones of its order; what is under way ends as it ends."""
    results: list[NotFound | NotHeld | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT held FROM delivery WHERE number = ? {FOR_UPDATE}", [(order.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(f"{order.number} is not in the queue"))
        elif found[0][0] is not None:
            results.append(
                NotHeld(
                    f"{order.number} đã bị giữ: {found[0][0]}",
                    f"{order.number} is held already: {found[0][0]}",
                )
            )
        else:
            yield Statement(
                "UPDATE delivery SET held = ?, due_at = NULL WHERE number = ?", [(order.why, order.number)]
            )
            yield Statement(INSERT_EVENT, [(order.number, time_text(order.at), "held", order.why)])
            yield from append_audit(order.at, order.actor, "filing.hold", order.number, order.why)
            results.append(None)
    return results


def release(batch: Sequence[Order]) -> Steps:
    """A held filing goes on at once; a stuck one stays stuck, but can be replayed."""
    results: list[NotFound | NotHeld | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT held FROM delivery WHERE number = ? {FOR_UPDATE}", [(order.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(f"{order.number} is not in the queue"))
        elif found[0][0] is None:
            results.append(NotHeld(f"{order.number} không bị giữ", f"{order.number} is not held"))
        else:
            yield Statement(
                f"""UPDATE delivery SET held = NULL, due_at = {NOW} WHERE number = ? AND NOT EXISTS (
                    SELECT 1 FROM filing f WHERE f.number = delivery.number AND f.status = 'stuck')""",
                [(order.number,)],
            )
            yield Statement("UPDATE delivery SET held = NULL WHERE number = ?", [(order.number,)])
            yield Statement(INSERT_EVENT, [(order.number, time_text(order.at), "released", order.why)])
            yield from append_audit(order.at, order.actor, "filing.release", order.number, order.why)
            results.append(None)
    return results


def hold_agency(batch: Sequence[Order]) -> Steps:
    """Nothing is sent to, or asked of, a back-end by any process until it is released."""
    return (yield from _switch(batch, "agency.hold", held=True))


def release_agency(batch: Sequence[Order]) -> Steps:
    """The back-end is called again, from the next claim on."""
    return (yield from _switch(batch, "agency.release", held=False))


def _switch(batch: Sequence[Order], act: str, *, held: bool) -> Steps:
    results: list[NotFound | NotHeld | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT held FROM agency WHERE id = ? {FOR_UPDATE}", [(order.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(f"no agency {order.number}"))
        elif (found[0][0] is not None) is held:
            results.append(
                NotHeld(
                    f"{order.number} {'đã bị giữ' if held else 'không bị giữ'}",
                    f"{order.number} is {'held already' if held else 'not held'}",
                )
            )
        else:
            yield Statement(
                "UPDATE agency SET held = ? WHERE id = ?", [(order.why if held else None, order.number)]
            )
            yield from append_audit(order.at, order.actor, act, order.number, order.why)
            results.append(None)
    return results
