"""Incidents: declared and ended by an operator, each with an audit entry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.errors import NotFound
from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import Incident
from gateway.store.audit import append_audit
from gateway.store.orders import OrderRefused
from gateway.store.rows import Row, time_text
from gateway.store.statements import FOR_UPDATE, Statement, Steps

READ_INCIDENTS = """
SELECT id, agency, from_at, until_at, why, declared_by, declared_at FROM incident ORDER BY from_at, id
"""


class IncidentRefused(OrderRefused):
    """What is asked of an incident cannot be."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """An incident as it is declared: everything but its name."""

    agency: str
    first: datetime
    until: datetime | None
    why: str
    actor: str
    at: datetime


def declare(batch: Sequence[Declaration]) -> Steps:
    """Answers the incident with its name, `SC-20261221-1`: by its first day, counted within it."""
    results: list[Incident | NotFound] = []
    for one in batch:
        (known,) = yield Statement(
            f"SELECT id FROM agency WHERE id = ? {FOR_UPDATE}", [(one.agency,)], fetch=True
        )
        if not known:
            results.append(NotFound(f"no agency {one.agency}"))
            continue
        stem = f"SC-{one.first.astimezone(VIETNAM):%Y%m%d}-"
        detail = f"{time_text(one.first)} – {time_text(one.until) if one.until else ''}: {one.why}"
        yield from append_audit(one.at, one.actor, "incident.declare", one.agency, detail)
        (counted,) = yield Statement(
            "SELECT count(*) FROM incident WHERE id LIKE ?", [(f"{stem}%",)], fetch=True
        )
        incident = Incident(
            f"{stem}{counted[0][0] + 1}", one.agency, one.first, one.until, one.why, one.actor, one.at
        )
        yield Statement(
            """INSERT INTO incident (id, agency, from_at, until_at, why, declared_by, declared_at)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            [_incident_row(incident)],
        )
        results.append(incident)
    return results


@dataclass(frozen=True, slots=True)
class End:
    """The agency is back since `until`."""

    id: str
    until: datetime
    why: str
    actor: str
    at: datetime


def end(batch: Sequence[End]) -> Steps:
    """Only what goes on can end, and not before it began."""
    results: list[NotFound | IncidentRefused | None] = []
    for one in batch:
        (found,) = yield Statement(
            f"SELECT from_at, until_at FROM incident WHERE id = ? {FOR_UPDATE}", [(one.id,)], fetch=True
        )
        if not found:
            results.append(NotFound(f"no incident {one.id}"))
        elif found[0][1] is not None:
            results.append(
                IncidentRefused(
                    f"{one.id} đã kết thúc lúc {found[0][1]}", f"{one.id} has ended already, at {found[0][1]}"
                )
            )
        elif time_text(one.until) <= found[0][0]:
            results.append(
                IncidentRefused(
                    f"{one.id} bắt đầu lúc {found[0][0]}, không thể kết thúc trước đó",
                    f"{one.id} began at {found[0][0]}, not before its end",
                )
            )
        else:
            yield Statement("UPDATE incident SET until_at = ? WHERE id = ?", [(time_text(one.until), one.id)])
            detail = f"{time_text(one.until)}: {one.why}"
            yield from append_audit(one.at, one.actor, "incident.end", one.id, detail)
            results.append(None)
    return results


def _incident_row(one: Incident) -> Row:
    until = None if one.until is None else time_text(one.until)
    return (
        one.id, one.agency, time_text(one.first), until, one.why, one.declared_by, time_text(one.declared_at)
    )  # fmt: skip


def incident_of(row: Row) -> Incident:
    """From a row of READ_INCIDENTS."""
    id, agency, first, until, why, by, at = row
    return Incident(
        id,
        agency,
        datetime.fromisoformat(first),
        None if until is None else datetime.fromisoformat(until),
        why,
        by,
        datetime.fromisoformat(at),
    )
