"""How a process that serves takes over what the register says, without a restart: trust, then the doors, then notices,
then bodies, then who is asked for certificates' status and for time stamps, then how agencies are called.

What cannot be taken over is told, and the old goes on; but a key that was revoked signs nothing any more. Files that
hang hold up nothing else for long.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog

import signing
from gateway.agency_keys import AgencyKeys
from gateway.api.clients import ClientTrust
from gateway.beside import Beside, Hanging
from gateway.body_keys import renew_keys
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.intake.verify import SignatureRules
from gateway.jobs.refresh import Reloading
from gateway.notary import XmlNotary
from gateway.notice_keys import open_entry
from gateway.ports import Clock
from gateway.production import require_no_development_key
from gateway.register.entry import Entry, Purpose, State, active
from gateway.register.plan import warning_level
from gateway.register.policy import RegisterPolicy, policy_at
from gateway.register.reading import fingerprint_of
from gateway.reloaded import RegisterView
from gateway.served import ServedDoor
from gateway.settings import Settings
from gateway.status_sources import StatusSources
from gateway.store.sealing import BodyKeys
from gateway.store.store import Store
from gateway.store.taken_over import TakenOver
from gateway.time_stamps import TimeStamps

log = structlog.get_logger("register")
_SAY_SECONDS = 15.0
"""A process says so often that it lives."""
_LOAD_SECONDS = 30.0
"""For what is more than a small file: a trust store, or a key that another machine has."""
_AGAIN_LOOKS = 5.0
"""What could not be taken over is tried again after so many looks."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What of the process is exchanged. `policy`: until another one is read."""

    view: RegisterView
    rules: Reloading[SignatureRules]
    clients: tuple[Reloading[ClientTrust], ...]
    notary: XmlNotary
    doors: tuple[ServedDoor, ...]
    agencies: AgencyKeys
    bodies: BodyKeys
    sources: StatusSources
    stamps: TimeStamps
    policy: RegisterPolicy


class Rotation:
    """Looks at the store's epoch every `[register] poll_seconds`."""

    def __init__(self, settings: Settings, store: Store, parts: Parts, now: Clock, process: str) -> None:
        """`process`: the name under which it says what it has taken over."""
        self._settings = settings
        self._store = store
        self._parts = parts
        self._now = now
        self._epoch = 0
        self._files = Beside()
        self._policy = parts.policy
        self._faults: tuple[str, ...] = ()
        self._said = self._tried = float("-inf")
        self._trouble: str | None = None
        self._warned: set[tuple[str, int]] = set()
        self._process = process

    async def run(self) -> None:
        """Until cancelled; a store that cannot be read is asked again."""
        while True:
            try:
                await self.look()
            except StoreUnavailable:
                pass
            except Exception as error:  # whatever is wrong with the register, intake goes on with what it has
                known, self._trouble = self._trouble, repr(error)
                if known != self._trouble:
                    log.exception("register-not-read")
            await asyncio.sleep(self._settings.register.poll_seconds)

    async def look(self) -> None:
        """Take over what has changed. Raises StoreUnavailable."""
        clock = asyncio.get_running_loop().time()
        at = self._now()
        policy = await self._policy_at(at)
        await self._store.carry_out_due(at, policy.overlaps)
        epoch = await self._store.epoch()
        again = (
            bool(self._faults) and clock - self._tried > _AGAIN_LOOKS * self._settings.register.poll_seconds
        )
        if epoch != self._epoch or again or await self._parts.agencies.changed(self._parts.view.entries):
            self._tried = clock
            self._parts.view.entries = tuple(await self._store.entries())
            faults = await self._take_over(at)
            if faults != self._faults or epoch != self._epoch:
                self._said = float("-inf")
                for fault in faults:
                    log.error("register-not-taken-over", fault=fault)
            self._epoch, self._faults = epoch, faults
        self._warn(policy, at)
        if clock - self._said > _SAY_SECONDS:
            self._said = clock
            await self._store.report_taken_over(TakenOver(self._process, self._epoch, self._faults))

    async def _policy_at(self, at: datetime) -> RegisterPolicy:
        """A file that is broken or hangs meanwhile keeps nobody from revoking a key: the policy before it counts."""
        file = self._settings.register.policy
        with suppress(ConfigurationError, OSError):
            self._policy = await self._files.read("policy", lambda: policy_at(file, at))
        return self._policy

    async def _take_over(self, at: datetime) -> tuple[str, ...]:
        faults = list[str]()
        read: tuple[Reloading[Any], ...] = (self._parts.rules, *self._parts.clients)
        steps: tuple[Callable[[datetime], Awaitable[str | None]], ...] = (
            *(partial(self._trust, one) for one in read),
            *(partial(self._door, one) for one in self._parts.doors),
            self._notices,
            self._bodies,
        )
        for step in steps:
            try:
                fault = await step(at)
            except (signing.KeyRefused, ConfigurationError, OSError, ValueError) as error:
                fault = str(error)  # ssl.SSLError is an OSError
            if fault is not None:
                faults.append(fault)
        self._parts.sources.take_over(self._parts.view.entries)
        self._parts.stamps.take_over(self._parts.view.entries)
        return (*faults, *await self._parts.agencies.take_over(self._parts.view.entries))

    async def _trust(self, one: Reloading[Any], _: datetime) -> str | None:
        await self._files.read(f"trust {id(one)}", one.refresh, seconds=_LOAD_SECONDS)
        return one.fault

    async def _door(self, one: ServedDoor, _: datetime) -> str | None:
        work = partial(one.coming, self._parts.view.entries)
        try:
            coming = await self._files.read(f"door {one.purpose}", work)
        except Hanging as error:
            return f"{one.purpose}: {error}"
        if coming is not None:
            one.renew(coming)
            log.info("door-renewed", purpose=one.purpose.value, fingerprint=coming.prints[0])
        return None

    async def _notices(self, at: datetime) -> str | None:
        notary, entries = self._parts.notary, self._parts.view.entries
        entry = active(entries, Purpose.NOTICES)
        current = fingerprint_of(notary.certificate)
        if entry is None or (entry.fingerprint == current and not notary.closed):
            return None
        try:
            key = await self._files.read("notices", partial(self._fit_key, entry, at), seconds=_LOAD_SECONDS)
        except (signing.KeyRefused, ConfigurationError, OSError, ValueError) as error:
            if any(e.fingerprint == current and e.state is State.REVOKED for e in entries):
                notary.close("the key of notices was revoked, and the next one cannot be had")
            return f"{entry.id}: {error}"
        notary.renew(key)
        log.info("notices-renewed", certificate=entry.id, until=entry.valid_to.isoformat())
        return None

    async def _bodies(self, _: datetime) -> str | None:
        keys = self._parts.bodies
        before = keys.sealer.name
        work = partial(renew_keys, keys, self._parts.view.entries)
        faults = await self._files.read("bodies", work, seconds=_LOAD_SECONDS)
        if keys.sealer.name != before:
            log.info("bodies-renewed", key=keys.sealer.name)
        return "; ".join(faults) or None

    def _fit_key(self, entry: Entry, at: datetime) -> signing.SigningKey:
        key, rules = open_entry(entry), self._parts.rules()
        require_no_development_key(self._settings, key.certificate)
        if faults := self._parts.notary.with_key(key).faults(rules.policy, rules.trust, at):
            raise ConfigurationError(faults)
        return key

    def _warn(self, policy: RegisterPolicy, at: datetime) -> None:
        """Each level once in a process: expiry is told, and stops nothing."""
        for entry in self._parts.view.entries:
            level = warning_level(entry, policy, at)
            if level is not None and (entry.id, level) not in self._warned:
                self._warned.add((entry.id, level))
                log.warning(
                    "certificate-ends" if level else "certificate-ended",
                    certificate=entry.id,
                    days_left=entry.days_left(at),
                    until=entry.valid_to.isoformat(),
                )
