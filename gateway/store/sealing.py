"""Bodies and papers encrypted at rest: AES-256-GCM under a named key, bound to the digest of the document.

A sealed body says its key: b"EFS1", length and name of the key (UTF-8), 12 octets of nonce, ciphertext with tag. What
does not begin so was stored before there was a key.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import ConfigurationError

_MAGIC = b"EFS1"
_NONCE = 12
_KEY_OCTETS = 32


def looks_sealed(octets: bytes) -> bool:
    """Whether they begin as what is sealed does."""
    return octets.startswith(_MAGIC)


class Sealed(Exception):
    """A body that cannot be opened: its key is not here, or it is not what was stored."""


class BodyKeys:
    """`seal_with` names the key for new bodies, None: they are stored as they are. All open what they have sealed."""

    def __init__(self, keys: Mapping[str, bytes], seal_with: str | None) -> None:
        self._keys = {name: AESGCM(key) for name, key in keys.items()}
        self._seal_with = seal_with

    @classmethod
    def from_files(cls, files: Mapping[str, Path], seal_with: str | None) -> BodyKeys:
        """Each file is a key: 32 random octets (`openssl rand 32`).

        Raises ConfigurationError, with every fault.
        """
        keys: dict[str, bytes] = {}
        faults = []
        for name, file in files.items():
            try:
                keys[name] = file.read_bytes()
            except OSError as error:
                faults.append(f"[bodies] keys: {file}: {error.strerror}")
                continue
            if len(keys[name]) != _KEY_OCTETS or not 0 < len(name.encode()) < 256:
                faults.append(
                    f"[bodies] keys: {file}: not a key of {_KEY_OCTETS} octets with a name of 1 to 255"
                )
        if seal_with is not None and seal_with not in files:
            faults.append(f"[bodies] seal_with: there is no key {seal_with!r}")
        if faults:
            raise ConfigurationError(faults)
        return cls(keys, seal_with)

    def seal(self, octets: bytes, digest: bytes) -> bytes:
        """The stored form of `octets`, of the document with this SHA-256."""
        if self._seal_with is None:
            return octets
        name, nonce = self._seal_with.encode(), os.urandom(_NONCE)
        sealed = self._keys[self._seal_with].encrypt(nonce, octets, digest)
        return b"".join((_MAGIC, bytes([len(name)]), name, nonce, sealed))

    def open(self, stored: bytes, digest: bytes) -> bytes:
        """The reverse of `seal`. Raises Sealed."""
        if not looks_sealed(stored):
            return stored
        start = len(_MAGIC) + 1
        end = start + int.from_bytes(stored[len(_MAGIC) : start])
        name = stored[start:end].decode("utf-8", "replace")
        if name not in self._keys:
            raise Sealed(f"the key {name!r} is not here")
        try:
            return self._keys[name].decrypt(stored[end : end + _NONCE], stored[end + _NONCE :], digest)
        except (InvalidTag, ValueError) as error:
            raise Sealed("not what was stored") from error
