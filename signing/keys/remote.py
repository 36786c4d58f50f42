"""Keys at a remote signing service, by the API of the Cloud Signature Consortium, version 2 (CSC v2.0.0.2).

The service gets the digest, never the document. Each signature is authorised by itself: its SAD (signature activation
data) is bound to that one hash. What comes back is checked against the certificate before anybody sees it.
"""

from __future__ import annotations

import base64
import binascii
import ssl
import threading
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from signing.certificates import load_certificate, public_key_of
from signing.fetching import Answer, FetchFailed, FetchLimits, fetch_now
from signing.keys.base import (
    KeyRefused,
    KeyUnavailable,
    field_octets,
    hashed,
    require_kind,
    require_valid,
    side_by_side,
)
from signing.keys.bearer import Bearer, FixedToken, require_secure

_HASH_OIDS = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha384": "2.16.840.1.101.3.4.2.2",
    "sha512": "2.16.840.1.101.3.4.2.3",
}
_RSA, _EC = "1.2.840.113549.1.1.1", "1.2.840.10045.2.1"
_WITH_RSA = {
    "sha256": "1.2.840.113549.1.1.11",
    "sha384": "1.2.840.113549.1.1.12",
    "sha512": "1.2.840.113549.1.1.13",
}
_WITH_ECDSA = {
    "sha256": "1.2.840.10045.4.3.2",
    "sha384": "1.2.840.10045.4.3.3",
    "sha512": "1.2.840.10045.4.3.4",
}
_UNAUTHORISED = 401
_TRY_LATER = {408, 425, 429}
MAX_CHAIN = 8
LIMITS = FetchLimits(seconds=20.0, answer_bytes=262_144)


class _Info(msgspec.Struct, frozen=True):
    """Answer of `info` (clause 11.1): what we need of it."""

    methods: list[str] = []


class _List(msgspec.Struct, frozen=True):
    """Answer of `credentials/list` (clause 11.4)."""

    ids: list[str] = msgspec.field(name="credentialIDs")


class _Key(msgspec.Struct, frozen=True):
    status: str
    algo: list[str]


class _Cert(msgspec.Struct, frozen=True):
    certificates: list[str] = []
    status: str | None = None


class _Auth(msgspec.Struct, frozen=True):
    mode: str


class _Credential(msgspec.Struct, frozen=True):
    """Answer of `credentials/info` (clause 11.5): what we need of it."""

    key: _Key
    cert: _Cert
    auth: _Auth


class _Authorised(msgspec.Struct, frozen=True):
    """Answer of `credentials/authorize` (clause 11.6)."""

    sad: str = msgspec.field(name="SAD")


class _Signed(msgspec.Struct, frozen=True):
    """Answer of `signatures/signHash` (clause 11.10)."""

    signatures: list[str]


class _Fault(msgspec.Struct, frozen=True):
    error: str = ""
    error_description: str = ""


_T = TypeVar("_T")


@dataclass(frozen=True)
class CscService:
    """A service by its base URL (up to and with `/csc/v2`) and an OAuth 2.0 bearer token, or where one is to be had.

    HTTPS, unless the host is this machine. A token that is answered with 401 is renewed once for each call, where
    its source has another. `tls`: a context of the caller's own; None: the system's certificates.
    Raises KeyRefused for a URL or a token that will not do.
    """

    url: str
    token: str | Bearer = field(repr=False)
    limits: FetchLimits = LIMITS
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        require_secure(self.url, "signing service")
        if isinstance(self.token, str):
            object.__setattr__(self, "token", FixedToken(self.token))

    def ask(self, method: str, request: Mapping[str, object], kind: type[_T]) -> _T:
        """One call. May be made inside a running event loop. Raises KeyRefused, KeyUnavailable."""
        assert not isinstance(self.token, str)
        token = self.token.current()
        answer = self._post(method, request, token)
        if answer.status == _UNAUTHORISED and (another := self.token.renewed(token)) is not None:
            token = another  # what was refused with 401 was not carried out: to ask again is safe
            answer = self._post(method, request, token)
        if answer.status != 200:
            raise _refusal(method, answer.status, answer.body, [token, *_secrets_in(request)])
        try:
            return msgspec.json.decode(answer.body, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise KeyUnavailable(
                f"signing service, {method}: not the agreed form: {str(error)[:200]}"
            ) from None

    def _post(self, method: str, request: Mapping[str, object], token: str) -> Answer:
        call = partial(
            fetch_now,
            f"{self.url.rstrip('/')}/{method}",
            body=msgspec.json.encode(request),
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            limits=self.limits,
            tls=self.tls,
        )
        try:
            with ThreadPoolExecutor(1) as own:  # a thread without a loop, wherever we are called
                return own.submit(call).result()
        except FetchFailed as error:
            raise KeyUnavailable(f"signing service, {method}: {error}") from None


class _TokenRefused(KeyRefused):
    """The access token is not good (any more); it tells nothing about a PIN."""


def _secrets_in(request: Mapping[str, object]) -> Iterator[str]:
    """PINs, one-time passwords, the SAD: a service that says them back must not bring them into a log."""
    if isinstance(sad := request.get("SAD"), str):
        yield sad
    given = request.get("authData")
    for each in given if isinstance(given, list) else []:
        yield each["value"]


def _refusal(method: str, status: int, body: bytes, secrets: Iterable[str]) -> KeyRefused:
    try:
        fault = msgspec.json.decode(body, type=_Fault)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        fault = _Fault()
    told = f"{fault.error} {fault.error_description}"
    for secret in sorted(filter(None, secrets), key=len, reverse=True):
        told = told.replace(secret, "***")
    told = "".join(c for c in told[:300] if c.isprintable()).strip()
    text = f"signing service, {method}: {status} {told}".rstrip()
    if status == _UNAUTHORISED and fault.error == "invalid_token":
        return _TokenRefused(text)
    # Without the agreed error document the answer is somebody's on the way, not the service's.
    later = status >= 500 or status in _TRY_LATER or 300 <= status < 400 or not fault.error
    return KeyUnavailable(text) if later else KeyRefused(text)


@dataclass(frozen=True)
class RemoteKey:
    """A private key kept by a service. Made by `open`; `sign` may be called from several threads at once."""

    service: CscService
    credential_id: str
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    algorithms: frozenset[str]
    mode: str
    _secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    _sad: str | None = field(default=None, repr=False)
    _refused: threading.Event = field(default_factory=threading.Event, repr=False, compare=False)
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @classmethod
    def open(
        cls,
        service: CscService,
        credential_id: str | None = None,
        *,
        secrets: Mapping[str, str] | None = None,
        sad: str | None = None,
    ) -> RemoteKey:
        """Look a credential up; without an id the user's only one.

        `secrets`: what explicit authorisation asks for, by id ("PIN", "OTP" …). `sad`: where the service gives it
        through OAuth (mode oauth2code). Raises KeyRefused, KeyUnavailable.
        """
        info = service.ask("info", {}, _Info)
        missing = {"credentials/info", "signatures/signHash"} - set(info.methods)
        if missing:
            raise KeyRefused(f"signing service: it offers no {', '.join(sorted(missing))}")
        chosen = credential_id or _only(service)
        credential = _looked_up(service, chosen)
        certificate, *chain = _certificates(credential.cert, chosen)
        require_kind(certificate, f"credential {chosen!r}")
        mode = credential.auth.mode
        if mode not in ("implicit", "explicit", "oauth2code"):
            raise KeyRefused(f"credential {chosen!r}: authorisation mode {mode[:40]!r} is not known here")
        if mode == "oauth2code" and sad is None:
            raise KeyRefused(f"credential {chosen!r}: its SAD comes through OAuth; give it")
        if mode == "explicit" and not secrets:
            raise KeyRefused(f"credential {chosen!r}: it asks for a PIN or a one-time password; give it")
        given = tuple((secrets or {}).items())
        algorithms = frozenset(credential.key.algo)
        return cls(service, chosen, certificate, tuple(chain), algorithms, mode, given, sad)

    def probe(self) -> None:
        """See SigningKey.probe: the service answers, and the credential is in use."""
        _looked_up(self.service, self.credential_id)

    def sign(self, data: bytes, hash_name: str) -> bytes:
        """See SigningKey.sign."""
        digest = hashed(data, hash_name)
        hashes = [base64.b64encode(digest).decode("ascii")]
        about = {
            "credentialID": self.credential_id,
            "hashes": hashes,
            "hashAlgorithmOID": _HASH_OIDS[hash_name],
        }
        method = {"signAlgo": self._algorithm(hash_name), "operationMode": "S"}
        request = {**about, **method, "SAD": self._authorised(about)}
        answer = self.service.ask("signatures/signHash", request, _Signed)
        if len(answer.signatures) != 1:
            raise KeyRefused(f"signing service: {len(answer.signatures)} signatures for one hash")
        value = self._as_we_have_it(_octets(answer.signatures[0], "signature"))
        require_valid(self.certificate, value, digest, hash_name)
        return value

    def _authorised(self, about: Mapping[str, object]) -> str:
        if self._sad is not None:
            return self._sad
        secrets = [{"id": name, "value": value} for name, value in self._secrets]
        request = {**about, "numSignatures": 1, **({"authData": secrets} if secrets else {})}
        with self._one_at_a_time:
            if self._refused.is_set():
                raise KeyRefused(
                    f"credential {self.credential_id!r} refused this PIN before; it is not sent again"
                )
            try:
                return self.service.ask("credentials/authorize", request, _Authorised).sad
            except (KeyUnavailable, _TokenRefused):
                raise
            except KeyRefused:
                if secrets:
                    self._refused.set()  # a few wrong ones lock the credential
                raise

    def _algorithm(self, hash_name: str) -> str:
        """The named algorithm if the key lists it, else the key's kind, which the hash's OID completes."""
        elliptic = isinstance(public_key_of(self.certificate), ec.EllipticCurvePublicKey)
        named, kind = (_WITH_ECDSA[hash_name], _EC) if elliptic else (_WITH_RSA[hash_name], _RSA)
        for algorithm in (named, kind):
            if algorithm in self.algorithms:
                return algorithm
        raise KeyRefused(f"credential {self.credential_id!r} does not sign with {named}")

    def _as_we_have_it(self, value: bytes) -> bytes:
        """ECDSA comes in DER or as r and s; the check against the certificate says whether we read it rightly."""
        key = public_key_of(self.certificate)
        if not isinstance(key, ec.EllipticCurvePublicKey):
            return value
        try:
            return side_by_side(value, field_octets(key))
        except ValueError:
            return value


def _looked_up(service: CscService, credential_id: str) -> _Credential:
    request = {"credentialID": credential_id, "certificates": "chain", "certInfo": True, "authInfo": True}
    credential = service.ask("credentials/info", request, _Credential)
    if credential.key.status != "enabled" or credential.cert.status not in (None, "valid"):
        told = f"key {credential.key.status}, certificate {credential.cert.status}"
        raise KeyRefused(f"credential {credential_id!r} is not in use: {told[:100]}")
    return credential


def _only(service: CscService) -> str:
    ids = service.ask("credentials/list", {}, _List).ids
    if len(ids) != 1:
        named = ", ".join(each[:80] for each in ids[:10])
        raise KeyRefused(f"signing service: {len(ids)} credentials, say which{f': {named}' if named else ''}")
    return ids[0]


def _certificates(held: _Cert, credential_id: str) -> list[x509.Certificate]:
    if not 1 <= len(held.certificates) <= MAX_CHAIN:
        raise KeyRefused(f"credential {credential_id!r}: {len(held.certificates)} certificates came with it")
    try:
        return [load_certificate(_octets(each, "certificate")) for each in held.certificates]
    except ValueError as error:
        raise KeyRefused(f"credential {credential_id!r}: {str(error)[:200]}") from None


def _octets(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise KeyRefused(f"signing service: a {what} that is no base64") from None
