"""The keys of stored bodies: as the settings name them, and as the register has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.register.entry import NO_END, Entry, NewEntry, Purpose, State, active
from gateway.settings import BodySettings
from gateway.store.sealing import BodyKeys, fingerprint_of_key, read_key


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """What the settings file names. `active`, `beside`: what of it the register does not know, to seal with and to open
    with. `held`: all keys by name."""

    active: tuple[NewEntry, ...]
    beside: tuple[NewEntry, ...]
    held: Mapping[str, bytes]


def first_keys(bodies: BodySettings, entries: Sequence[Entry], at: datetime) -> FirstKeys:
    """Read them; the file of a retired key may be gone. Raises ConfigurationError, with every fault."""
    known = {entry.subject: entry.state for entry in entries if entry.purpose is Purpose.BODIES}
    held: dict[str, bytes] = {}
    faults: list[str] = []
    for name, file in bodies.keys.items():
        try:
            held[name] = read_key(name, file)
        except ConfigurationError as error:
            if known.get(name) is not State.RETIRED:
                faults += [f"[bodies] keys: {fault}" for fault in error.faults]
    if bodies.seal_with is not None and bodies.seal_with not in bodies.keys:
        faults.append(f"[bodies] seal_with: there is no key {bodies.seal_with!r}")
    if faults:
        raise ConfigurationError(faults)
    new = {name: _entry(name, bodies.keys[name], key, at) for name, key in held.items() if name not in known}
    return FirstKeys(
        tuple(one for name, one in new.items() if name == bodies.seal_with),
        tuple(one for name, one in new.items() if name != bodies.seal_with),
        held,
    )


def begin_with(keys: BodyKeys, first: FirstKeys, entries: Sequence[Entry]) -> None:
    """Seal as the register says from the first body on.

    Raises ConfigurationError: a file holds another key than the register has by this name, or the active one is not to
    be had.
    """
    keys.renew(first.held, None)
    faults = [
        f"[bodies] keys: {entry.subject!r} is not the key that the register has by this name"
        for entry in entries
        if entry.purpose is Purpose.BODIES
        and keys.fingerprint(entry.subject) not in (None, entry.fingerprint)
    ]
    told = renew_keys(keys, entries)
    current = active(entries, Purpose.BODIES)
    if current is not None and keys.fingerprint(current.subject) is None:
        faults += told
    if faults:
        raise ConfigurationError(faults)


def renew_keys(keys: BodyKeys, entries: Sequence[Entry]) -> list[str]:
    """Have the register's keys, and seal with the active one. What cannot be had is told, and it seals as before."""
    mine = [entry for entry in entries if entry.purpose is Purpose.BODIES]
    more: dict[str, bytes] = {}
    faults: list[str] = []
    for entry in mine:
        if keys.fingerprint(entry.subject) is not None:
            continue
        try:
            more[entry.subject] = open_body_key(entry)
        except ConfigurationError as error:
            if entry.state is not State.RETIRED:
                faults.append(f"{entry.id}: {error}")
    current = active(mine, Purpose.BODIES)
    seal_with = keys.sealer.name or None
    if current is not None and (current.subject in more or keys.fingerprint(current.subject) is not None):
        seal_with = current.subject
    keys.renew(more, seal_with)
    return faults


def new_body_key(name: str, file: Path, at: datetime) -> NewEntry:
    """What the register keeps of the key in a file. Raises ConfigurationError."""
    return _entry(name, file, read_key(name, file), at)


def open_body_key(entry: NewEntry) -> bytes:
    """The key of an entry, and no other. Raises ConfigurationError."""
    file = Path(entry.location["key"])
    key = read_key(entry.subject, file)
    if fingerprint_of_key(entry.subject, key) != entry.fingerprint:
        raise ConfigurationError([f"{file} holds another key now"])
    return key


def _entry(name: str, file: Path, key: bytes, at: datetime) -> NewEntry:
    return NewEntry(
        purpose=Purpose.BODIES,
        subject=name,
        issuer="",
        serial="",
        fingerprint=fingerprint_of_key(name, key),
        valid_from=at,
        valid_to=NO_END,
        octets=b"",
        location={"key": str(file)},
    )
