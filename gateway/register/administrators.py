"""What is done with the people of the administrators' door: one implementation, for the command line and the door."""

from __future__ import annotations

from gateway.admin.people import Person, Wanted
from gateway.admin.roles import Role
from gateway.ports import Clock
from gateway.register.acts import Who
from gateway.register.entry import Purpose
from gateway.register.policy import policy_at
from gateway.settings import Settings
from gateway.store.people import Change, PersonApproval
from gateway.store.store import Store


class Administrators:
    """The acts. Where the policy has `admin` among `four_eyes` they are proposed only, but for a suspension.

    Each raises NotFound, and RegisterRefused with the reason in both languages.
    """

    def __init__(self, settings: Settings, store: Store, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock

    async def people(self) -> list[Person]:
        """All, by name."""
        return await self._store.people()

    async def add(self, name: str, roles: tuple[Role, ...], account: str | None, who: Who) -> Person:
        """A new one, known by no certificate yet."""
        return await self._change(name, Wanted(roles, account or ""), who, new=True)

    async def give_roles(self, name: str, roles: tuple[Role, ...], who: Who) -> Person:
        """These, and no others any more."""
        return await self._change(name, Wanted(roles=roles), who)

    async def declare_account(self, name: str, account: str, who: Who) -> Person:
        """Its account on the machines, so that nobody is two people; "": none."""
        return await self._change(name, Wanted(account=account), who)

    async def suspend(self, name: str, who: Who, *, suspended: bool = True) -> Person:
        """From the next request on refused, or let in again; a suspension needs one person alone."""
        return await self._change(name, Wanted(suspended=suspended), who)

    async def approve(self, name: str, who: Who) -> Person:
        """Do what another person has proposed."""
        return await self._store.approve_person(PersonApproval(name, who.name, self._clock(), who.version))

    async def _change(self, name: str, wanted: Wanted, who: Who, *, new: bool = False) -> Person:
        at = self._clock()
        four = Purpose.ADMIN in policy_at(self._settings.register.policy, at).four_eyes
        change = Change(
            name, wanted, who.name, at, who.why, version=who.version, new=new, four_eyes=four and not wanted.suspended
        )  # fmt: skip
        return await self._store.change_person(change)
