"""Certificates and revocation answers that come with a document; each is believed by its issuer's signature alone."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from signing.certificates import load_certificate
from signing.path import may_issue
from signing.revocation import (
    ANY,
    CrlRefused,
    Good,
    OcspRefused,
    RevocationIndex,
    Revoked,
    Status,
    StatusRules,
    Unknown,
)
from signing.trust import TrustStore

MAX_EVIDENCE_BYTES = 4 << 20
"""CRLs and OCSP answers of one document taken in, in octets; what comes after is left out, and proves nothing."""
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
        """A store for this document: the same anchors and paths, and its answers beside those that the store knows."""
        return with_evidence(trust, (self,))


def with_evidence(trust: TrustStore, held: Iterable[Evidence]) -> TrustStore:
    """The store with a document's own answers beside what it knows; each piece is an index of its own.

    An older answer of one piece is not displaced by a newer one of another: of a certificate that ran out in between,
    only the older one tells. Nothing is read before a status is asked for.
    """
    pieces = tuple(held)
    if not any(piece.crls or piece.ocsps for piece in pieces):
        return trust
    beside = _Beside(trust.revocation, (*trust.anchors, *trust.stamping, *trust.intermediates), pieces)
    store = TrustStore(trust.anchors, trust.intermediates, beside, trust.windows, trust.stamping)
    object.__setattr__(store, "paths", trust.paths)
    return store


class _Beside(RevocationIndex):
    """The operator's answers beside the document's: revoked by any is revoked, good needs one that is in force."""

    def __init__(
        self, known: RevocationIndex, issuers: tuple[x509.Certificate, ...], pieces: tuple[Evidence, ...]
    ) -> None:
        super().__init__()
        self._known, self._pool, self._pieces = known, issuers, pieces
        self._own: tuple[RevocationIndex, ...] | None = None

    def status(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, rules: StatusRules = ANY
    ) -> Status:
        if self._own is None:
            self._own = _indexes(self._pool, self._pieces)
        told = [index.status(certificate, issuer, at, rules) for index in (self._known, *self._own)]
        revoked = [status for status in told if isinstance(status, Revoked)]
        if revoked:
            return min(revoked, key=lambda status: status.at)
        good = [status for status in told if isinstance(status, Good)]
        if good:
            return max(good, key=lambda status: status.this_update)
        heard = [status for status in told if isinstance(status, Unknown) and status.why != "no-crl"]
        return heard[0] if heard else told[0]


def _indexes(
    known: tuple[x509.Certificate, ...], pieces: tuple[Evidence, ...]
) -> tuple[RevocationIndex, ...]:
    issuers = (*known, *(c for piece in pieces for c in piece.certificates if may_issue(c)))
    made: list[RevocationIndex] = []
    octets, count = MAX_EVIDENCE_BYTES, MAX_EVIDENCE
    for piece in pieces:
        index = RevocationIndex(dict.fromkeys(issuers))
        for der in (*piece.crls, *piece.ocsps):
            octets, count = octets - len(der), count - 1
            if octets < 0 or count < 0:
                return (*made, index)
            with suppress(CrlRefused, OcspRefused):
                index.add_ocsp(der) if der in piece.ocsps else index.add_crl(der, indexed=False)
        if piece.crls or piece.ocsps:
            made.append(index)
    return tuple(made)


def certificates_of(ders: Iterable[bytes]) -> tuple[x509.Certificate, ...]:
    """Those that can be read."""
    found = []
    for der in ders:
        with suppress(ValueError):
            found.append(load_certificate(der))
    return tuple(found)
