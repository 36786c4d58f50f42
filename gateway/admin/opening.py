"""The administrators' door from the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.admin.call import AdminWorld
from gateway.admin.door import admin_app
from gateway.admin.people import People
from gateway.api.clients import Clients, ClientTrust
from gateway.calendar import Deadlines
from gateway.jobs.refresh import Reloading
from gateway.ports import Clock
from gateway.register.acts import Certificates
from gateway.register.administrators import Administrators
from gateway.register.entry import Purpose
from gateway.reloaded import RegisterView, load_client_trust
from gateway.served import ServedDoor
from gateway.settings import Settings
from gateway.store.store import Store


@dataclass(frozen=True, slots=True)
class AdminDoor:
    """`trust` is to be watched: who is revoked, or whose authority is out, is out on its next request."""

    door: ServedDoor
    trust: Reloading[ClientTrust]


def open_admin(
    settings: Settings, store: Store, view: RegisterView, deadlines: Callable[[], Deadlines], now: Clock
) -> AdminDoor | None:
    """None where the settings have no `[admin]`. Raises ConfigurationError, OSError, ValueError, signing.CrlRefused."""
    admin = settings.admin
    if admin is None:
        return None
    people = People(store)
    trust = load_client_trust(admin, view)
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
    return AdminDoor(ServedDoor(admin, app, Purpose.ADMIN_TLS, view.entries), trust)
