"""Doors that serve by the register: their certificate, and who issues the certificates of those who call."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from cryptography import x509

import signing
from gateway.api.tls import server_context
from gateway.listening import TlsDoor
from gateway.register.entry import Entry, Purpose, active
from gateway.register.reading import fingerprint_of
from gateway.reloaded import Door, client_cas


@dataclass(frozen=True, slots=True)
class Served:
    """What a door serves by: the prints of its certificate and of the authorities of those who call."""

    prints: tuple[str, ...]
    context: ssl.SSLContext


class ServedDoor:
    """A door and the purpose by whose active entry it serves."""

    def __init__(
        self, settings: Door, app: web.Application, purpose: Purpose, entries: Sequence[Entry]
    ) -> None:
        """Raises OSError, signing.KeyRefused."""
        self.purpose = purpose
        self._settings = settings
        self._prints = self._wanted(entries)
        self.door = TlsDoor(settings, app, self._context(entries))

    def coming(self, entries: Sequence[Entry]) -> Served | None:
        """By what it should serve; None where it does. Reads files: beside the event loop.

        Raises OSError, signing.KeyRefused.
        """
        prints = self._wanted(entries)
        return None if prints == self._prints else Served(prints, self._context(entries))

    def renew(self, served: Served) -> None:
        """From the next connection on."""
        self.door.renew(served.context)
        self._prints = served.prints

    def _wanted(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        entry = active(entries, self.purpose)
        return (
            "" if entry is None else entry.fingerprint,
            *(fingerprint_of(one) for one in client_cas(self._settings, entries)),
        )

    def _context(self, entries: Sequence[Entry]) -> ssl.SSLContext:
        entry = active(entries, self.purpose)
        assert entry is not None, "the settings name one"
        certificate, key = Path(entry.location["certificate"]), Path(entry.location["key"])
        there = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        if fingerprint_of(there) != entry.fingerprint:
            raise signing.KeyRefused(f"{entry.id}: {certificate} holds another certificate now")
        return server_context(certificate, key, client_cas(self._settings, entries))
