"""How long what a filing left behind is kept after it has ended (accepted, rejected or refused)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

UNREAD = "unread"
"""As a family: refused documents that could not be read as any."""

_TERM = re.compile(r"([1-9][0-9]{0,3}) (day|month|year)s?", re.ASCII)


class Part(StrEnum):
    """What a term is about. RECORD: the filing with all that belongs to it, notices and story included."""

    BODY = "body"
    PAPERS = "papers"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Rule:
    """A family's part goes when its `term` ("10 years", "18 months", "90 days") is over."""

    family: str
    part: Part
    term: str

    def __str__(self) -> str:
        return f"{self.family} {self.part}: {self.term}"


@dataclass(frozen=True, slots=True)
class Held:
    """A filing that must not be removed, whatever its term, and why."""

    number: str
    why: str


@dataclass(frozen=True, slots=True)
class Removed:
    """What stays of a filing whose record is gone: its document's SHA-256 (hex) and those of its notices, by kind."""

    number: str
    digest: str
    notices: Mapping[str, str]
    removed_at: datetime
    rule: str


def before(term: str, at: datetime) -> datetime:
    """What ended before this moment is past its term at `at`. Raises ValueError for what is no term."""
    found = _TERM.fullmatch(term)
    if found is None:
        raise ValueError(f"{term!r} is no term: 90 days, 18 months, 10 years")
    count, unit = int(found[1]), found[2]
    if unit == "day":
        return at - timedelta(days=count)
    months = at.year * 12 + at.month - 1 - count * (12 if unit == "year" else 1)
    if months < 12:
        raise ValueError(f"{term!r} is no term: longer than time")
    year, month = divmod(months, 12)
    first = at.replace(year=year, month=month + 1, day=1)
    return min(first + timedelta(days=at.day - 1), _next_month(first) - timedelta(days=1))


def rules_of(family: str, terms: Mapping[str, str]) -> list[Rule]:
    """The rules that a family's terms (by part) make. Raises ValueError, with every fault."""
    faults = list(_faults(family, terms))
    if faults:
        raise ValueError("; ".join(faults))
    return [Rule(family, Part(part), term) for part, term in terms.items()]


def _faults(family: str, terms: Mapping[str, str]) -> Iterator[str]:
    now = datetime(2000, 1, 1)  # noqa: DTZ001 - to compare terms with each other
    ends = {}
    for part, term in terms.items():
        try:
            ends[part] = before(term, now)
        except ValueError as error:
            yield f"{family} {part}: {error}"
    if any(ends[part] < ends.get("record", ends[part]) for part in ends):
        yield f"{family}: the record goes with all its parts, and may not go before one of them"


def _next_month(first: datetime) -> datetime:
    return (first + timedelta(days=31)).replace(day=1)
