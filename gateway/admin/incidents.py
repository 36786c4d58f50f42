"""Incidents as administrators see, declare and end them: one implementation for all their doors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import Incident
from gateway.store.incidents import IncidentRefused
from gateway.store.store import Store


async def declare(
    store: Store, agency: str, *, first: datetime, until: datetime | None, why: str, who: str
) -> Incident:
    """Declare that a back-end could not be reached; `why` is told to the filers. Raises NotFound, IncidentRefused."""
    if until is not None and until <= first:
        raise IncidentRefused(
            "thời điểm kết thúc sớm hơn thời điểm bắt đầu", "its end lies before its beginning"
        )
    return await store.declare_incident(agency, first, until, why, who)


def incident_json(one: Incident) -> dict[str, Any]:
    """For machines; times with Vietnam's offset, to the minute."""
    return {
        "id": one.id,
        "agency": one.agency,
        "from": minutes(one.first),
        "until": minutes(one.until) if one.until else None,
        "why": one.why,
        "declaredBy": one.declared_by,
        "declaredAt": minutes(one.declared_at),
    }


def minutes(at: datetime) -> str:
    """ISO 8601 with Vietnam's offset, to the minute."""
    return at.astimezone(VIETNAM).isoformat(timespec="minutes")
