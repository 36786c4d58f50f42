"""Certificates and revocation answers that come with a document; each is believed by its issuer's signature alone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from signing.certificates import load_certificate
from signing.path import may_issue
from signing.revocation import CrlRefused, Good, RevocationIndex, Revoked, Status
from signing.trust import TrustStore

MAX_EVIDENCE_BYTES = 4 << 20
"""CRLs of one document taken in, in octets; what comes after is left out, and its status stays unknown."""
MAX_EVIDENCE = 64


@dataclass(frozen=True, slots=True)
class Evidence:
    """CRLs and OCSP answers in DER, as they stand in the document."""

    certificates: tuple[x509.Certificate, ...] = ()
    crls: tuple[bytes, ...] = ()
    ocsps: tuple[bytes, ...] = ()

    def joined(self, other: Evidence) -> Evidence:
        """Both, each thing once."""
        return Evidence(
            tuple(dict.fromkeys((*self.certificates, *other.certificates))),
            tuple(dict.fromkeys((*self.crls, *other.crls))),
            tuple(dict.fromkeys((*self.ocsps, *other.ocsps))),
        )

    def added_to(self, trust: TrustStore) -> TrustStore:
        """A store for this document: the same anchors and paths, and its CRLs beside those that the store knows."""
        if not self.crls:
            return trust
        issuers = [c for c in self.certificates if may_issue(c)]
        own = RevocationIndex((*trust.anchors, *trust.intermediates, *issuers))
        taken = 0
        for der in self.crls[:MAX_EVIDENCE]:
            taken += len(der)
            if taken > MAX_EVIDENCE_BYTES:
                break
            with suppress(CrlRefused):
                own.add_crl(der)
        store = TrustStore(trust.anchors, trust.intermediates, _Both(trust.revocation, own))
        object.__setattr__(store, "paths", trust.paths)
        return store


class _Both(RevocationIndex):
    """The operator's answers beside the document's: revoked by either is revoked, good needs one that is in force."""

    def __init__(self, known: RevocationIndex, own: RevocationIndex) -> None:
        super().__init__()
        self._known, self._own = known, own

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Status:
        known = self._known.status(certificate, issuer, at)
        if isinstance(known, Revoked):
            return known
        own = self._own.status(certificate, issuer, at)
        return own if isinstance(own, Revoked | Good) and not isinstance(known, Good) else _worse(known, own)


def _worse(known: Status, own: Status) -> Status:
    return own if isinstance(own, Revoked) else known


def certificates_of(ders: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """Those that can be read."""
    found = []
    for der in ders:
        with suppress(ValueError):
            found.append(load_certificate(der))
    return tuple(found)
