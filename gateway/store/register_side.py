"""The register of certificates and keys, the audit record, and who has taken what over, as the store gives them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.admin.people import Person
from gateway.ports import Clock, Provider
from gateway.register.entry import Entry, Rehearsal
from gateway.store import people as administrators
from gateway.store import providers, register, register_moves, taken_over, warnings
from gateway.store.audit import READ_AUDIT, broken_links
from gateway.store.people import Change, Listing, PersonApproval
from gateway.store.register import Addition, Adoption, Approval, Move, Overlaps
from gateway.store.rows import provider_of, time_text
from gateway.store.statements import NOW, Driver
from gateway.store.taken_over import ALIVE_SECONDS, TakenOver
from gateway.warning.matter import Matter


class RegisterSide:
    """A part of `Store`. Every change raises the epoch, by which all processes know that they must look again."""

    _driver: Driver
    _clock: Clock

    async def entries(self) -> list[Entry]:
        """The whole register."""
        return [register.entry_of(row) for row in await self._driver.read(register.READ_ENTRIES)]

    async def adopt(self, adoption: Adoption) -> int:
        """What the settings file names and the register does not know enters it; answers how many changed."""
        changed: int = await self._driver.write(register_moves.adopt, adoption)
        return changed

    async def add_entry(self, addition: Addition) -> Entry:
        """A new entry, as next. Raises RegisterRefused."""
        added: Entry = await self._driver.write(register_moves.add, addition)
        return added

    async def move_entry(self, move: Move) -> Entry:
        """Bring an entry into another state, or propose it. Raises RegisterRefused, RegisterConflict."""
        moved: Entry = await self._driver.write(register_moves.move, move)
        return moved

    async def approve_entry(self, approval: Approval) -> Entry:
        """Do what another person proposed. Raises RegisterRefused, RegisterConflict."""
        moved: Entry = await self._driver.write(register_moves.approve, approval)
        return moved

    async def record_rehearsal(self, id: str, rehearsal: Rehearsal) -> Entry:
        """Keep with the entry what a rehearsal found. Raises RegisterRefused."""
        item = register.Rehearsed(id, rehearsal)
        entry: Entry = await self._driver.write(register_moves.record_rehearsal, item)
        return entry

    async def carry_out_due(self, at: datetime, overlaps: Overlaps) -> int:
        """Do what was scheduled up to `at`, once over all processes; answers how many entries moved."""
        now = time_text(at)
        ((count,),) = await self._driver.read(register.DUE, (now, now))
        if not count:
            return 0
        moved: int = await self._driver.write(register_moves.carry_out_due, register.Due(at, overlaps))
        return moved

    async def providers(self) -> list[tuple[Provider, str | None]]:
        """All providers, each with why an administrator has suspended it, or None."""
        return [(provider_of(row), row[5]) for row in await self._driver.read(providers.READ_PROVIDERS)]

    async def suspend_provider(self, id: str, actor: str, why: str, *, suspended: bool = True) -> None:
        """From its next request on it is refused, or served again. Raises NotFound, RegisterRefused."""
        one = providers.Suspension(id, suspended, actor, self._clock(), why)
        await self._driver.write(providers.suspend, one)

    async def people(self) -> list[Person]:
        """The administrators, by name."""
        return [administrators.person_of(row) for row in await self._driver.read(administrators.READ_PEOPLE)]

    async def person(self, name: str) -> Person | None:
        """See `admin.people.Roll.person`."""
        rows = await self._driver.read(administrators.READ_PERSON, (name,))
        return administrators.person_of(rows[0]) if rows else None

    async def person_with(self, fingerprint: str) -> tuple[str, bool] | None:
        """See `admin.people.Roll.person_with`."""
        rows = await self._driver.read(administrators.PERSON_WITH, (fingerprint,))
        return (rows[0][0], bool(rows[0][1])) if rows else None

    async def list_people(self, listing: Listing) -> int:
        """What the settings file says of people; answers how many changed. Raises RegisterRefused."""
        changed: int = await self._driver.write(administrators.list_people, listing)
        return changed

    async def change_person(self, change: Change) -> Person:
        """Change one, or propose it. Raises NotFound, RegisterRefused, RegisterConflict."""
        changed: Person = await self._driver.write(administrators.change, change)
        return changed

    async def approve_person(self, approval: PersonApproval) -> Person:
        """Do what another person proposed. Raises NotFound, RegisterRefused, RegisterConflict."""
        changed: Person = await self._driver.write(administrators.approve, approval)
        return changed

    async def report_taken_over(self, one: TakenOver) -> None:
        """A process says which epoch it works by."""
        await self._driver.write(taken_over.report, one)

    async def leave(self, process: str) -> None:
        """A process that ends in order is not waited for."""
        await self._driver.write(taken_over.leave, process)

    async def taken_over(self) -> list[TakenOver]:
        """The processes that serve now."""
        rows = await self._driver.read(taken_over.READ_TAKEN_OVER)
        found = [taken_over.taken_over_of(row) for row in rows]
        return [one for one in found if one.age < ALIVE_SECONDS]

    async def raise_warnings(self, channels: Sequence[str], matters: Sequence[Matter], at: datetime) -> int:
        """See `jobs.warn.Warnings.raise_warnings`."""
        one = warnings.Raised(tuple(channels), tuple(matters), at)
        new: int = await self._driver.write(warnings.raise_warnings, one)
        return new

    async def claim_warnings(
        self, channel: str, owner: str, limit: int, lease_seconds: float
    ) -> list[warnings.ClaimedWarning]:
        """See `jobs.warn.Warnings.claim_warnings`."""
        if not await self._driver.read(warnings.ANY_DUE, (channel,)):
            return []
        one = warnings.Claim(channel, owner, limit, lease_seconds)
        claimed: list[warnings.ClaimedWarning] = await self._driver.write(warnings.claim_warnings, one)
        return claimed

    async def record_warnings(
        self,
        channel: str,
        owner: str,
        ids: Sequence[str],
        at: datetime,
        *,
        fault: str | None,
        again_seconds: float | None,
    ) -> None:
        """See `jobs.warn.Warnings.record_warnings`."""
        one = warnings.Outcome(channel, owner, tuple(ids), at, fault, again_seconds)
        await self._driver.write(warnings.record_warnings, one)

    async def warnings(self, limit: int) -> list[warnings.WarningState]:
        """How warnings stand at their channels, the newest first."""
        return [
            warnings.warning_state_of(row) for row in await self._driver.survey(warnings.NEWEST, (limit,))
        ]

    async def warnings_waiting(self) -> dict[str, int]:
        """How many are to be sent yet, by channel."""
        return {str(channel): int(count) for channel, count in await self._driver.survey(warnings.WAITING)}

    async def database_time(self) -> float:
        """The database's clock, in seconds since 1970."""
        ((seconds,),) = await self._driver.read(f"SELECT {NOW}")
        return float(seconds)

    async def broken_audit(self) -> tuple[int, Sequence[int]]:
        """How many entries the audit record has, and the numbers of those that do not follow from the one before."""
        rows = await self._driver.survey(READ_AUDIT)
        return len(rows), broken_links(rows)
