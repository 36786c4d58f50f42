"""Access tokens for a signing service (RFC 6750): one that is given, one in a file, one got by OAuth 2.0.

A token that was refused is renewed once for each call; what renewing brings is refused once more or serves.
"""

from __future__ import annotations

import base64
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol
from urllib.parse import quote_plus, urlencode

import msgspec

from signing.fetching import LOOPBACK, FetchFailed, FetchLimits, fetch_now, split_url
from signing.keys.base import KeyRefused, KeyUnavailable

_EARLY_SECONDS = 10.0
_MOST_OCTETS = 16_384


class Bearer(Protocol):
    """Where the access token comes from. Both methods may be called from several threads at once, and raise
    KeyRefused, KeyUnavailable.
    """

    def current(self) -> str:
        """The token in force."""

    def renewed(self, refused: str) -> str | None:
        """Another token than the one that was refused; None where there is no other."""


def usable(token: str) -> str:
    """The token, if it can stand in a header. Raises KeyRefused, which does not show it."""
    if not token or not token.isascii() or not token.isprintable() or len(token) > _MOST_OCTETS:
        raise KeyRefused("signing service: the access token is empty or no token68 text")
    return token


@dataclass(frozen=True)
class FixedToken:
    """A token that the caller has got. Raises KeyRefused."""

    token: str = field(repr=False)

    def __post_init__(self) -> None:
        usable(self.token)

    def current(self) -> str:
        """See Bearer."""
        return self.token

    def renewed(self, refused: str) -> str | None:  # noqa: ARG002 - there is no other
        """See Bearer."""
        return None


class TokenFile:
    """A token in a file that somebody else keeps fresh: read anew once the token was refused."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._token = self._read()

    def current(self) -> str:
        """See Bearer."""
        return self._token

    def renewed(self, refused: str) -> str | None:
        """See Bearer."""
        self._token = found = self._read()
        return found if found != refused else None

    def _read(self) -> str:
        try:
            return usable(self._file.read_text(encoding="utf-8").rstrip("\r\n"))
        except UnicodeDecodeError:
            raise KeyRefused(f"{self._file}: no readable text") from None
        except OSError as error:
            raise KeyUnavailable(f"{self._file}: {error.strerror}") from None


class _Granted(msgspec.Struct, frozen=True):
    """RFC 6749 clause 5.1."""

    access_token: str
    token_type: str
    expires_in: float | None = None


class _Fault(msgspec.Struct, frozen=True):
    """RFC 6749 clause 5.2."""

    error: str


@dataclass
class ClientCredentials:
    """A token by OAuth 2.0 client credentials (RFC 6749 clause 4.4; CSC v2 clause 8.4.3), kept until it ends.

    `url` is that of the token endpoint: HTTPS, unless it is on this machine. The client's name and secret go in an
    Authorization header (clause 2.3.1). Raises KeyRefused for a URL that will not do.
    """

    url: str
    client: str
    secret: str = field(repr=False)
    scope: str = "service"
    limits: FetchLimits = field(default_factory=FetchLimits)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    _token: str | None = field(default=None, init=False, repr=False)
    _until: float = field(default=0.0, init=False, repr=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        require_secure(self.url, "token endpoint")

    def current(self) -> str:
        """See Bearer."""
        with self._one_at_a_time:
            if self._token is None or time.monotonic() >= self._until:
                self._get()
            assert self._token is not None
            return self._token

    def renewed(self, refused: str) -> str | None:
        """See Bearer. Callers whose token was refused at the same time share what the first of them gets."""
        with self._one_at_a_time:
            if self._token is None or self._token == refused:
                self._get()
            return self._token if self._token != refused else None

    def _get(self) -> None:
        self._token = None
        named = f"{quote_plus(self.client)}:{quote_plus(self.secret)}".encode()
        call = partial(
            fetch_now,
            self.url,
            body=urlencode({"grant_type": "client_credentials", "scope": self.scope}).encode("ascii"),
            headers={
                "Authorization": "Basic " + base64.b64encode(named).decode("ascii"),
                "Content-Type": "application/x-www-form-urlencoded",
                "Accept": "application/json",
            },
            limits=self.limits,
            tls=self.tls,
        )
        try:
            with ThreadPoolExecutor(1) as own:  # a thread without a loop, wherever we are called
                answer = own.submit(call).result()
        except FetchFailed as error:
            raise KeyUnavailable(f"token endpoint: {error}") from None
        if answer.status != 200:
            raise _refusal(answer.status, answer.body)
        try:
            granted = msgspec.json.decode(answer.body, type=_Granted)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise KeyUnavailable("token endpoint: not the agreed form") from None
        if granted.token_type.lower() != "bearer":
            raise KeyRefused(f"token endpoint: a token of type {granted.token_type[:40]!r}, not Bearer")
        self._token = usable(granted.access_token)
        lasts = granted.expires_in if granted.expires_in is not None else float("inf")
        self._until = time.monotonic() + max(0.0, lasts - _EARLY_SECONDS)


def _refusal(status: int, body: bytes) -> KeyRefused:
    """Of what it says only the error's code is told: a description might say our secret back."""
    try:
        fault = msgspec.json.decode(body, type=_Fault).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fault = ""
    told = fault if fault.isidentifier() and len(fault) <= 40 else ""
    text = f"token endpoint: {status} {told}".rstrip()
    return KeyRefused(text) if told and 400 <= status < 500 and status != 429 else KeyUnavailable(text)


def require_secure(url: str, what: str) -> None:
    """HTTPS, unless the host is this machine; nothing after the path. Raises KeyRefused."""
    try:
        parts = split_url(url)
    except ValueError as error:
        raise KeyRefused(f"{what}: {error}") from None
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise KeyRefused(f"{what} {parts.hostname}: HTTPS is needed")
    if parts.query or parts.fragment:
        raise KeyRefused(f"{what} {parts.hostname}: the URL must end with its path")
