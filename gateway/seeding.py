"""The settings file's providers, agencies, certificates, keys and limits as rows of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from gateway.agency_keys import entry_of_config
from gateway.calendar import read_windows
from gateway.errors import ConfigurationError
from gateway.register.entry import NewEntry, Purpose
from gateway.register.reading import of_certificate
from gateway.settings import (
    AdminSettings,
    AgencySettings,
    DoorSettings,
    LimitSettings,
    ProviderSettings,
    Settings,
)
from gateway.status_sources import entry_of_source
from gateway.store.people import ListedPerson
from gateway.store.rows import json_text, time_text
from gateway.store.seeds import Roster, Seed
from gateway.time_stamps import entry_of_tsa

SETTINGS_FILE = "settings file"
"""The actor of what the file says."""


def seeds_of(settings: Settings) -> list[Seed]:
    """All rows that the file asks for. Raises ConfigurationError, naming every certificate it cannot read."""
    faults: list[str] = []
    seeds: list[Seed] = []
    parts = [
        _limits(settings.limits),
        *(_provider(provider) for provider in settings.provider),
        *(_agency(agency) for agency in settings.agency),
    ]
    for part in parts:
        try:
            seeds.extend(part)
        except (OSError, ValueError) as error:
            faults.append(str(error))
    if faults:
        raise ConfigurationError(faults)
    return seeds


def rosters_of(settings: Settings) -> list[Roster]:
    """Which client certificates the file lists for each of its parties."""
    parties: list[tuple[str, ProviderSettings | AgencySettings]] = [
        *(("provider", provider) for provider in settings.provider),
        *(("agency", agency) for agency in settings.agency),
    ]
    return [
        Roster(kind, party.id, frozenset(_fingerprint(_certificate(file)) for file in party.certificates))
        for kind, party in parties
    ]


def people_of(settings: Settings) -> tuple[ListedPerson, ...] | None:
    """The administrators that the file lists; None where it has no `[admin]`.

    Raises ConfigurationError, with every fault at once.
    """
    if settings.admin is None:
        return None
    faults: list[str] = []
    found: list[ListedPerson] = []
    whose: dict[str, str] = {}
    for one in settings.admin.person:
        fingerprints = [*one.fingerprints]
        for file in one.certificates:
            try:
                fingerprints.append(_fingerprint(_certificate(file)))
            except (OSError, ValueError) as error:
                faults.append(f"[[admin.person]] {one.name}: {file}: {error}")
        if one.name in {other.name for other in found}:
            faults.append(f"[[admin.person]] {one.name} is listed twice")
        if one.account is not None and one.account in {other.account for other in found}:
            faults.append(f"[[admin.person]] {one.name}: the account {one.account} is somebody else's")
        if not one.fingerprints and not one.certificates:
            faults.append(f"[[admin.person]] {one.name} has no certificate: nobody could be it")
        for fingerprint in fingerprints:
            if whose.setdefault(fingerprint, one.name) != one.name:
                faults.append(f"[[admin.person]] {one.name}: {fingerprint} is {whose[fingerprint]}'s")
        found.append(ListedPerson(one.name, one.roles, one.account, tuple(dict.fromkeys(fingerprints))))
    if faults:
        raise ConfigurationError(faults)
    return tuple(found)


def entries_of(settings: Settings) -> list[NewEntry]:
    """The certificates that the file names, beside that of notices: the doors', the clients', and those with which we
    call agencies. Raises OSError, ValueError."""
    parties: list[tuple[str, ProviderSettings | AgencySettings]] = [
        *(("provider", provider) for provider in settings.provider),
        *(("agency", agency) for agency in settings.agency),
    ]
    return [
        _server(Purpose.TLS, settings.door),
        *([] if settings.admin is None else [_server(Purpose.ADMIN_TLS, settings.admin)]),
        *(entry for one in settings.agency if (entry := _towards(one)) is not None),
        *(
            of_certificate(Purpose.ADMIN, _certificate(file), party=f"admin {person.name}")
            for person in (() if settings.admin is None else settings.admin.person)
            for file in person.certificates
        ),
        *(
            of_certificate(Purpose.CLIENT, _certificate(file), party=f"{kind} {party.id}")
            for kind, party in parties
            for file in party.certificates
        ),
    ]


def services_of(settings: Settings, at: datetime) -> list[NewEntry]:
    """The hosts that the file lets be asked for lists and OCSP answers, and the authority for time stamps. Raises
    ConfigurationError, with every fault."""
    found, faults = list[NewEntry](), list[str]()
    named: list[tuple[str, Callable[[str, datetime], NewEntry], str]] = [
        ("[trust] fetch_hosts", entry_of_source, host) for host in settings.trust.fetch_hosts
    ]
    if settings.notices.tsa is not None:
        named.append(("[notices] tsa", entry_of_tsa, settings.notices.tsa))
    for key, entry_of, place in named:
        try:
            found.append(entry_of(place, at))
        except ValueError as error:
            faults.append(f"{key}: {error}")
    if faults:
        raise ConfigurationError(faults)
    return found


def _towards(agency: AgencySettings) -> NewEntry | None:
    try:
        return entry_of_config(agency.id, agency.adapter, agency.config)
    except ValueError as error:
        raise ValueError(f"agency {agency.id}: client_cert: not a PEM certificate: {error}") from error


def _server(purpose: Purpose, door: DoorSettings | AdminSettings) -> NewEntry:
    certificate = x509.load_pem_x509_certificates(door.certificate.read_bytes())[0]
    location = {"key": str(door.key), "certificate": str(door.certificate)}
    return of_certificate(purpose, certificate, location=location)


def _limits(limits: LimitSettings) -> Iterator[Seed]:
    for name, value in msgspec.structs.asdict(limits).items():
        yield Seed("limits", {"name": name, "value": float(value)})


def _provider(provider: ProviderSettings) -> Iterator[Seed]:
    yield Seed(
        "provider",
        {
            "id": provider.id,
            "name": provider.name,
            "tax_code": provider.tax_code,
            "active": int(provider.active),
            "signs_filings": int(provider.signs_filings),
        },
    )
    for file in provider.certificates:
        yield _client("provider", provider.id, file)


def _agency(agency: AgencySettings) -> Iterator[Seed]:
    read_windows(agency.maintenance)  # or say what is wrong with them
    yield Seed(
        "agency",
        {
            "id": agency.id,
            "name": agency.name,
            "adapter": agency.adapter,
            "config": json_text(agency.config),
            "serves": json_text(agency.serves),
            "poll_seconds": float(agency.poll_seconds),
            "max_in_flight": agency.max_in_flight,
            "per_second": float(agency.per_second),
            "maintenance": json_text(agency.maintenance),
            "breaker_failures": agency.breaker_failures,
            "breaker_seconds": float(agency.breaker_seconds),
        },
    )
    for file in agency.certificates:
        yield _client("agency", agency.id, file)


def _client(kind: str, party: str, file: Path) -> Seed:
    certificate = _certificate(file)
    return Seed(
        "client_certificate",
        {
            "fingerprint": _fingerprint(certificate),
            "kind": kind,
            "party": party,
            "subject": certificate.subject.rfc4514_string(),
            "not_after": time_text(certificate.not_valid_after_utc),
        },
        initial={"active": 1},
    )


def _certificate(file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(file.read_bytes())
    except ValueError as error:
        raise ValueError(f"{file}: not a PEM certificate: {error}") from error


def _fingerprint(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(hashes.SHA256()).hex()
