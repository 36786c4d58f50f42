"""Who the administrators are: rows of the store, which the settings seed; looked up on every request."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from gateway.admin.roles import Right, Role, may
from gateway.errors import Forbidden
from gateway.ports import ClientIdentity


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to become of a person; None: it stays. `account` "": none any more."""

    roles: tuple[Role, ...] | None = None
    account: str | None = None
    suspended: bool | None = None


@dataclass(frozen=True, slots=True)
class PersonProposal:
    """What one person proposes of another, for a second one to approve."""

    wanted: Wanted
    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Person:
    """An administrator and its roles. `account`: its account on the machines, where that is declared.

    `suspended`: why. `version` counts the changes; who made the last one, when and why stands beside it.
    """

    name: str
    roles: frozenset[Role]
    account: str | None = None
    suspended: str | None = None
    version: int = 1
    proposal: PersonProposal | None = None
    changed_by: str = ""
    changed_at: datetime | None = None
    why: str = ""

    @property
    def actor(self) -> str:
        """As the audit record names it: apart from the system's users, who work by the command line."""
        return f"{ACTOR}{self.name}"

    def may(self, right: Right) -> bool:
        """Whether one of its roles gives the right."""
        return may(self.roles, right)

    def require(self, right: Right) -> None:
        """Raises Forbidden."""
        if not self.may(right):
            raise Forbidden(right.value)


ACTOR = "admin:"
"""Before the name of a person who acts at the door."""


class Roll(Protocol):
    """The part of the store that is asked."""

    async def person_with(self, fingerprint: str) -> tuple[str, bool] | None:
        """Whose a client certificate is, by name, and whether it is in use."""
        ...

    async def person(self, name: str) -> Person | None:
        """One by name."""
        ...


class People:
    """A registry of client certificates, as `api.clients.Clients` asks it, and the people behind them."""

    def __init__(self, roll: Roll) -> None:
        self._roll = roll

    async def client(self, fingerprint: str) -> ClientIdentity | None:
        """See `ports.Registry.client`."""
        found = await self._roll.person_with(fingerprint)
        return None if found is None else ClientIdentity("admin", found[0], found[1], None)

    async def person(self, name: str) -> Person | None:
        """None where it is suspended, or nobody."""
        person = await self._roll.person(name)
        return None if person is None or person.suspended is not None else person
