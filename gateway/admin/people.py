"""Who the administrators are: as the settings list them, known by their client certificates' fingerprints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.admin.roles import Right, Role, may
from gateway.errors import ConfigurationError, Forbidden
from gateway.ports import ClientIdentity
from gateway.settings import PersonSettings


@dataclass(frozen=True, slots=True)
class Person:
    """An administrator and its roles."""

    name: str
    roles: frozenset[Role]

    @property
    def actor(self) -> str:
        """As the audit record names it: apart from the system's users, who work by the command line."""
        return f"admin:{self.name}"

    def may(self, right: Right) -> bool:
        """Whether one of its roles gives the right."""
        return may(self.roles, right)

    def require(self, right: Right) -> None:
        """Raises Forbidden."""
        if not self.may(right):
            raise Forbidden(right.value)


class People:
    """A registry of client certificates, as `api.clients.Clients` asks it, and the people behind them."""

    def __init__(self, people: Mapping[str, Person]) -> None:
        self._by_fingerprint = people
        self._by_name = {person.name: person for person in people.values()}

    async def client(self, fingerprint: str) -> ClientIdentity | None:
        """See `ports.Registry.client`."""
        person = self._by_fingerprint.get(fingerprint)
        return None if person is None else ClientIdentity("admin", person.name, True, None)

    def __getitem__(self, name: str) -> Person:
        return self._by_name[name]


def load_people(listed: Sequence[PersonSettings]) -> People:
    """Raises ConfigurationError, with every fault at once."""
    faults: list[str] = []
    found: dict[str, Person] = {}
    names: set[str] = set()
    for one in listed:
        person = Person(one.name, frozenset(one.roles))
        fingerprints = [*one.fingerprints]
        for file in one.certificates:
            try:
                certificate = x509.load_pem_x509_certificate(file.read_bytes())
                fingerprints.append(certificate.fingerprint(hashes.SHA256()).hex())
            except (OSError, ValueError) as error:
                faults.append(f"[[admin.person]] {one.name}: {file}: {error}")
        if one.name in names:
            faults.append(f"[[admin.person]] {one.name} is listed twice")
        if not one.fingerprints and not one.certificates:
            faults.append(f"[[admin.person]] {one.name} has no certificate: nobody could be it")
        for fingerprint in fingerprints:
            if found.setdefault(fingerprint, person) is not person:
                faults.append(f"[[admin.person]] {one.name}: {fingerprint} is {found[fingerprint].name}'s")
        names.add(one.name)
    if faults:
        raise ConfigurationError(faults)
    return People(found)
