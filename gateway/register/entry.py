"""One entry of the register of certificates and keys, and the states that it goes through."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.filing.findings import Text


class Purpose(StrEnum):
    """What a certificate, list, key or service is for. The words are public."""

    TLS = "tls"
    ADMIN_TLS = "admin-tls"
    NOTICES = "notices"
    AGENCY_TLS = "agency-tls"
    CLIENT = "client"
    ANCHOR = "anchor"
    INTERMEDIATE = "intermediate"
    CLIENT_CA = "client-ca"
    ADMIN_CA = "admin-ca"
    CRL = "crl"
    ADMIN = "admin"
    BODIES = "bodies"
    STATUS_SOURCE = "status-source"
    TSA = "tsa"


class State(StrEnum):
    """Where an entry stands."""

    NEXT = "next"
    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    REVOKED = "revoked"


DOORS = frozenset({Purpose.TLS, Purpose.ADMIN_TLS})
"""Certificates of servers of ours."""
CALLERS = frozenset({Purpose.CLIENT, Purpose.ADMIN})
"""Client certificates: of providers and agencies, and of administrators."""
DOOR_CAS = frozenset({Purpose.CLIENT_CA, Purpose.ADMIN_CA})
"""Authorities of client certificates: those of the machines' door, and those of the administrators'."""
NEVER_NONE = DOORS | {Purpose.NOTICES, Purpose.BODIES}
"""One of these is active at any time, once there is one: where it goes, another one takes over."""
OUR_KEYS = NEVER_NONE | {Purpose.AGENCY_TLS}
"""Of these we hold the key."""
SINGLE = OUR_KEYS | {Purpose.TSA}
"""At most one of these is active, of a party's at most one for each party: the next one takes over from it."""
ASKED = frozenset({Purpose.STATUS_SOURCE, Purpose.TSA})
"""Services of others, by their address."""
BARE = ASKED | {Purpose.BODIES}
"""These have no certificate: `octets` is empty."""
KEPT = frozenset({Purpose.BODIES})
"""What these have made is opened by them later: the one before has no overlap that ends, but is retired by hand."""
IN_FORCE = frozenset({State.ACTIVE, State.RETIRING})

NO_END = datetime(9999, 12, 31, tzinfo=UTC)
"""`valid_to` of what does not end by itself."""

MOVES: Mapping[State, frozenset[State]] = {
    State.NEXT: frozenset({State.ACTIVE, State.RETIRED, State.REVOKED}),
    State.ACTIVE: frozenset({State.RETIRING, State.RETIRED, State.REVOKED}),
    State.RETIRING: frozenset({State.ACTIVE, State.RETIRED, State.REVOKED}),
    State.RETIRED: frozenset({State.NEXT, State.REVOKED}),
    State.REVOKED: frozenset(),
}
"""Every other move is refused."""

STATE_WORDS: Mapping[State, Text] = {
    State.NEXT: Text("sẽ dùng", "comes next"),
    State.ACTIVE: Text("đang dùng", "in use"),
    State.RETIRING: Text("sắp ngừng dùng", "on its way out, still valid"),
    State.RETIRED: Text("đã ngừng dùng", "no longer used"),
    State.REVOKED: Text("đã bị thu hồi", "revoked"),
}


class RegisterRefused(Exception):
    """What is asked of the register cannot be; `texts` say why, in both languages."""

    def __init__(self, *texts: Text) -> None:
        super().__init__("; ".join(text.en for text in texts))
        self.texts = texts


class RegisterConflict(RegisterRefused):
    """The entry has been changed since it was read: look again, then decide."""


@dataclass(frozen=True, slots=True)
class Doubt(Text):
    """What a rehearsal could not find out: told, and no fault."""


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What a rehearsal found. Of the entry with this fingerprint alone; green without faults."""

    fingerprint: str
    at: datetime
    by: str
    faults: tuple[Text, ...] = ()
    checks: tuple[str, ...] = ()
    doubts: tuple[Text, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """What one person proposes, for another to approve: the state, from when, and why."""

    to: State
    by: str
    at: datetime
    why: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NewEntry:
    """What is known of a certificate, list or key before it is in the register.

    `octets`: DER, empty where there is no certificate. `location`: where the key lives, as `[notices]` says it, never
    the key itself. `party`: whose client certificate it is, `provider beta`, or of `agency-tls` whom we call with it,
    `agency tax`. Times are aware.
    """

    purpose: Purpose
    subject: str
    issuer: str
    serial: str
    fingerprint: str
    valid_from: datetime
    valid_to: datetime
    octets: bytes
    party: str = ""
    location: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """By what people name it: purpose and the beginning of the fingerprint (SHA-256, hex). One certificate may be
        ours at several agencies, each with an entry of its own."""
        agency = f"{self.party.removeprefix('agency ')}-" if self.purpose is Purpose.AGENCY_TLS else ""
        return f"{self.purpose.value}-{agency}{self.fingerprint[:12]}"


def of_service(purpose: Purpose, name: str, at: datetime, location: Mapping[str, Any]) -> NewEntry:
    """What the register keeps of a service of others, which is known by its name alone."""
    return NewEntry(
        purpose=purpose,
        subject=name,
        issuer="",
        serial="",
        fingerprint=hashlib.sha256(name.encode()).hexdigest(),
        valid_from=at,
        valid_to=NO_END,
        octets=b"",
        location=location,
    )


@dataclass(frozen=True, slots=True)
class Entry(NewEntry):
    """In the register. `version` counts its changes; `starts_at`, `ends_at`: when it becomes active, or retired."""

    state: State = State.NEXT
    version: int = 1
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    rehearsal: Rehearsal | None = None
    proposal: Proposal | None = None
    changed_by: str = ""
    changed_at: datetime | None = None
    why: str = ""

    @property
    def endless(self) -> bool:
        """Whether it does not end by itself."""
        return self.valid_to >= NO_END

    @property
    def rehearsed(self) -> bool:
        """Whether the last rehearsal was of this very certificate, and green."""
        last = self.rehearsal
        return last is not None and last.fingerprint == self.fingerprint and not last.faults

    def days_left(self, at: datetime) -> int | None:
        """Whole days until it ends; negative once it has, None where it does not end."""
        return None if self.endless else (self.valid_to - at).days


def active(entries: Iterable[Entry], purpose: Purpose, party: str = "") -> Entry | None:
    """The active entry of a purpose that has one, or None before there is any."""
    those = (e for e in entries if (e.purpose, e.party) == (purpose, party))
    return next((e for e in those if e.state is State.ACTIVE), None)


def found(entries: Iterable[Entry], name: str) -> Entry:
    """The entry with this identifier, the only one that begins so, or the only one that is, say, `tls:next`.

    Raises RegisterRefused.
    """
    known = list(entries)
    some = (
        [entry for entry in known if entry.id == name]
        or [entry for entry in known if name and entry.id.startswith(name)]
        or [entry for entry in known if f"{entry.purpose.value}:{entry.state.value}" == name]
    )
    if len(some) != 1:
        raise RegisterRefused(
            Text(
                f"Không có đúng một mục tên là {name}; xem `efile certs list`.",
                f"There is not exactly one entry {name}; see `efile certs list`.",
            )
        )
    return some[0]
