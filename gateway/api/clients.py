"""Who is calling: the client certificate is looked up on every request, kept-alive connections included."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog
from aiohttp import web
from cryptography import x509

import signing
from gateway.errors import Stranger
from gateway.ports import ClientIdentity, Clock, Provider, Registry

log = structlog.get_logger("api")


@dataclass(frozen=True, slots=True)
class ClientTrust:
    """The certification authorities of client certificates (by subject, DER) and their revocation lists."""

    issuers: Mapping[bytes, x509.Certificate]
    revocation: signing.RevocationIndex


class Clients:
    """Tells providers and agencies from strangers."""

    def __init__(self, registry: Registry, trust: Callable[[], ClientTrust], clock: Clock) -> None:
        self._registry = registry
        self._trust = trust
        self._clock = clock
        self._parsed: dict[str, x509.Certificate] = {}

    async def provider(self, request: web.Request) -> Provider:
        """The registered, active provider that calls. Raises Stranger, logged with its reason."""
        provider = (await self._identity(request, "provider")).provider
        if provider is None or not provider.active:
            raise self._refuse(request, "suspended")
        return provider

    async def agency(self, request: web.Request) -> str:
        """The identifier of the agency that calls. Raises Stranger, logged with its reason."""
        return (await self._identity(request, "agency")).party

    async def _identity(self, request: web.Request, kind: str) -> ClientIdentity:
        ssl_object = request.get_extra_info("ssl_object")
        der = ssl_object.getpeercert(binary_form=True) if ssl_object is not None else None
        if not der:
            raise self._refuse(request, "no client certificate")
        fingerprint = hashlib.sha256(der).hexdigest()
        identity = await self._registry.client(fingerprint)
        if identity is None:
            raise self._refuse(request, "not registered", fingerprint)
        if not identity.active or self._is_revoked(fingerprint, der):
            raise self._refuse(request, "revoked", fingerprint)
        if self._parsed[fingerprint].not_valid_after_utc < self._clock():
            raise self._refuse(request, "expired", fingerprint)
        if identity.kind != kind:
            raise self._refuse(request, "not for this door", fingerprint)
        return identity

    def _is_revoked(self, fingerprint: str, der: bytes) -> bool:
        """Only a list that names the certificate revokes it; a list that cannot be had keeps nobody out."""
        certificate = self._parsed.get(fingerprint)
        if certificate is None:
            certificate = self._parsed[fingerprint] = x509.load_der_x509_certificate(der)
        trust = self._trust()
        issuer = trust.issuers.get(certificate.issuer.public_bytes())
        if issuer is None:
            return False
        status = trust.revocation.status(certificate, issuer, self._clock())
        return isinstance(status, signing.Revoked)

    def _refuse(self, request: web.Request, reason: str, fingerprint: str | None = None) -> Stranger:
        log.warning(
            "client-refused", reason=reason, fingerprint=fingerprint, peer=request.remote, path=request.path
        )
        return Stranger(reason)
