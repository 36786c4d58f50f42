"""Maintenance windows: when an agency is not called. Vietnam's time, written by people in the settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.filing.identifiers import VIETNAM

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(
    r"(?P<days>daily|[a-z]{3}(?:,[a-z]{3})*) (?P<from>\d\d:\d\d)-(?P<until>\d\d:\d\d)", re.ASCII
)
_ONCE = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d)/(\d{4}-\d\d-\d\dT\d\d:\d\d)", re.ASCII)
_MIDNIGHT = "24:00"


@dataclass(frozen=True, slots=True)
class Window:
    """Once (`start`, aware), or on each of `weekdays` (Monday is 0) from that time of day on; for so long."""

    lasts: timedelta
    start: datetime | None = None
    weekdays: frozenset[int] = frozenset()
    begins: time = time()

    def end(self, at: datetime) -> datetime | None:
        """When the window that is open at `at` closes; None where it is not open."""
        local = at.astimezone(VIETNAM)
        days = (local.date(), local.date() - timedelta(days=1))  # yesterday's may last over midnight
        starts = (
            [self.start]
            if self.start is not None
            else [
                datetime.combine(day, self.begins, VIETNAM) for day in days if day.weekday() in self.weekdays
            ]
        )
        return max((one + self.lasts for one in starts if one <= at < one + self.lasts), default=None)


def read_windows(texts: Iterable[str]) -> tuple[Window, ...]:
    """`daily 22:00-23:30`, `sat,sun 22:00-02:00` (over midnight), `2026-12-31T22:00/2027-01-01T06:00`; to 24:00 too.

    Raises:
        ValueError: not of these forms, no such day or time, or as long as nothing.
    """
    return tuple(_read(text) for text in texts)


def closed_until(windows: Sequence[Window], at: datetime) -> datetime | None:
    """When the agency may be called again; None where it may be called at `at`. Windows may follow on each other."""
    end = None
    while found := [one for window in windows if (one := window.end(end or at)) is not None]:
        end = max(found)
        if end - at > timedelta(days=7):  # windows all round the clock
            break
    return end


def _read(text: str) -> Window:
    if once := _ONCE.fullmatch(text):
        start, end = (datetime.fromisoformat(part).replace(tzinfo=VIETNAM) for part in once.groups())
        return Window(_positive(end - start, text), start)
    weekly = _WEEKLY.fullmatch(text)
    if weekly is None:
        raise ValueError(
            f"{text!r} is no maintenance window: daily 22:00-23:30, sat,sun 22:00-02:00, "
            "or 2026-12-31T22:00/2027-01-01T06:00"
        )
    days = _DAYS if weekly["days"] == "daily" else tuple(weekly["days"].split(","))
    if unknown := [day for day in days if day not in _DAYS]:
        raise ValueError(f"{text!r}: {', '.join(unknown)} is no day of the week ({', '.join(_DAYS)})")
    begins, ends = _minutes(weekly["from"]), _minutes(weekly["until"])
    lasts = timedelta(minutes=ends - begins if ends > begins else ends - begins + 24 * 60)
    if begins in (ends, 24 * 60):
        raise ValueError(f"{text!r} lasts for no time")
    return Window(lasts, None, frozenset(map(_DAYS.index, days)), time(begins // 60, begins % 60))


def _minutes(text: str) -> int:
    """Of the day. Raises ValueError."""
    if text == _MIDNIGHT:
        return 24 * 60
    found = time.fromisoformat(text)
    return found.hour * 60 + found.minute


def _positive(lasts: timedelta, text: str) -> timedelta:
    if lasts <= timedelta():
        raise ValueError(f"{text!r} lasts for no time")
    return lasts
