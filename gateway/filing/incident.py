"""An agency that could not be reached (sự cố), as an operator declares it: filings of its last day count as in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class Incident:
    """`agency`: the back-end. `first`, `until`: aware; None: it goes on."""

    id: str
    agency: str
    first: datetime
    until: datetime | None
    why: str
    declared_by: str
    declared_at: datetime


@dataclass(frozen=True, slots=True)
class InTime:
    """Why a filing counts as filed in time: the incident, and the last day of the term, which it met."""

    incident: Incident
    last_day: date
