"""Doors that serve by the register: their certificate, and who issues the certificates of those who call."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from pathlib import Path

from aiohttp import web
from cryptography import x509

import signing
from gateway.api.tls import server_context
from gateway.listening import TlsDoor
from gateway.register.entry import Entry, Purpose, active
from gateway.register.reading import fingerprint_of
from gateway.reloaded import Door, client_cas


class ServedDoor:
    """A door and the purpose by whose active entry it serves. `served`: that entry and the authorities, as prints."""

    def __init__(
        self, settings: Door, app: web.Application, purpose: Purpose, entries: Sequence[Entry]
    ) -> None:
        """Raises OSError, signing.KeyRefused."""
        self.purpose = purpose
        self._settings = settings
        self.door = TlsDoor(settings, app, self._context(entries))
        self.served = self.wanted(entries)

    def wanted(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        """By what it should serve."""
        entry = active(entries, self.purpose)
        return (
            "" if entry is None else entry.fingerprint,
            *(fingerprint_of(one) for one in client_cas(self._settings, entries)),
        )

    async def renew(self, entries: Sequence[Entry]) -> None:
        """Serve so from the next connection on. Raises OSError, signing.KeyRefused: then it serves as before."""
        self.door.renew(await asyncio.to_thread(self._context, entries))
        self.served = self.wanted(entries)

    def _context(self, entries: Sequence[Entry]) -> ssl.SSLContext:
        entry = active(entries, self.purpose)
        assert entry is not None, "the settings name one"
        certificate, key = Path(entry.location["certificate"]), Path(entry.location["key"])
        there = x509.load_pem_x509_certificates(certificate.read_bytes())[0]
        if fingerprint_of(there) != entry.fingerprint:
            raise signing.KeyRefused(f"{entry.id}: {certificate} holds another certificate now")
        return server_context(certificate, key, client_cas(self._settings, entries))
