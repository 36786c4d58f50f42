"""Revocation status from CRLs (RFC 5280 clause 5), as an index that is asked per certificate.

A CRL is checked once, when it is added: signature by the issuer's key, right to sign CRLs, form. Delta and indirect
CRLs, and CRLs for some reasons only, are refused. Asking costs a look-up.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from signing.certificates import extension, is_ca, public_key_of, spki

_UNDERSTOOD = {
    x509.CRLNumber.oid,
    x509.AuthorityKeyIdentifier.oid,
    x509.IssuingDistributionPoint.oid,
    x509.FreshestCRL.oid,
    x509.AuthorityInformationAccess.oid,
}


@dataclass(frozen=True, slots=True)
class Good:
    """Not revoked, by a CRL that was in force at the time asked for."""

    this_update: datetime
    next_update: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """Revoked (or, with reason `certificateHold`, suspended) since `at`; `reason` is that of RFC 5280 clause 5.3.1."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer now. `why`: "no-crl", "stale" (nextUpdate passed), "expired-entries"; `detail`: more."""

    why: str
    detail: str


Status = Good | Revoked | Unknown


class CrlRefused(Exception):
    """The CRL cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class CrlInfo:
    """A CRL that was taken in: issuer (RFC 4514), its dates (aware, UTC), its number, and how many entries it has."""

    issuer: str
    this_update: datetime
    next_update: datetime
    number: int | None
    entries: int


@dataclass(frozen=True, slots=True)
class _Entry:
    info: CrlInfo
    scope: str  # "all", "user", "ca"
    points: frozenset[str]  # distribution point URIs; empty: not partitioned
    revoked: dict[int, x509.RevokedCertificate]

    def covers(self, certificate: x509.Certificate) -> bool:
        if self.scope != "all" and (self.scope == "ca") != is_ca(certificate):
            return False
        return not self.points or bool(self.points & _distribution_points(certificate))


class RevocationIndex:
    """CRLs by issuing key. Adding and asking may happen in different threads at once."""

    def __init__(self, issuers: Iterable[x509.Certificate] = ()) -> None:
        self._lock = threading.Lock()
        self._entries: dict[bytes, tuple[_Entry, ...]] = {}
        self._issuers: dict[bytes, list[x509.Certificate]] = {}
        for issuer in issuers:
            self._issuers.setdefault(issuer.subject.public_bytes(), []).append(issuer)

    def add_crl(self, der: bytes, issuer: x509.Certificate | None = None) -> CrlInfo:
        """Take in a DER CRL; an older one of the same scope gives way, a newer one stays.

        `issuer`: its issuer's certificate, where it is not among those the index was made with. Raises CrlRefused.
        """
        try:
            crl = x509.load_der_x509_crl(der)
            candidates = [issuer] if issuer else self._issuers.get(crl.issuer.public_bytes(), [])
            entry = _entry_of(crl)
        except CrlRefused:
            raise
        except Exception as error:  # hostile DER raises several types, depending on where it is broken
            raise CrlRefused(f"not a usable CRL: {error}") from None
        signer = next((candidate for candidate in candidates if _signs(candidate, crl)), None)
        if signer is None:
            raise CrlRefused(f"no known certificate of {entry.info.issuer} verifies it")
        with self._lock:
            key = _issuer_key(signer)
            self._entries[key] = _replaced(self._entries.get(key, ()), entry)
        return entry.info

    def status(self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime) -> Status:
        """Status of a certificate of that issuer at a time (aware)."""
        entries = [e for e in self._entries.get(_issuer_key(issuer), ()) if e.covers(certificate)]
        if not entries:
            return Unknown("no-crl", issuer.subject.rfc4514_string())
        unknown: Unknown | None = None
        for entry in entries:
            answer = _answer(entry, certificate, at)
            if isinstance(answer, Revoked):
                return answer
            if isinstance(answer, Unknown):
                unknown = answer
        good = [e for e in entries if isinstance(_answer(e, certificate, at), Good)]
        if good:
            return Good(good[0].info.this_update, good[0].info.next_update)
        assert unknown is not None
        return unknown


def _answer(entry: _Entry, certificate: x509.Certificate, at: datetime) -> Status:
    found = entry.revoked.get(certificate.serial_number)
    # A revocation holds even where the list itself has gone stale: nothing but a hold is ever taken back.
    if found is not None and found.revocation_date_utc <= at:
        return Revoked(found.revocation_date_utc, _reason(found))
    if at > entry.info.next_update:
        return Unknown("stale", entry.info.next_update.isoformat())
    if entry.info.this_update > certificate.not_valid_after_utc:
        return Unknown("expired-entries", certificate.not_valid_after_utc.isoformat())
    return Good(entry.info.this_update, entry.info.next_update)


def _entry_of(crl: x509.CertificateRevocationList) -> _Entry:
    if crl.next_update_utc is None:
        raise CrlRefused("no nextUpdate (RFC 5280 clause 5.1.2.5)")
    scope, points, number = "all", frozenset[str](), None
    for ext in crl.extensions:
        if ext.oid == x509.DeltaCRLIndicator.oid:
            raise CrlRefused("delta CRLs are not supported")
        if isinstance(ext.value, x509.IssuingDistributionPoint):
            scope, points = _scope(ext.value)
        elif isinstance(ext.value, x509.CRLNumber):
            number = ext.value.crl_number
        elif ext.critical and ext.oid not in _UNDERSTOOD:
            raise CrlRefused(f"unknown critical extension {ext.oid.dotted_string}")
    info = CrlInfo(
        issuer=crl.issuer.rfc4514_string(),
        this_update=crl.last_update_utc,
        next_update=crl.next_update_utc,
        number=number,
        entries=len(crl),
    )
    # cryptography's own look-up walks the list each time: 2 ms for 10,000 entries, against a dictionary's 0.1 µs
    return _Entry(info, scope, points, {revoked.serial_number: revoked for revoked in crl})


def _scope(point: x509.IssuingDistributionPoint) -> tuple[str, frozenset[str]]:
    if point.indirect_crl:
        raise CrlRefused("indirect CRLs are not supported")
    if point.only_some_reasons is not None or point.only_contains_attribute_certs:
        raise CrlRefused("CRLs for some reasons or for attribute certificates are not supported")
    if point.relative_name is not None:
        raise CrlRefused("a distribution point by relative name is not supported")
    scope = "user" if point.only_contains_user_certs else "ca" if point.only_contains_ca_certs else "all"
    return scope, frozenset(str(name.value) for name in point.full_name or ())


def _signs(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    usage = extension(issuer, x509.KeyUsage)
    if issuer.subject != crl.issuer or (usage is not None and not usage.crl_sign):
        return False
    try:
        return crl.is_signature_valid(public_key_of(issuer))
    except (ValueError, TypeError):
        return False


def _replaced(entries: tuple[_Entry, ...], new: _Entry) -> tuple[_Entry, ...]:
    same = [e for e in entries if (e.scope, e.points) == (new.scope, new.points)]
    if any(e.info.this_update > new.info.this_update for e in same):
        return entries
    return (*(e for e in entries if e not in same), new)


def _reason(revoked: x509.RevokedCertificate) -> str:
    try:
        return revoked.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except (x509.ExtensionNotFound, ValueError):
        return "unspecified"


@lru_cache(maxsize=512)
def _issuer_key(certificate: x509.Certificate) -> bytes:
    """By name and key: a CA's renewed certificate answers for the same list."""
    name, key = certificate.subject.public_bytes(), spki(public_key_of(certificate))
    return hashlib.sha256(len(name).to_bytes(4, "big") + name + key).digest()


@lru_cache(maxsize=2048)
def _distribution_points(certificate: x509.Certificate) -> frozenset[str]:
    points = extension(certificate, x509.CRLDistributionPoints)
    return frozenset(str(name.value) for point in points or () for name in point.full_name or ())
