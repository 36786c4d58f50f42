"""Bodies and papers encrypted at rest: AES-256-GCM under a named key, bound to the digest of the document.

A sealed body says its key: b"EFS1", length and name of the key (UTF-8), 12 octets of nonce, ciphertext with tag. What
does not begin so was stored before there was a key.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import ConfigurationError, StoreUnavailable

UNSEALED = ""
"""In place of a key's name: there is none."""
HEAD = 4 + 1 + 255
"""Octets in which a sealed body has said its key."""
_MAGIC = b"EFS1"
_NONCE = 12
_KEY_OCTETS = 32


def looks_sealed(octets: bytes) -> bool:
    """Whether they begin as what is sealed does."""
    return octets.startswith(_MAGIC)


def key_of(stored: bytes) -> str:
    """The name of the key that has sealed what is stored, by its first HEAD octets; UNSEALED where none has."""
    if not looks_sealed(stored):
        return UNSEALED
    start = len(_MAGIC) + 1
    return stored[start : start + int.from_bytes(stored[len(_MAGIC) : start])].decode("utf-8", "replace")


class Sealed(Exception):
    """A body that cannot be opened: its key is not here, or it is not what was stored."""


class KeyAway(Sealed, StoreUnavailable):
    """Its key is not here, or not yet."""


def read_key(name: str, file: Path) -> bytes:
    """The key in a file: 32 random octets (`openssl rand 32`). Raises ConfigurationError."""
    try:
        key = file.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"{file}: {error.strerror}"]) from error
    if len(key) != _KEY_OCTETS or not 0 < len(name.encode()) < 256:
        raise ConfigurationError([f"{file}: not a key of {_KEY_OCTETS} octets with a name of 1 to 255"])
    return key


def fingerprint_of_key(name: str, key: bytes) -> str:
    """By which a key is told from others (hex): HMAC-SHA256 under it over its name.

    It says nothing of the key. A guess could be confirmed by it, but nobody guesses 32 random octets.
    """
    return hmac.digest(key, b"efile key of bodies: " + name.encode(), hashlib.sha256).hex()


@dataclass(frozen=True, slots=True)
class Sealer:
    """What new bodies are sealed with. `name`: of the key, UNSEALED: they are stored as they are."""

    name: str = UNSEALED
    key: AESGCM | None = None

    def seal(self, octets: bytes, digest: bytes) -> bytes:
        """The stored form of `octets`, of the document with this SHA-256."""
        if self.key is None:
            return octets
        name, nonce = self.name.encode(), os.urandom(_NONCE)
        return b"".join((_MAGIC, bytes([len(name)]), name, nonce, self.key.encrypt(nonce, octets, digest)))


class BodyKeys:
    """The keys that this process has. `seal_with` names the one for new bodies, None: they are stored as they are.

    They change while it serves, from any thread; no key is forgotten that was here.
    """

    def __init__(self, keys: Mapping[str, bytes], seal_with: str | None) -> None:
        self._keys: Mapping[str, AESGCM] = {}
        self._prints: Mapping[str, str] = {}
        self._sealer = Sealer()
        self.renew(keys, seal_with)

    def renew(self, more: Mapping[str, bytes], seal_with: str | None) -> None:
        """Further keys, and the name of the one, of all, that seals from now on."""
        self._keys = {**self._keys, **{name: AESGCM(key) for name, key in more.items()}}
        self._prints = {**self._prints, **{name: fingerprint_of_key(name, key) for name, key in more.items()}}
        self._sealer = Sealer() if seal_with is None else Sealer(seal_with, self._keys[seal_with])

    def fingerprint(self, name: str) -> str | None:
        """Of the key of that name; None: it is not here."""
        return self._prints.get(name)

    @property
    def sealer(self) -> Sealer:
        """For new bodies."""
        return self._sealer

    def open(self, stored: bytes, digest: bytes) -> bytes:
        """The reverse of `Sealer.seal`. Raises Sealed, KeyAway."""
        if not looks_sealed(stored):
            return stored
        name = key_of(stored)
        after = len(_MAGIC) + 1 + stored[len(_MAGIC)] if len(stored) > len(_MAGIC) else len(stored)
        if name not in self._keys:
            raise KeyAway(f"the key {name!r} is not here")
        try:
            return self._keys[name].decrypt(stored[after : after + _NONCE], stored[after + _NONCE :], digest)
        except (InvalidTag, ValueError) as error:
            raise Sealed("not what was stored") from error
