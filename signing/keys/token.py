"""Keys in a token or HSM, through its PKCS#11 module (OASIS PKCS#11 v2.40).

One session a process for each token, opened at the first use after a fork and opened anew once where it was lost. A PIN
that a token has refused is not sent again: a few wrong ones lock it. The digest is computed here and only that is sent.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import pkcs11
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from pkcs11 import Attribute, Mechanism, ObjectClass, PKCS11Error
from pkcs11 import exceptions as faults
from pkcs11.types import SignMixin

from signing.certificates import load_certificate, public_key_of
from signing.keys.base import (
    KeyRefused,
    KeyUnavailable,
    hashed,
    require_kind,
    require_valid,
)

# DER of DigestInfo up to the digest (RFC 8017 clause 9.2, note 1).
_DIGEST_INFO = {
    "sha256": bytes.fromhex("3031300d060960864801650304020105000420"),
    "sha384": bytes.fromhex("3041300d060960864801650304020205000430"),
    "sha512": bytes.fromhex("3051300d060960864801650304020305000440"),
}
_BAD_PIN = (faults.PinIncorrect, faults.PinLocked, faults.PinExpired, faults.PinInvalid, faults.PinLenRange)
_T = TypeVar("_T")


class _Module:
    """A loaded module with its sessions in this process; one call at a time, for modules need not be thread-safe."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.sessions: dict[str, pkcs11.Session] = {}
        self.refused: set[tuple[str, str]] = set()
        self.forked = False

    def asked(self, token_label: str, pin: str, work: Callable[[pkcs11.Session], _T]) -> _T:
        """What `work` gives with the token's session; where that was lost, with a new one; where none can be had, with
        one of the module begun anew: not every module sees a token that was put in again.

        Raises KeyRefused, KeyUnavailable, NoSuchKey.
        """
        with self.lock:
            with suppress(PKCS11Error, KeyUnavailable):
                return work(self._session(token_label, pin))
            self._forget(token_label)
            with suppress(PKCS11Error, KeyUnavailable):
                return work(self._session(token_label, pin))
            self.sessions.clear()
            self._begin_again()
            try:
                return work(self._session(token_label, pin))
            except faults.NoSuchKey:
                raise
            except PKCS11Error as error:
                self._forget(token_label)
                raise KeyUnavailable(f"token {token_label!r}: {type(error).__name__}") from None

    def _session(self, token_label: str, pin: str) -> pkcs11.Session:
        if self.forked:
            self._begin_again()
        found = self.sessions.get(token_label)
        if found is None:
            if (token_label, pin) in self.refused:
                raise KeyRefused(f"token {token_label!r} refused this PIN before; it is not sent again")
            found = self.sessions[token_label] = self._opened(token_label, pin)
        return found

    def _opened(self, token_label: str, pin: str) -> pkcs11.Session:
        try:
            token = pkcs11.lib(self.path).get_token(token_label=token_label)
            try:
                return token.open(user_pin=pin)
            except faults.UserAlreadyLoggedIn:
                return token.open()  # logging in counts for the whole process
        except _BAD_PIN as error:
            self.refused.add((token_label, pin))
            raise KeyRefused(f"token {token_label!r}: {type(error).__name__}") from None
        except faults.MultipleTokensReturned:
            raise KeyRefused(f"several tokens are called {token_label!r}") from None
        except (PKCS11Error, RuntimeError) as error:
            told = str(error) or type(error).__name__
            raise KeyUnavailable(f"token {token_label!r} of {self.path}: {told}") from None

    def _forget(self, token_label: str) -> None:
        lost = self.sessions.pop(token_label, None)
        if lost is not None:
            with suppress(PKCS11Error):
                lost.close()

    def _begin_again(self) -> None:
        """After a fork, what the parent opened is not ours (PKCS#11 base specification, clause 6.7.6 on forks)."""
        library = pkcs11.lib(self.path)
        with suppress(PKCS11Error):
            library.finalize()
        with suppress(PKCS11Error):
            library.initialize()
        self.forked = False


_modules: dict[str, _Module] = {}
_modules_lock = threading.Lock()


def _module(path: str) -> _Module:
    with _modules_lock:
        return _modules.setdefault(path, _Module(path))


_held: list[threading.RLock] = []
FORK_WAIT_SECONDS = 5.0
"""How long a fork waits for a call into a module to end; a device that hangs must not hang the fork."""


def _before_fork() -> None:
    """No module is in the midst of a call when its memory is copied: its own state would stay half-changed."""
    for module in list(_modules.values()):
        if module.lock.acquire(timeout=FORK_WAIT_SECONDS):
            _held.append(module.lock)


def _after_fork_in_parent() -> None:
    while _held:
        _held.pop().release()


def _after_fork_in_child() -> None:
    global _modules_lock  # noqa: PLW0603  # a lock held by another thread of the parent stays locked for ever here
    _modules_lock = threading.Lock()
    _held.clear()
    for module in _modules.values():
        module.lock, module.forked = threading.RLock(), True
        module.sessions = {}


os.register_at_fork(
    before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
)


@dataclass(frozen=True)
class TokenKey:
    """A private key that never leaves its token. Made by `open`; may go to other threads and over a fork."""

    module: str
    token_label: str
    key_label: str | None
    key_id: bytes | None
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()
    _pin: str = field(default="", repr=False)

    @classmethod
    def open(
        cls,
        module: Path | str,
        token_label: str,
        pin: str,
        *,
        key_label: str | None = None,
        key_id: bytes | None = None,
        certificates: tuple[x509.Certificate, ...] = (),
    ) -> TokenKey:
        """Find the key by label, id or both; exactly one must answer.

        `certificates`: the signer's and after it its chain; empty: the token's certificate with the key's id, else
        with its label. Raises KeyRefused, KeyUnavailable.
        """
        path = str(module)
        if not Path(path).is_file():
            raise KeyRefused(f"{path}: there is no such PKCS#11 module")

        def find(session: pkcs11.Session) -> tuple[x509.Certificate, ...]:
            key = _private_key(session, token_label, key_label, key_id)
            return certificates or (_certificate(session, key, token_label),)

        try:
            found = _module(path).asked(token_label, pin, find)
        except faults.NoSuchKey as error:
            raise KeyRefused(f"token {token_label!r} holds {error}") from None
        require_kind(found[0], f"token {token_label!r}")
        return cls(path, token_label, key_label, key_id, found[0], found[1:], pin)

    def probe(self) -> None:
        """See SigningKey.probe: the token is there and shows the key."""
        try:
            _module(self.module).asked(
                self.token_label,
                self._pin,
                lambda session: _private_key(session, self.token_label, self.key_label, self.key_id),
            )
        except faults.NoSuchKey as error:
            raise KeyUnavailable(f"token {self.token_label!r} holds {error}") from None

    def sign(self, data: bytes, hash_name: str) -> bytes:
        """See SigningKey.sign."""
        digest = hashed(data, hash_name)
        try:
            value = _module(self.module).asked(
                self.token_label, self._pin, lambda session: self._signed(session, digest, hash_name)
            )
        except faults.NoSuchKey as error:
            raise KeyUnavailable(f"token {self.token_label!r} holds {error}") from None
        require_valid(self.certificate, value, digest, hash_name)
        return value

    def _signed(self, session: pkcs11.Session, digest: bytes, hash_name: str) -> bytes:
        key = _private_key(session, self.token_label, self.key_label, self.key_id)
        if isinstance(public_key_of(self.certificate), rsa.RSAPublicKey):
            return bytes(key.sign(_DIGEST_INFO[hash_name] + digest, mechanism=Mechanism.RSA_PKCS))
        return bytes(key.sign(digest, mechanism=Mechanism.ECDSA))


def _private_key(
    session: pkcs11.Session, token_label: str, label: str | None, key_id: bytes | None
) -> SignMixin:
    wanted: dict[Attribute, object] = {Attribute.CLASS: ObjectClass.PRIVATE_KEY}
    if label is not None:
        wanted[Attribute.LABEL] = label
    if key_id is not None:
        wanted[Attribute.ID] = key_id
    found = list(session.get_objects(wanted))
    told = " and ".join(
        [f"label {label!r}"] * (label is not None) + [f"id {(key_id or b'').hex()}"] * (key_id is not None)
    )
    if not found:  # or logged out behind our back: private keys do not show then
        raise faults.NoSuchKey(f"no private key{f' with {told}' if told else ''}")
    if len(found) > 1:
        raise KeyRefused(
            f"token {token_label!r} holds {len(found)} keys{f' with {told}' if told else ''}, not one"
        )
    if not isinstance(found[0], pkcs11.PrivateKey) or not isinstance(found[0], SignMixin):
        raise KeyRefused(f"token {token_label!r}: the key{f' with {told}' if told else ''} may not sign")
    return found[0]


def _certificate(session: pkcs11.Session, key: pkcs11.Object, token_label: str) -> x509.Certificate:
    for attribute in (Attribute.ID, Attribute.LABEL):
        if not key[attribute]:
            continue
        wanted = {Attribute.CLASS: ObjectClass.CERTIFICATE, attribute: key[attribute]}
        found = list(session.get_objects(wanted))
        if len(found) > 1:
            raise KeyRefused(
                f"token {token_label!r} holds {len(found)} certificates for the key; give the right one"
            )
        if found:
            try:
                return load_certificate(bytes(found[0][Attribute.VALUE]))
            except ValueError as error:
                raise KeyRefused(f"token {token_label!r}: {error}") from None
    raise KeyRefused(f"token {token_label!r} holds no certificate for the key; give it in a file")
