"""The register's rows, and what is asked of it: orders, each with who, when and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from gateway.register.entry import Entry, NewEntry, Proposal, Purpose, Rehearsal, State
from gateway.store.rows import Row

COLUMNS = (
    "id, purpose, party, subject, issuer, serial, fingerprint, valid_from, valid_to, octets, location, "
    "state, version, starts_at, ends_at, rehearsal, proposal, changed_by, changed_at, why"
)
READ_ENTRIES = f"SELECT {COLUMNS} FROM certificate ORDER BY purpose, party, valid_to, id"
DUE = """
SELECT count(*) FROM certificate
WHERE (state = 'next' AND starts_at <= ?) OR (state IN ('active', 'retiring') AND ends_at <= ?)
"""
Overlaps = Mapping[Purpose, timedelta]


@dataclass(frozen=True, slots=True)
class Hand:
    """By whose hand something is done, when and why."""

    actor: str
    at: datetime
    why: str = ""


@dataclass(frozen=True, slots=True)
class Adoption:
    """What the settings file names: it enters the register as active, once, and takes over from what was before.

    `beside`: what it names to open what was sealed; that enters as retiring.
    """

    entries: tuple[NewEntry, ...]
    actor: str
    at: datetime
    overlaps: Overlaps = field(default_factory=dict)
    beside: tuple[NewEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """A new entry, as next."""

    entry: NewEntry
    actor: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Move:
    """Bring the entry `id`, seen at `version`, into a state, or at a time.

    `rehearsed_since`: without a green rehearsal since then it is not activated; None: it need not be. `four_eyes`:
    it is proposed only. `successor`: the next entry that takes over where the one in use is revoked.
    """

    id: str
    version: int
    to: State
    actor: str
    at: datetime
    why: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rehearsed_since: datetime | None = None
    four_eyes: bool = False
    successor: str | None = None
    overlaps: Overlaps = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Approval:
    """A second person's: what was proposed is done."""

    id: str
    version: int
    actor: str
    at: datetime
    rehearsed_since: datetime | None = None
    overlaps: Overlaps = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What a rehearsal of the entry found."""

    id: str
    rehearsal: Rehearsal


@dataclass(frozen=True, slots=True)
class Due:
    """Do what was scheduled up to `at`."""

    at: datetime
    overlaps: Overlaps = field(default_factory=dict)


def entry_of(row: Row) -> Entry:
    """From a row in the order of COLUMNS."""
    return Entry(
        purpose=Purpose(row[1]),
        party=row[2],
        subject=row[3],
        issuer=row[4],
        serial=row[5],
        fingerprint=row[6],
        valid_from=datetime.fromisoformat(row[7]),
        valid_to=datetime.fromisoformat(row[8]),
        octets=row[9],
        location=msgspec.json.decode(row[10]),
        state=State(row[11]),
        version=row[12],
        starts_at=_time(row[13]),
        ends_at=_time(row[14]),
        rehearsal=None if row[15] is None else msgspec.json.decode(row[15], type=Rehearsal),
        proposal=None if row[16] is None else msgspec.json.decode(row[16], type=Proposal),
        changed_by=row[17],
        changed_at=_time(row[18]),
        why=row[19],
    )


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
