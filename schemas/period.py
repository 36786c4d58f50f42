"""Tax periods as declarations write them.

Months, quarters, years, single days; and days on the Vietnamese calendar.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, timezone
from typing import Literal, get_args

PeriodKind = Literal["M", "Q", "Y", "D"]

VIETNAM = timezone(timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam time: UTC+7 all year since 1975, hence no time-zone database."""

PERIOD_EXAMPLES: dict[PeriodKind, str] = {"M": "06/2026", "Q": "2/2026", "Y": "2026", "D": "15/06/2026"}

_FORMS = {
    "M": re.compile(r"(?P<month>0?[1-9]|1[0-2])/(?P<year>(?:19|20)[0-9]{2})"),
    "Q": re.compile(r"(?P<quarter>[1-4])/(?P<year>(?:19|20)[0-9]{2})"),
    "Y": re.compile(r"(?P<year>(?:19|20)[0-9]{2})"),
}
_DAY = re.compile(r"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


@dataclass(frozen=True, slots=True)
class Period:
    """A tax period.

    `raw` is kyKKhai as filed; `label` is how notices print it: Q2/2026, 06/2026, 2026, 15/06/2026.
    """

    kind: PeriodKind
    raw: str
    label: str
    start: date
    end: date


def is_period_kind(text: str) -> bool:
    return text in get_args(PeriodKind)


def read_period(kind: str, raw: str) -> Period | None:
    """The period that `kieuKy` and `kyKKhai` name; None where they do not fit each other."""
    if kind == "D":
        day = read_day(raw)
        return Period("D", raw, raw, day, day) if day else None
    form = _FORMS.get(kind)
    match = form.fullmatch(raw) if form else None
    if match is None:
        return None
    year = int(match["year"])
    if kind == "M":
        month = int(match["month"])
        return Period("M", raw, f"{month:02d}/{year}", date(year, month, 1), month_end(year, month))
    if kind == "Q":
        quarter = int(match["quarter"])
        start = date(year, 3 * quarter - 2, 1)
        return Period("Q", raw, f"Q{quarter}/{year}", start, month_end(year, 3 * quarter))
    return Period("Y", raw, raw, date(year, 1, 1), date(year, 12, 31))


MOST_MONTHS = 15
"""Of a first or last tax year (Luật Thuế thu nhập doanh nghiệp; TT 80/2021/TT-BTC): longer ones are two years."""


def financial_year(period: Period, first: date | None, last: date | None) -> Period | None:
    """The tax year `period` with the days that a declaration gives for it, where it is not the calendar's.

    It begins or ends in the year that names it, and lasts MOST_MONTHS at most. None where the days are no such year.
    """
    year = period.start.year
    if first is None or last is None or not first <= last or year not in (first.year, last.year):
        return None
    if (last.year - first.year) * 12 + last.month - first.month >= MOST_MONTHS + (last.day < first.day):
        return None
    return replace(period, start=first, end=last)


def month_end(year: int, month: int) -> date:
    return date(year, month, calendar.monthrange(year, month)[1])


def due_date(period: Period, *, months: int | None, day: int, days: int = 0) -> date:
    """Day `day` of the month `months` after the period's last month, clipped to its last day, and `days` after.

    Where `months` is None, `days` after the period's end.
    """
    if months is None:
        return period.end + timedelta(days=days)
    month0 = period.end.month - 1 + months
    last = month_end(period.end.year + month0 // 12, month0 % 12 + 1)
    return last.replace(day=min(day, last.day)) + timedelta(days=days)


def read_day(text: str) -> date | None:
    """A day dd/MM/yyyy; None where it is not one or does not exist."""
    match = _DAY.fullmatch(text)
    return _day(match[3], match[2], match[1]) if match else None


def read_iso_day(text: str) -> date | None:
    """A day yyyy-MM-dd; None where it is not one or does not exist."""
    match = _ISO_DAY.fullmatch(text)
    return _day(match[1], match[2], match[3]) if match else None


def _day(year: str, month: str, day: str) -> date | None:
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        return None


def show_day(day: date) -> str:
    return f"{day:%d/%m}/{day.year:04d}"  # %Y does not pad years below 1000 everywhere


def vietnam_day(at: datetime) -> date:
    """The calendar day in Vietnam at the aware time `at`; ValueError for a naive one."""
    if at.tzinfo is None:
        raise ValueError("an aware datetime is needed")
    return at.astimezone(VIETNAM).date()
