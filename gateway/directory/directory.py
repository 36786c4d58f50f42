"""The directory of agencies: route(service, place, day).

Three tables, read whole and checked whole (data/README.md says what their columns mean). Every row is in force from a
day until a day, both included, on the Vietnamese calendar; what was merged or abolished keeps its rows.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar, get_args

OWN_DIRECTORY = Path(__file__).parent / "data"

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
Level = Literal["province", "district", "commune"]
LEVELS: tuple[Level, ...] = get_args(Level)
MAX_BYTES = 8_000_000  # of a table
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_PLACE = re.compile(r"[0-9]{2,5}")
_AGENCY_CODE = re.compile(r"(?:[0-9A-Z][0-9A-Z.]{0,34})?")


class DirectoryError(Exception):
    """The tables cannot be used; `faults` names everything that is wrong with them."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("the directory of agencies is faulty:\n" + "\n".join(faults))
        self.faults = tuple(faults)


class NoRoute(Exception):
    """No agency can be told from the tables; the message says which row is missing. An operator's to mend."""


class Span(NamedTuple):
    """Both days included."""

    first: date
    last: date

    def __contains__(self, day: object) -> bool:
        return isinstance(day, date) and self.first <= day <= self.last

    def overlaps(self, other: Span) -> bool:
        return self.first <= other.last and other.first <= self.last


@dataclass(frozen=True, slots=True)
class Place:
    """A province, district or commune by its official code; `parent` is what holds it, "" for a province."""

    code: str
    level: Level
    parent: str
    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Office:
    """A kind of agency at a place, or (`place` = "*commune") one at every place of a level."""

    id: str
    place: str
    code: str
    name_vi: str
    name_en: str
    span: Span


@dataclass(frozen=True, slots=True)
class Service:
    """Who leads a service, or cooperates in it (liên thông)."""

    id: str
    role: Literal["lead", "cooperating"]
    office: str
    span: Span


@dataclass(frozen=True, slots=True)
class Agency:
    """One agency on one day. `id` is its office's, with the place's code where every place has its own."""

    id: str
    office: str
    code: str
    name_vi: str
    name_en: str


@dataclass(frozen=True, slots=True)
class Route:
    """`missing`: cooperating offices that no agency could be found for, with the reason."""

    lead: Agency
    cooperating: tuple[Agency, ...]
    missing: tuple[tuple[str, str], ...] = ()


class Directory:
    """The tables in force; never changed once made."""

    def __init__(
        self, places: Sequence[Place], offices: Sequence[Office], services: Sequence[Service]
    ) -> None:
        self._places = _by(places, lambda place: place.code)
        self._offices = _by(offices, lambda office: office.id)
        self._services = _by(services, lambda service: service.id)

    @property
    def services(self) -> tuple[str, ...]:
        """In the order of the table."""
        return tuple(self._services)

    def route(self, service: str, places: Sequence[str], day: date) -> Route:
        """Who gets a filing of this service, filed on this day for this place.

        `places`: the codes that the filing names, the smallest first; none: the province that the directory is of.

        Raises:
            NoRoute: nobody, and why.
        """
        rows = [row for row in self._services.get(service, ()) if day in row.span]
        leads = [row.office for row in rows if row.role == "lead"]
        if not leads:
            raise NoRoute(f"no agency leads the service {service} on {day}")
        chain = self._chain(places, day)
        cooperating, missing = [], []
        for office in (row.office for row in rows if row.role == "cooperating"):
            try:
                cooperating.append(self._agency(office, chain, places, day))
            except NoRoute as error:
                missing.append((office, str(error)))
        return Route(self._agency(leads[0], chain, places, day), tuple(cooperating), tuple(missing))

    def offices_of(self, service: str, day: date) -> Iterator[tuple[Service, Office]]:
        """What the tables say of a service, wherever it is: for people to read."""
        for row in self._services.get(service, ()):
            if day in row.span:
                for office in self._offices.get(row.office, ()):
                    if day in office.span:
                        yield row, office

    def _chain(self, places: Sequence[str], day: date) -> list[Place]:
        """The smallest place that is known, and all that hold it."""
        place = next((found for code in places if (found := self._place(code, day))), None)
        if place is None and not places:
            provinces = [
                one
                for rows in self._places.values()
                for one in rows
                if one.level == "province" and day in one.span
            ]
            place = provinces[0] if len(provinces) == 1 else None
        chain: list[Place] = []
        while place is not None and len(chain) < len(LEVELS):
            chain.append(place)
            place = self._place(place.parent, day)
        return chain

    def _place(self, code: str, day: date) -> Place | None:
        return next((place for place in self._places.get(code, ()) if day in place.span), None)

    def _agency(self, office: str, chain: Sequence[Place], named: Sequence[str], day: date) -> Agency:
        rows = [row for row in self._offices.get(office, ()) if day in row.span]
        for place in chain:
            for row in rows:
                if row.place == place.code:
                    return Agency(row.id, row.id, row.code, row.name_vi, row.name_en)
                if row.place == f"*{place.level}":
                    names = (name.replace("{place}", place.name) for name in (row.name_vi, row.name_en))
                    return Agency(f"{row.id}-{place.code}", row.id, row.code, *names)
        said = ", ".join(named) or "no place"
        raise NoRoute(f"no {office} on {day} for {said}: the directory has no such place or office")


def _by(rows: Sequence[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    found: dict[K, list[T]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return found


def load_directory(directory: Path) -> Directory:
    """Read places.csv, offices.csv and services.csv.

    Raises:
        DirectoryError: with every fault of every table.
    """
    reader = _Tables(directory)
    places = [
        Place(row["code"], row["level"], row["parent"], row["name_vi"], span)  # type: ignore[arg-type]
        for row, span in reader.rows("places", ("code", "level", "parent", "name_vi"))
        if reader.check(_PLACE.fullmatch(row["code"]), "a place's code has 2 to 5 digits")
        and reader.check(row["level"] in LEVELS, f"level is one of {', '.join(LEVELS)}")
        and reader.check(
            bool(row["parent"]) == (row["level"] != "province"), "all but provinces have a parent"
        )
    ]
    offices = [
        Office(row["office"], row["place"], row["code"], row["name_vi"], row["name_en"], span)
        for row, span in reader.rows("offices", ("office", "place", "code", "name_vi", "name_en"))
        if reader.check(_ID.fullmatch(row["office"]), "an office is named in a-z, 0-9 and hyphens")
        and reader.check(
            _AGENCY_CODE.fullmatch(row["code"]), "an agency's code has up to 35 of 0-9, A-Z and dots"
        )
    ]
    services = [
        Service(row["service"], row["role"], row["office"], span)  # type: ignore[arg-type]
        for row, span in reader.rows("services", ("service", "role", "office"))
        if reader.check(_ID.fullmatch(row["service"]), "a service is named in a-z, 0-9 and hyphens")
        and reader.check(row["role"] in ("lead", "cooperating"), "role is lead or cooperating")
    ]
    faults = [
        *reader.faults,
        *_place_faults(places),
        *_office_faults(offices, places),
        *_service_faults(services, offices),
    ]
    if faults:
        raise DirectoryError(faults)
    return Directory(places, offices, services)


class _Tables:
    """Reads the tables and keeps their faults, each with its file and line."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._at = ""
        self.faults: list[str] = []

    def rows(self, name: str, columns: tuple[str, ...]) -> Iterator[tuple[dict[str, str], Span]]:
        file = self._directory / f"{name}.csv"
        wanted = [*columns, "from", "until"]
        try:
            if file.stat().st_size > MAX_BYTES:
                self.faults.append(f"{file.name}: larger than {MAX_BYTES} bytes")
                return
            lines = file.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            self.faults.append(f"{file.name}: {error}")
            return
        numbered = [
            (number, line)
            for number, line in enumerate(lines, 1)
            if line.strip() and not line.startswith("#")
        ]
        table = csv.reader((line for _, line in numbered), strict=True)
        try:
            if next(table, None) != wanted:
                self.faults.append(f"{file.name}: its first line must be {','.join(wanted)}")
                return
            for (number, _), cells in zip(numbered[1:], table, strict=False):
                self._at = f"{file.name}, line {number}"
                span = (
                    self._span(cells[-2:])
                    if self.check(len(cells) == len(wanted), f"{len(wanted)} columns")
                    else None
                )
                if span is not None:
                    yield dict(zip(wanted, cells, strict=True)), span
        except csv.Error as error:
            self.faults.append(f"{file.name}: {error}")

    def check(self, holds: object, wanted: str) -> bool:
        if not holds:
            self.faults.append(f"{self._at}: {wanted}")
        return bool(holds)

    def _span(self, cells: Sequence[str]) -> Span | None:
        try:
            span = Span(date.fromisoformat(cells[0]), date.fromisoformat(cells[1]))
        except ValueError as error:
            self.faults.append(f"{self._at}: {error}")
            return None
        return span if self.check(span.first <= span.last, "it ends before it begins") else None


def _place_faults(places: Sequence[Place]) -> Iterator[str]:
    by_code = _by(places, lambda place: place.code)
    for code, rows in by_code.items():
        yield from _overlaps("places.csv", f"the place {code}", [row.span for row in rows])
    for place in places:
        parents = by_code.get(place.parent, [])
        if place.parent and not any(parent.span.overlaps(place.span) for parent in parents):
            yield f"places.csv: {place.code} lies in {place.parent}, which is no place then"
        if any(LEVELS.index(parent.level) >= LEVELS.index(place.level) for parent in parents):
            yield f"places.csv: {place.code} lies in {place.parent}, which is not of a higher level"


def _office_faults(offices: Sequence[Office], places: Sequence[Place]) -> Iterator[str]:
    known = {place.code for place in places} | {f"*{level}" for level in LEVELS}
    for office in offices:
        if office.place not in known:
            yield f"offices.csv: {office.id} is at {office.place}, which is neither a place nor a *level"
    for (id, place), rows in _by(offices, lambda office: (office.id, office.place)).items():
        yield from _overlaps("offices.csv", f"{id} at {place}", [row.span for row in rows])


def _service_faults(services: Sequence[Service], offices: Sequence[Office]) -> Iterator[str]:
    known = {office.id for office in offices}
    for service in services:
        if service.office not in known:
            yield f"services.csv: {service.id} names the office {service.office}, which is not in offices.csv"
    for id, rows in _by([row for row in services if row.role == "lead"], lambda row: row.id).items():
        yield from _overlaps("services.csv", f"the lead of {id}", [row.span for row in rows])
    for (id, office), rows in _by(services, lambda row: (row.id, row.office)).items():
        yield from _overlaps("services.csv", f"{office} of {id}", [row.span for row in rows])


def _overlaps(file: str, what: str, spans: Sequence[Span]) -> Iterator[str]:
    ordered = sorted(spans)
    for one, two in pairwise(ordered):
        if one.overlaps(two):
            yield f"{file}: {what} has two rows for {two.first}"
