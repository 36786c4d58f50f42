"""Who is calling: the client certificate is looked up on every request, kept-alive connections included."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from aiohttp import web
from cryptography import x509
from cryptography.exceptions import InvalidSignature

import signing
from gateway.errors import Stranger, StrangerReason
from gateway.ports import ClientIdentity, Clock, Provider

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class ClientTrust:
    """The certification authorities of client certificates (by subject, DER) and their revocation lists.

    `out`: those that are trusted no more, though connections from before may yet be open.
    """

    issuers: Mapping[bytes, Sequence[x509.Certificate]]
    revocation: signing.RevocationIndex
    out: Mapping[bytes, Sequence[x509.Certificate]] = field(default_factory=dict)


class Known(Protocol):
    """The part of a registry that is asked."""

    async def client(self, fingerprint: str) -> ClientIdentity | None:
        """See `ports.Registry.client`."""
        ...


def certificate_of(request: web.Request) -> bytes | None:
    """The caller's certificate (DER), as the handshake has proven that it holds the key; None without one."""
    ssl_object = request.get_extra_info("ssl_object")
    der: bytes | None = ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None
    return der or None


class Clients:
    """Tells providers, agencies and administrators from strangers."""

    def __init__(self, registry: Known, trust: Callable[[], ClientTrust], clock: Clock) -> None:
        self._registry = registry
        self._trust = trust
        self._clock = clock
        self._parsed: dict[str, x509.Certificate] = {}
        self._judged_by: ClientTrust | None = None
        self._issued: dict[str, x509.Certificate | None] = {}

    async def provider(self, request: web.Request) -> Provider:
        """The registered, active provider that calls. Raises Stranger, logged with its reason."""
        provider = (await self._identity(request, "provider")).provider
        if provider is None or not provider.active:
            raise self.refuse(request, "suspended")
        return provider

    async def agency(self, request: web.Request) -> str:
        """The identifier of the agency that calls. Raises Stranger, logged with its reason."""
        return (await self._identity(request, "agency")).party

    async def admin(self, request: web.Request) -> str:
        """The name of the administrator that calls. Raises Stranger, logged with its reason."""
        return (await self._identity(request, "admin")).party

    async def _identity(self, request: web.Request, kind: str) -> ClientIdentity:
        der = certificate_of(request)
        if not der:
            raise self.refuse(request, "no client certificate")
        fingerprint = hashlib.sha256(der).hexdigest()
        identity = await self._registry.client(fingerprint)
        if identity is None:
            raise self.refuse(request, "not registered", fingerprint)
        certificate = self._parsed.get(fingerprint)
        if certificate is None:
            certificate = self._parsed[fingerprint] = x509.load_der_x509_certificate(der)
        why: StrangerReason | None = self._fault(fingerprint, certificate) if identity.active else "revoked"
        if why is not None:
            raise self.refuse(request, why, fingerprint)
        if certificate.not_valid_after_utc < self._clock():
            raise self.refuse(request, "expired", fingerprint)
        if identity.kind != kind:
            raise self.refuse(request, "not for this door", fingerprint)
        return identity

    def _fault(self, fingerprint: str, certificate: x509.Certificate) -> StrangerReason | None:
        """Only a list that names the certificate revokes it; a list that cannot be had keeps nobody out.

        A connection may be older than what is trusted now: its authority is looked at again.
        """
        trust = self._trust()
        if trust is not self._judged_by:
            self._judged_by, self._issued = trust, {}
        if fingerprint not in self._issued:
            self._issued[fingerprint] = _issuer(certificate, trust.issuers)
        issuer = self._issued[fingerprint]
        if issuer is None:
            return "authority not trusted" if _issuer(certificate, trust.out) is not None else None
        status = trust.revocation.status(certificate, issuer, self._clock())
        return "revoked" if isinstance(status, signing.Revoked) else None

    def refuse(
        self, request: web.Request, reason: StrangerReason, fingerprint: str | None = None
    ) -> Stranger:
        """What to raise: logged, and the caller is told the reason alone."""
        log.warning(
            "client-refused", reason=reason, fingerprint=fingerprint, peer=request.remote, path=request.path
        )
        return Stranger(reason)


def _issuer(
    certificate: x509.Certificate, known: Mapping[bytes, Sequence[x509.Certificate]]
) -> x509.Certificate | None:
    for one in known.get(certificate.issuer.public_bytes(), ()):
        with suppress(ValueError, TypeError, InvalidSignature):
            certificate.verify_directly_issued_by(one)
            return one
    return None
