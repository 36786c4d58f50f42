"""The administrators' door from the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography import x509

import signing
from gateway.admin.call import AdminWorld
from gateway.admin.door import admin_app
from gateway.admin.people import People
from gateway.api.clients import Clients, ClientTrust
from gateway.calendar import Deadlines
from gateway.jobs.refresh import Reloading
from gateway.ports import Clock
from gateway.register.acts import Certificates
from gateway.register.administrators import Administrators
from gateway.register.entry import Entry, Purpose
from gateway.served import ServedDoor
from gateway.settings import Settings
from gateway.store.store import Store


@dataclass(frozen=True, slots=True)
class AdminDoor:
    """`trust` is to be watched: a certificate that is revoked is out on its next request."""

    door: ServedDoor
    trust: Reloading[ClientTrust]


def open_admin(
    settings: Settings,
    store: Store,
    entries: Sequence[Entry],
    deadlines: Callable[[], Deadlines],
    now: Clock,
) -> AdminDoor | None:
    """None where the settings have no `[admin]`. Raises ConfigurationError, OSError, ValueError, signing.CrlRefused."""
    admin = settings.admin
    if admin is None:
        return None
    people = People(store)
    authorities = x509.load_pem_x509_certificates(admin.client_ca.read_bytes())
    trust = Reloading(admin.client_crls, partial(_trust, authorities))
    world = AdminWorld(
        store,
        Certificates(settings, store, now),
        Administrators(settings, store, now),
        deadlines,
        now,
        admin.body_seconds,
        settings.gateway.name,
        admin.key.read_bytes(),
    )
    app = admin_app(world, Clients(people, trust, now), people)
    return AdminDoor(ServedDoor(admin, app, Purpose.ADMIN_TLS, lambda _: authorities, entries), trust)


def _trust(authorities: Sequence[x509.Certificate], crls: Path) -> ClientTrust:
    """The door's own, apart from the register's: what is changed there lets nobody in here."""
    issuers: dict[bytes, list[x509.Certificate]] = {}
    for one in authorities:
        issuers.setdefault(one.subject.public_bytes(), []).append(one)
    index = signing.RevocationIndex(tuple(authorities))
    for file in sorted(crls.glob("*.crl")):
        index.add_crl(file.read_bytes())
    return ClientTrust(issuers, index)
