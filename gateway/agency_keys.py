"""How agencies are called: with the client certificates that the register has in use, and by files as they are now.

An agency that cannot be called so is called as before; but never with a key that was revoked. One whose files hang
holds up none of the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from cryptography import x509

import adapters
import signing
from gateway.beside import Beside, Hanging
from gateway.filing.findings import Text
from gateway.ports import Agency
from gateway.register.entry import Entry, NewEntry, Purpose, RegisterRefused, State, active
from gateway.register.reading import fingerprint_of, of_certificate

log = structlog.get_logger("register")
T = TypeVar("T")
KEYS_OF_CONFIG = {
    "certificate": "client_cert",
    "key": "client_key",
    "password_file": "client_key_password_file",
    "password_env": "client_key_password_env",
}
"""Where an entry's key lives, and the adapter's setting that says so."""
Print = tuple[str, int, int]
_HANGS: tuple[str, tuple[Print, ...]] = ("hangs", ())
"""In the place of what was tried where its files hang: told once, and tried again once they can be looked at."""


def party_of(agency: str) -> str:
    """As the register has it."""
    return f"agency {agency}"


def entry_of_config(agency: str, kind: str, config: Mapping[str, Any]) -> NewEntry | None:
    """The client certificate that an agency's settings name. Raises OSError, ValueError where it cannot be read."""
    if kind not in adapters.WITH_CERTIFICATE or config.get("client_cert") is None:
        return None
    certificate = x509.load_pem_x509_certificates(Path(config["client_cert"]).read_bytes())[0]
    location = {word: config[key] for word, key in KEYS_OF_CONFIG.items() if config.get(key) is not None}
    return of_certificate(Purpose.AGENCY_TLS, certificate, party=party_of(agency), location=location)


def called_with(config: Mapping[str, Any], entry: NewEntry | None) -> dict[str, Any]:
    """An agency's settings with the key of an entry in place of their own; None: without any."""
    rest = {key: value for key, value in config.items() if key not in KEYS_OF_CONFIG.values()}
    location = {} if entry is None else entry.location
    return {**rest, **{KEYS_OF_CONFIG[word]: value for word, value in location.items()}}


def require_called_with_certificate(party: str, agencies: Sequence[Agency]) -> None:
    """Raises RegisterRefused where there is no such agency, or it is not called over TLS."""
    found = [one for one in agencies if party_of(one.id) == party]
    if not found:
        raise RegisterRefused(Text(f"Không có {party}.", f"There is no {party}."))
    if found[0].adapter not in adapters.WITH_CERTIFICATE:
        kind = found[0].adapter
        raise RegisterRefused(
            Text(
                f"{party} được gọi qua “{kind}”, không dùng chứng thư máy khách TLS.",
                f"{party} is called by {kind}, without a client certificate of TLS.",
            )
        )


@dataclass(slots=True)
class _Called:
    """An agency. `by`: the certificate and the files by which it is called; `tried`: those that were tried last."""

    agency: Agency
    standing: adapters.Exchangeable
    by: tuple[str, tuple[Print, ...]]
    tried: tuple[str, tuple[Print, ...]]


class AgencyKeys:
    """The adapters of all agencies, each a stand-in for the one that is open now. Of one process."""

    def __init__(self, agencies: Sequence[Agency], entries: Sequence[Entry]) -> None:
        """Opens each as the settings say, then as the register has it. Raises adapters.ConfigError for the settings."""
        self._called = []
        self._files = Beside()
        for agency in agencies:
            opened = adapters.open_adapter(agency.adapter, agency.config)
            wanted = _wanted(agency, entries)
            one = _Called(agency, adapters.exchangeable(opened), wanted, wanted)
            self._called.append(one)
            if agency.adapter in adapters.WITH_CERTIFICATE and not _named(agency, entries):
                try:
                    one.standing = adapters.exchangeable(_opened(agency, entries))
                except (signing.KeyRefused, OSError, ValueError) as error:  # ConfigError is a ValueError
                    one.by = ("", ())  # it is tried again
                    one.standing.stop(f"its client certificate cannot be had: {error}")

    @property
    def adapters(self) -> Mapping[str, adapters.Adapter]:
        """By the agency's identifier."""
        return {one.agency.id: one.standing for one in self._called}

    async def changed(self, entries: Sequence[Entry]) -> bool:
        """Whether an agency is to be called by another certificate, or other files, than were tried last."""
        return any(await asyncio.gather(*(self._changed(one, entries) for one in self._called)))

    async def _changed(self, one: _Called, entries: Sequence[Entry]) -> bool:
        try:
            return await self._read(one, partial(_wanted, one.agency, entries)) != one.tried
        except Hanging:
            return one.tried != _HANGS

    async def _read(self, one: _Called, work: Callable[[], T]) -> T:
        return await self._files.read(one.agency.id, work)

    async def take_over(self, entries: Sequence[Entry]) -> list[str]:
        """Call each as register and files say now; answers the faults of those that cannot be."""
        faults = await asyncio.gather(*(self._renewed(one, entries) for one in self._called))
        return [
            f"agency {one.agency.id}: {fault}"
            for one, fault in zip(self._called, faults, strict=True)
            if fault
        ]

    async def _renewed(self, one: _Called, entries: Sequence[Entry]) -> str | None:
        if _revoked(one, entries):  # before anything is read
            one.standing.stop("the key with which it was called was revoked")
        try:
            one.tried = wanted = await self._read(one, partial(_wanted, one.agency, entries))
            if wanted == one.by:
                return None
            new = await self._read(one, partial(_opened, one.agency, entries))
        except (signing.KeyRefused, OSError, ValueError) as error:  # ConfigError is a ValueError
            if isinstance(error, Hanging):
                one.tried = _HANGS
            return str(error)
        one.standing.exchange(new)
        one.by = wanted
        log.info("agency-renewed", agency=one.agency.id, fingerprint=wanted[0])
        return None


def _wanted(agency: Agency, entries: Sequence[Entry]) -> tuple[str, tuple[Print, ...]]:
    entry = active(entries, Purpose.AGENCY_TLS, party_of(agency.id))
    files = [value for key, value in agency.config.items() if _watched(agency.adapter, key)]
    return ("" if entry is None else entry.fingerprint), tuple(sorted(_print(str(file)) for file in files))


def _watched(kind: str, key: str) -> bool:
    """Authorities, host keys, tokens and passwords, and a private key that has no certificate."""
    if kind in adapters.WITH_CERTIFICATE:
        return key.endswith("_file") and key not in KEYS_OF_CONFIG.values()
    return key.endswith(("_file", "_key"))


def _print(file: str) -> Print:
    try:
        stat = Path(file).stat()
    except OSError:
        return file, 0, 0
    return file, stat.st_mtime_ns, stat.st_size


def _named(agency: Agency, entries: Sequence[Entry]) -> bool:
    """Whether the certificate that the register has in use is the one that the settings name."""
    own = entry_of_config(agency.id, agency.adapter, agency.config)
    entry = active(entries, Purpose.AGENCY_TLS, party_of(agency.id))
    return (own.fingerprint if own else None) == (entry.fingerprint if entry else None)


def _revoked(one: _Called, entries: Sequence[Entry]) -> bool:
    mine = [e for e in entries if e.purpose is Purpose.AGENCY_TLS and e.party == party_of(one.agency.id)]
    return any(e.fingerprint == one.by[0] and e.state is State.REVOKED for e in mine)


def _opened(agency: Agency, entries: Sequence[Entry]) -> adapters.Adapter:
    """Raises adapters.ConfigError, signing.KeyRefused, OSError, ValueError."""
    if agency.adapter not in adapters.WITH_CERTIFICATE:
        return adapters.open_adapter(agency.adapter, agency.config)
    entry = active(entries, Purpose.AGENCY_TLS, party_of(agency.id))
    if entry is not None:
        require_there(entry)
    return adapters.open_adapter(agency.adapter, called_with(agency.config, entry))


def require_there(entry: NewEntry) -> None:
    """Raises signing.KeyRefused where the entry's file holds another certificate now; OSError, ValueError."""
    file = Path(entry.location["certificate"])
    if fingerprint_of(x509.load_pem_x509_certificates(file.read_bytes())[0]) != entry.fingerprint:
        raise signing.KeyRefused(f"{entry.id}: {file} holds another certificate now")
