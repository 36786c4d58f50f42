"""A verdict that an agency brings by itself: the first one stays, what comes later is told ever more seldom."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import BadRequest, NotFound
from gateway.filing.filing import SignedNotice
from gateway.filing.findings import Text
from gateway.filing.handover import Handover
from gateway.filing.status import Status
from gateway.filing.story import told
from gateway.filing.verdict import Verdict
from gateway.ports import Concluded
from gateway.store.operations import HOLD_DELIVERY, INSERT_EVENT, INSERT_NOTICE, READ_FILING
from gateway.store.outcomes import plan_handovers
from gateway.store.rows import Row, filing_of, json_text, notice_row, time_text, verdict_of
from gateway.store.statements import Statement, Steps

WITH_THE_AGENCY = frozenset({Status.DELIVERING, Status.DELIVERED, Status.STUCK})
"""Only a filing that has left, or may have left, can get a verdict."""


@dataclass(frozen=True, slots=True)
class VerdictArrival:
    """A verdict that came by callback."""

    number: str
    verdict: Verdict
    notice: SignedNotice
    handovers: tuple[Handover, ...]
    at: datetime


def record_verdict(batch: Sequence[VerdictArrival]) -> Steps:
    """`Deliveries.record_verdict`: the first verdict stays; a later one is a repeat or a contradiction."""
    results: list[Concluded | Exception] = []
    for item in batch:
        yield Statement(
            HOLD_DELIVERY, [(item.number,)], fetch=True
        )  # against an outcome written at the same time
        (found,) = yield Statement(READ_FILING, [(item.number,)], fetch=True)
        (earlier,) = yield Statement(
            "SELECT verdict FROM verdict WHERE number = ?", [(item.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(item.number))
        elif earlier:
            results.append((yield from _repeated_verdict(item, verdict_of(earlier[0][0]))))
        elif filing_of(found[0]).status not in WITH_THE_AGENCY:
            detail = Text(
                f"Hồ sơ {item.number} chưa được chuyển đến cơ quan nào",
                f"{item.number} has not been sent to any agency",
            )
            results.append(BadRequest("verdict.not-delivered", detail))
        else:
            results.append((yield from _first_verdict(item)))
    return results


def _first_verdict(item: VerdictArrival) -> Generator[Statement, list[list[Row]], Concluded]:
    verdict = item.verdict
    yield Statement(
        "INSERT INTO verdict (number, verdict) VALUES (?, ?)", [(item.number, json_text(verdict))]
    )
    yield Statement(
        "UPDATE filing SET status = ?, agency_reference = COALESCE(?, agency_reference) WHERE number = ?",
        [(verdict.status.value, verdict.reference, item.number)],
    )
    yield Statement(INSERT_NOTICE, [notice_row(item.number, item.notice)])
    yield Statement("DELETE FROM delivery WHERE number = ?", [(item.number,)])
    yield Statement(INSERT_EVENT, [(item.number, time_text(item.at), verdict.status.value, "callback")])
    yield from plan_handovers([(item.number, item.handovers, item.at)])
    return Concluded(verdict, first=True, contradicts=False)


def _repeated_verdict(
    item: VerdictArrival, earlier: Verdict
) -> Generator[Statement, list[list[Row]], Concluded]:
    contradicts = earlier.status is not item.verdict.status
    name, column = (
        ("verdict-contradicted", "contradictions") if contradicts else ("verdict-repeated", "repeats")
    )
    (counted,) = yield Statement(
        f"UPDATE verdict SET {column} = {column} + 1 WHERE number = ? RETURNING {column}",
        [(item.number,)],
        fetch=True,
    )
    if told(name, counted[0][0] - 1):
        digest = hashlib.sha256(json_text(item.verdict).encode()).hexdigest()
        detail = f"{item.verdict.status} {item.verdict.reference or '-'} sha256:{digest}"
        yield Statement(INSERT_EVENT, [(item.number, time_text(item.at), name, detail)])
    return Concluded(earlier, first=False, contradicts=contradicts)
