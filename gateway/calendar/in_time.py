"""Which filings count as in time by an incident: the authority down on the last day (TT 19/2021, TT 89/2026)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from gateway.calendar.working_days import WorkingDays
from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import Incident, InTime


def in_time_by(
    incidents: Iterable[Incident], days: WorkingDays, *, agency: str, due: date, received: datetime
) -> InTime | None:
    """The incident by which a filing counts as in time; None where none touches it.

    The term's last day is `due`, or the next working day where that is a day off (Bộ luật Dân sự 2015, điều 148). Where
    the agency was down on that day, what is received from then until the end of the day after it is back (the next
    working day, where that is a day off) counts as filed on it.
    """
    last, day = working(due, days), received.astimezone(VIETNAM).date()
    for incident in incidents:
        began = incident.first.astimezone(VIETNAM).date()
        ended = incident.until.astimezone(VIETNAM).date() if incident.until else None
        touches = began <= last and (ended is None or last <= ended)
        grace = None if ended is None else working(ended + timedelta(days=1), days)
        if incident.agency == agency and touches and began <= day and (grace is None or day <= grace):
            return InTime(incident, last)
    return None


def working(day: date, days: WorkingDays) -> date:
    """The day itself, or the next one that is worked."""
    while not days.works(day):
        day += timedelta(days=1)
    return day
