"""Working days of Vietnam's authorities: Monday to Friday, without days off, with the days they are swapped for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Literal

from gateway.filing.identifiers import VIETNAM

Kind = Literal["off", "working"]
_SATURDAY = 5


class WorkingDays:
    """`days`: what differs from the plain week. Years of which none is known are reckoned by the week alone."""

    def __init__(self, days: Mapping[date, Kind]) -> None:
        self._days = dict(days)
        self._years = {day.year for day in days}

    def knows(self, day: date) -> bool:
        """Whether the days off of its year are known."""
        return day.year in self._years

    def works(self, day: date) -> bool:
        """Whether it is a working day."""
        kind = self._days.get(day)
        return day.weekday() < _SATURDAY if kind is None else kind == "working"

    def end_of(self, count: int, start: datetime) -> datetime:
        """The end (24:00, Vietnam) of the `count`th working day after the day of `start`.

        The day on which it begins does not count (Bộ luật Dân sự 2015, điều 147).
        """
        day = start.astimezone(VIETNAM).date()
        while count:
            day += timedelta(days=1)
            count -= self.works(day)
        return datetime.combine(day + timedelta(days=1), time(), VIETNAM)
