"""By when what is due: receipt, forwarding and verdict, by service and date of receipt, as two tables say.

The tables are read whole and checked whole (data/README.md says what their columns mean).
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path

from gateway.calendar.working_days import Kind, WorkingDays
from gateway.filing.identifiers import VIETNAM

OWN_CALENDAR = Path(__file__).parent / "data"
MAX_BYTES = 1_000_000  # of a table
_DAYS = ("day", "kind", "name_vi", "name_en", "source")
_TERMS = ("service", "milestone", "amount", "unit", "source", "from", "until")
_ANY = "*"
_MOST = 1000
UNITS = ("minutes", "hours", "working-days")


class CalendarError(Exception):
    """The tables cannot be used; `faults` names everything that is wrong with them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("the calendar is faulty:\n" + "\n".join(faults))
        self.faults = tuple(faults)


class Milestone(StrEnum):
    """What a term runs for, from the receipt on."""

    RECEIPT = "receipt"
    FORWARDING = "forwarding"
    VERDICT = "verdict"


@dataclass(frozen=True, slots=True)
class Term:
    """One row: from the receipt of a filing of this service in that time on, so much time."""

    service: str
    milestone: Milestone
    amount: int
    unit: str
    first: date
    last: date


class Deadlines:
    """The tables in force; never changed once made. `basis` names their contents."""

    def __init__(self, terms: Sequence[Term], days: WorkingDays, basis: str) -> None:
        self._terms = terms
        self.days = days
        self.basis = basis

    def of(self, milestone: Milestone, services: Sequence[str], received: datetime) -> datetime | None:
        """By when (aware), for a filing received then. None: nobody has told us a term.

        `services`: the names under which the table may have it, the narrowest first; "*" is tried last.
        """
        day = received.astimezone(VIETNAM).date()
        for name in (*services, _ANY):
            for term in self._terms:
                if (term.service, term.milestone) == (name, milestone) and term.first <= day <= term.last:
                    return self._end(term, received)
        return None

    def _end(self, term: Term, received: datetime) -> datetime:
        if term.unit == "working-days":
            return self.days.end_of(term.amount, received)
        return received + timedelta(**{term.unit: term.amount})


def load_deadlines(folder: Path) -> Deadlines:
    """Read days.csv and terms.csv.

    Raises:
        CalendarError: with every fault of both tables.
    """
    reader = _Tables(folder)
    days: dict[date, Kind] = {}
    for row in reader.rows("days", _DAYS):
        day = date.fromisoformat(row["day"])
        reader.check(row["kind"] in ("off", "working"), "kind is off or working")
        reader.check(day not in days, f"{day} comes twice")
        days[day] = row["kind"]  # type: ignore[assignment]
    terms = [term for row in reader.rows("terms", _TERMS) if (term := _term(row, reader)) is not None]
    for number, one in enumerate(terms):
        for other in terms[:number]:
            if (one.service, one.milestone) == (other.service, other.milestone):
                apart = one.last < other.first or other.last < one.first
                reader.check(apart, f"{one.service} has two terms for its {one.milestone} on one day")
    if reader.faults:
        raise CalendarError(reader.faults)
    return Deadlines(terms, WorkingDays(days), reader.digest.hexdigest())


def _term(row: dict[str, str], reader: _Tables) -> Term | None:
    amount = int(row["amount"]) if row["amount"].isdecimal() else 0
    first, last = date.fromisoformat(row["from"]), date.fromisoformat(row["until"])
    holds = [
        reader.check(bool(row["service"]), "a service, a family, or *"),
        reader.check(row["milestone"] in list(Milestone), f"milestone is one of {', '.join(Milestone)}"),
        reader.check(0 < amount <= _MOST, f"amount is 1 to {_MOST}"),
        reader.check(row["unit"] in UNITS, f"unit is one of {', '.join(UNITS)}"),
        reader.check(first <= last, "it ends before it begins"),
    ]
    if not all(holds):
        return None
    return Term(row["service"], Milestone(row["milestone"]), amount, row["unit"], first, last)


class _Tables:
    """Reads the tables and keeps their faults, each with its file and line."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._at = ""
        self.faults: list[str] = []
        self.digest = hashlib.sha256()

    def rows(self, name: str, columns: Sequence[str]) -> Iterator[dict[str, str]]:
        """Rows as dictionaries; one whose dates cannot be read is left out, and told."""
        file = self._folder / f"{name}.csv"
        self._at = file.name
        try:
            octets = file.read_bytes()[: MAX_BYTES + 1]
            lines = octets.decode("utf-8").splitlines()
        except (OSError, ValueError) as error:
            self.faults.append(f"{file.name}: {error}")
            return
        self.digest.update(octets)
        if not self.check(len(octets) <= MAX_BYTES, f"larger than {MAX_BYTES} bytes"):
            return
        numbered = [(n, line) for n, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
        table = csv.reader((line for _, line in numbered), strict=True)
        try:
            if not self.check(next(table, None) == list(columns), f"its first line is {','.join(columns)}"):
                return
            for (number, _), cells in zip(numbered[1:], table, strict=False):
                self._at = f"{file.name}, line {number}"
                if self.check(len(cells) == len(columns), f"{len(columns)} columns"):
                    row = dict(zip(columns, cells, strict=True))
                    if all(self._is_day(row[name]) for name in ("day", "from", "until") if name in row):
                        yield row
        except csv.Error as error:
            self.faults.append(f"{file.name}: {error}")

    def check(self, holds: bool, wanted: str) -> bool:
        """Note the fault where it does not hold."""
        if not holds:
            self.faults.append(f"{self._at}: {wanted}")
        return holds

    def _is_day(self, text: str) -> bool:
        try:
            date.fromisoformat(text)
        except ValueError:
            return self.check(holds=False, wanted=f"{text!r} is no day (YYYY-MM-DD)")
        return True
