"""What an administrator does with the register: one implementation, for the command line and for every other door.

Each act names who does it and why, and goes by the policy of the day.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from cryptography import x509

import signing
from gateway.admin.people import ACTOR
from gateway.agency_keys import require_called_with_certificate
from gateway.body_keys import new_body_key
from gateway.filing.findings import Text
from gateway.notice_keys import open_notice_key, settings_of_location
from gateway.ports import Clock, Provider
from gateway.register.entry import (
    ASKED,
    BARE,
    CALLERS,
    DOOR_CAS,
    IN_FORCE,
    OUR_KEYS,
    SINGLE,
    Doubt,
    Entry,
    NewEntry,
    Purpose,
    RegisterRefused,
    Rehearsal,
    State,
    active,
    found,
)
from gateway.register.plan import Step, plan
from gateway.register.policy import RegisterPolicy, policy_at
from gateway.register.reading import fingerprint_of, of_certificate, of_crl
from gateway.register.rehearsal import CHECKS, Stage, rehearse, retirement_faults
from gateway.register.way_in import SHUT_OUT, shuts_out
from gateway.reloaded import client_cas, doors
from gateway.settings import Settings
from gateway.status_sources import entry_of_source
from gateway.store.register import Addition, Approval, Move
from gateway.store.store import Store
from gateway.store.taken_over import TakenOver
from gateway.time_stamps import entry_of_tsa

_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 10.0
"""In which every process that serves has looked at a coming key of bodies."""
_OF_TRUST = DOOR_CAS | {Purpose.ANCHOR, Purpose.INTERMEDIATE}


@dataclass(frozen=True, slots=True)
class Who:
    """Who acts, and why; both stand in the audit record. `version`: of the entry as he saw it, None: as it is now."""

    name: str
    why: str
    version: int | None = None


class Certificates:
    """The acts. What cannot be is refused by RegisterRefused, with the reason in both languages."""

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    @property
    def store(self) -> Store:
        """Where the register lies."""
        return self._store

    @property
    def policy(self) -> RegisterPolicy:
        """That of today."""
        return policy_at(self._settings.register.policy, self._clock())

    async def entries(self) -> list[Entry]:
        """The whole register."""
        return await self._store.entries()

    async def timeline(self) -> tuple[Step, ...]:
        """What happens when."""
        return plan(await self.entries(), self.policy, self._clock())

    async def add_key(self, purpose: Purpose, location: dict[str, Any], who: Who, party: str = "") -> Entry:
        """A key of ours comes next: for a door, for notices, or for calls to an agency, the party. Raises
        signing.KeyRefused, ConfigurationError, OSError, ValueError."""
        if purpose not in OUR_KEYS - BARE:
            listed = ", ".join(sorted(OUR_KEYS - BARE))
            raise RegisterRefused(
                Text(f"Chỉ {listed} có khóa với chứng thư.", f"Only {listed} have a key with a certificate.")
            )
        certificate = await asyncio.to_thread(_certificate_of, location)
        return await self._add(of_certificate(purpose, certificate, party=party, location=location), who)

    async def add_body_key(self, name: str, file: Path, who: Who) -> Entry:
        """A key of bodies comes next, under a name that no other has had. Raises ConfigurationError."""
        return await self._add(await asyncio.to_thread(new_body_key, name, file, self._clock()), who)

    async def add_certificate(
        self, purpose: Purpose, octets: bytes, who: Who, party: str = ""
    ) -> list[Entry]:
        """Certificates (PEM, DER, PKCS#7) or lists of others come next; each is an entry. Raises ValueError."""
        if purpose in OUR_KEYS:
            raise RegisterRefused(Text("Cần chỉ ra khóa.", "Where its key lives must be said."))
        if purpose is Purpose.CRL:
            new = [of_crl(der) for der in signing.read_crls(octets)]
        else:
            new = [of_certificate(purpose, one, party=party) for one in signing.read_certificates(octets)]
        return [await self._add(one, who) for one in new]

    async def add_source(self, place: str, who: Who, *, responder: bool = False) -> Entry:
        """A host that may be asked for revocation lists, or of an OCSP `responder`, comes next: the host, or an address
        there. Raises ValueError."""
        return await self._add(entry_of_source(place, self._clock(), responder=responder), who)

    async def add_tsa(self, url: str, who: Who) -> Entry:
        """The time-stamping authority at an address comes next. Raises ValueError."""
        return await self._add(entry_of_tsa(url, self._clock()), who)

    async def _add(self, new: NewEntry, who: Who) -> Entry:
        if new.purpose in CALLERS:
            kind, _, id = new.party.partition(" ")
            known = {one.id for one in await self._store.agencies()}
            if kind == "provider":
                known = {provider.id for provider, _ in await self._store.providers()}
            if new.purpose is Purpose.ADMIN:
                known = {person.name for person in await self._store.people()}
            if id not in known:
                raise RegisterRefused(Text(f"Không có {new.party}.", f"There is no {new.party}."))
        if new.purpose is Purpose.AGENCY_TLS:
            require_called_with_certificate(new.party, await self._store.agencies())
        return await self._store.add_entry(Addition(new, who.name, self._clock(), who.why))

    async def rehearse(self, name: str, who: Who) -> Entry:
        """Try it in a shadow, as of the time at which it is to take over (a service of others: as it is now); what was
        found is kept with the entry."""
        entries = await self.entries()
        entry = found(entries, name)
        at = self._clock()
        agencies = await self._store.agencies()
        then = at if entry.purpose in ASKED else max(at, entry.starts_at or at)
        stage = Stage(self._settings, entries, self.policy, then, agencies)
        told = await asyncio.to_thread(rehearse, entry, stage)
        faults = tuple(text for text in told if not isinstance(text, Doubt))
        doubts = tuple(Text(text.vi, text.en) for text in told if isinstance(text, Doubt))
        if entry.purpose is Purpose.BODIES:
            faults = (*faults, *(await self._elsewhere(entry)))
        return await self._store.record_rehearsal(
            entry.id, Rehearsal(entry.fingerprint, at, who.name, faults, CHECKS, doubts)
        )

    async def activate(
        self, name: str, who: Who, *, at: datetime | None = None, force: bool = False
    ) -> Entry:
        """It takes over, now or `at`; without a green rehearsal only by force."""
        entry = found(await self.entries(), name)
        return await self._store.move_entry(self._move(entry, State.ACTIVE, who, force=force, starts_at=at))

    async def retire(self, name: str, who: Who, *, at: datetime | None = None, force: bool = False) -> Entry:
        """It is used, or trusted, no more, from now or from `at` on; not what all depends on, unless by force."""
        entries = await self.entries()
        entry = found(entries, name)
        current = active(entries, Purpose.BODIES)
        if entry.purpose is Purpose.BODIES and current is not None:
            await self.require_taken_over(current)
        if not force:
            stage = Stage(self._settings, entries, self.policy, self._clock())
            if faults := await asyncio.to_thread(retirement_faults, entry, stage):
                raise RegisterRefused(*faults)
            await self._require_way_in(entry, entries)
        return await self._store.move_entry(self._move(entry, State.RETIRED, who, ends_at=at))

    async def distrust(self, octets: bytes, who: Who, *, force: bool = False) -> Entry:
        """A certificate (PEM, DER) is trusted no more, also where only a file has it. Raises ValueError."""
        (one,) = signing.read_certificates(octets)
        entries = await self.entries()
        print_ = fingerprint_of(one)
        known = {e.purpose: e for e in entries if e.fingerprint == print_ and e.purpose in _OF_TRUST}
        at_doors = [cas for cas, door in doors(self._settings).items() if one in client_cas(door, entries)]
        counts = [*at_doors, *(purpose for purpose, entry in known.items() if entry.state in IN_FORCE)]
        for purpose in dict.fromkeys(counts or known or [Purpose.ANCHOR]):
            entry = known.get(purpose) or await self._add(of_certificate(purpose, one), who)
            retired = await self.retire(entry.id, who, force=force)
        return retired

    async def _require_way_in(self, entry: Entry, entries: Sequence[Entry]) -> None:
        """Raises RegisterRefused where, without this authority, nobody could let anybody in again at the door."""
        door = self._settings.admin
        if entry.purpose is not Purpose.ADMIN_CA or door is None:
            return
        if await asyncio.to_thread(shuts_out, entry, entries, door, await self._store.people()):
            raise RegisterRefused(SHUT_OUT)

    async def require_taken_over(self, entry: Entry) -> None:
        """Every process that serves has this key, and its work is no longer under another. Raises RegisterRefused."""
        if faults := await self._elsewhere(entry):
            raise RegisterRefused(*faults)

    async def _elsewhere(self, entry: Entry) -> list[Text]:
        """Which of the processes that serve cannot have a key, and why."""
        epoch = await self._store.epoch()
        _, processes = await self.effect(_ANSWER_SECONDS)
        late = [one.process for one in processes if one.epoch < epoch]
        told = [(one.process, fault) for one in processes for fault in one.faults if entry.id in fault]
        return [
            *(Text(f"{one} chưa trả lời.", f"{one} has not answered yet.") for one in late),
            *(
                Text(f"{one}: không dùng được (nguyên văn: {why}).", f"{one} cannot use it: {why}")
                for one, why in told
            ),
        ]

    async def providers(self) -> list[tuple[Provider, str | None]]:
        """All, each with why it is suspended, or None."""
        return await self._store.providers()

    async def suspend(self, provider: str, who: Who, *, suspended: bool = True) -> None:
        """From its next request on it is refused, or served again. Raises NotFound."""
        await self._store.suspend_provider(provider, who.name, who.why, suspended=suspended)

    async def revoke(self, name: str, who: Who, *, force: bool = False) -> Entry:
        """At once and for good, by one person; where one must be in use, the next one takes over in the same act."""
        entries = await self.entries()
        entry = found(entries, name)
        if who.name.startswith(ACTOR):
            await self._require_way_in(entry, entries)
        successor = None
        if entry.purpose in SINGLE and entry.state is State.ACTIVE:
            alike = [e for e in entries if (e.purpose, e.party) == (entry.purpose, entry.party)]
            coming = [e for e in alike if e.state is State.NEXT]
            ready = [e for e in coming if e.rehearsed] or coming
            successor = ready[0].id if ready else None
        move = self._move(entry, State.REVOKED, who, force=force)
        return await self._store.move_entry(replace(move, successor=successor, four_eyes=False))

    async def approve(self, name: str, who: Who) -> Entry:
        """Do what another person has proposed."""
        entries = await self.entries()
        entry = found(entries, name)
        goes = entry.proposal is not None and entry.proposal.to is State.RETIRED
        if goes and who.name.startswith(ACTOR):
            await self._require_way_in(entry, entries)
        version = entry.version if who.version is None else who.version
        at = self._clock()
        since = self.policy.rehearsed_since(at)
        return await self._store.approve_entry(
            Approval(entry.id, version, who.name, at, since, self.policy.overlaps)
        )

    def _move(
        self,
        entry: Entry,
        to: State,
        who: Who,
        *,
        force: bool = False,
        starts_at: datetime | None = None,
        ends_at: datetime | None = None,
    ) -> Move:
        policy, at = self.policy, self._clock()
        return Move(
            entry.id,
            entry.version if who.version is None else who.version,
            to,
            who.name,
            at,
            f"forced: {who.why}" if force else who.why,
            starts_at=starts_at,
            ends_at=ends_at,
            rehearsed_since=None if force else policy.rehearsed_since(at),
            four_eyes=entry.purpose in policy.four_eyes,
            overlaps=policy.overlaps,
        )

    async def effect(self, seconds: float) -> tuple[bool, list[TakenOver]]:
        """Wait until every process that serves has taken over what the register says now; whether all have."""
        epoch = await self._store.epoch()
        deadline = asyncio.get_running_loop().time() + seconds
        while True:
            processes = [one for one in await self._store.taken_over() if not _gone(one.process)]
            if all(one.epoch >= epoch for one in processes):
                return True, processes
            if asyncio.get_running_loop().time() > deadline:
                return False, processes
            await asyncio.sleep(_LOOK_SECONDS)


def _gone(process: str) -> bool:
    """Whether it was one of this machine and has ended, however it ended."""
    host, _, pid = process.rpartition(":")
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except OSError:  # another account's
        return False
    return False


def _certificate_of(location: dict[str, Any]) -> x509.Certificate:
    """Of a key in PEM its file, which is not opened with its key yet; else what the key's place says."""
    if "certificate" in location and "key" in location:
        with open(location["certificate"], "rb") as file:
            return x509.load_pem_x509_certificates(file.read())[0]
    return open_notice_key(settings_of_location(location)).certificate
