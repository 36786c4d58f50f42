"""Revocation status as an index that is asked per certificate: CRLs by issuer, OCSP answers by issuer and serial.

What comes in is checked once (`crl`, `ocsp`); asking costs a look-up. Two sources that disagree: a revocation counts.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from signing.certificates import public_key_of, spki
from signing.crl import CrlEntry, CrlInfo, CrlRefused, entry_of, reason_of, signs
from signing.ocsp import OcspAnswer, OcspRefused, read_ocsp

__all__ = [
    "CrlInfo",
    "CrlRefused",
    "Good",
    "OcspRefused",
    "RevocationIndex",
    "Revoked",
    "Status",
    "StatusRules",
    "Unknown",
]


@dataclass(frozen=True, slots=True)
class StatusRules:
    """What a policy asks of an answer (EN 319 102-1 clause 5.2.5).

    `digests`: of its signature, None for any. `max_age`: how long before the time in question its thisUpdate may lie;
    None: as long as its nextUpdate says. `max_age_open`: the same for an OCSP answer without nextUpdate.
    `minimum_rsa_bits`: of a delegated responder's key.
    """

    digests: frozenset[str] | None = None
    max_age: timedelta | None = None
    max_age_open: timedelta = timedelta(days=1)
    minimum_rsa_bits: int = 0


ANY = StatusRules()


@dataclass(frozen=True, slots=True)
class Good:
    """Not revoked at the time asked for. The answer is the same up to `until` (inclusive). `kind`: crl or ocsp."""

    kind: str
    issuer: str
    this_update: datetime
    next_update: datetime | None
    until: datetime


@dataclass(frozen=True, slots=True)
class Revoked:
    """Revoked (or, with reason `certificateHold`, suspended) since `at`; `reason` is that of RFC 5280 clause 5.3.1."""

    at: datetime
    reason: str
    kind: str = "crl"


@dataclass(frozen=True, slots=True)
class Unknown:
    """No answer now. `why`: "no-crl" (nor OCSP answer), "stale", "expired-entries" (issued after the certificate's
    end), "weak-digest", "ocsp-unknown", "responder" (its own status or key will not do); `detail`: more.
    """

    why: str
    detail: str


Status = Good | Revoked | Unknown


class RevocationIndex:
    """Answers by issuing key. Adding and asking may happen in different threads at once.

    `epoch` grows with every change: what was concluded from the index under another epoch is to be asked anew.
    """

    def __init__(self, issuers: Iterable[x509.Certificate] = ()) -> None:
        self.epoch = 0
        self._lock = threading.Lock()
        self._lists: dict[bytes, tuple[CrlEntry, ...]] = {}
        self._ocsp: dict[tuple[bytes, int], OcspAnswer] = {}
        self._issuers: dict[bytes, list[x509.Certificate]] = {}
        for issuer in issuers:
            self._issuers.setdefault(issuer.subject.public_bytes(), []).append(issuer)

    def extended(self, issuers: Iterable[x509.Certificate] = ()) -> RevocationIndex:
        """A copy to which a document's own values may be added without touching this one."""
        with self._lock:
            made = RevocationIndex((*(c for known in self._issuers.values() for c in known), *issuers))
            made._lists, made._ocsp = dict(self._lists), dict(self._ocsp)
        return made

    def add_crl(self, der: bytes, issuer: x509.Certificate | None = None, *, indexed: bool = True) -> CrlInfo:
        """Take in a DER CRL; an older one of the same scope gives way, a newer one stays.

        `issuer`: its issuer's certificate, where it is not among those the index was made with. `indexed` False: for a
        list out of a document, which is asked once. Raises CrlRefused.
        """
        try:
            crl = x509.load_der_x509_crl(der)
            candidates = [issuer] if issuer else self._issuers.get(crl.issuer.public_bytes(), [])
            entry = entry_of(crl, indexed=indexed)
        except CrlRefused:
            raise
        except Exception as error:  # hostile DER raises several types, depending on where it is broken
            raise CrlRefused(f"not a usable CRL: {error}") from None
        signer = next((candidate for candidate in candidates if signs(candidate, crl)), None)
        if signer is None:
            raise CrlRefused(f"no known certificate of {entry.info.issuer} verifies it")
        with self._lock:
            key = issuer_key(signer)
            before = self._lists.get(key, ())
            self._lists[key] = _replaced(before, entry)
            self.epoch += self._lists[key] is not before
        return entry.info

    def add_ocsp(self, der: bytes, issuer: x509.Certificate | None = None) -> tuple[OcspAnswer, ...]:
        """Take in a DER OCSPResponse; of two answers about a certificate the one with the later thisUpdate stays.

        `issuer`: of the certificates it is about, where it is not among those the index was made with.
        Raises OcspRefused.
        """
        known = [issuer] if issuer else [c for same in self._issuers.values() for c in same]
        answers = read_ocsp(der, known)
        with self._lock:
            for about, answer in answers:
                place = (issuer_key(about), answer.serial)
                before = self._ocsp.get(place)
                if before is None or (before.this_update, before.status == "revoked") < (
                    answer.this_update,
                    answer.status == "revoked",
                ):
                    self._ocsp[place] = answer
                    self.epoch += 1
        return tuple(answer for _, answer in answers)

    def lists(self) -> tuple[CrlInfo, ...]:
        """The lists that count now."""
        with self._lock:
            return tuple(entry.info for entries in self._lists.values() for entry in entries)

    def answers(self) -> int:
        """How many certificates OCSP answers tell of."""
        return len(self._ocsp)

    def status(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, rules: StatusRules = ANY
    ) -> Status:
        """Status of a certificate of that issuer at a time (aware)."""
        answers = self._of_lists(certificate, issuer, at, rules)
        told = self._ocsp.get((issuer_key(issuer), certificate.serial_number))
        if told is not None:
            answers.append(self._of_ocsp(told, certificate, issuer, at, rules))
        revoked = [answer for answer in answers if isinstance(answer, Revoked)]
        if revoked:
            return min(revoked, key=lambda answer: answer.at)
        good = [answer for answer in answers if isinstance(answer, Good)]
        if good:
            newest = max(good, key=lambda answer: answer.this_update)
            until = min(answer.until for answer in good)
            return Good(newest.kind, newest.issuer, newest.this_update, newest.next_update, until)
        return answers[-1] if answers else Unknown("no-crl", issuer.subject.rfc4514_string())

    def _of_lists(
        self, certificate: x509.Certificate, issuer: x509.Certificate, at: datetime, rules: StatusRules
    ) -> list[Status]:
        entries = self._lists.get(issuer_key(issuer), ())
        return [_by_list(entry, certificate, at, rules) for entry in entries if entry.covers(certificate)]

    def _of_ocsp(
        self,
        told: OcspAnswer,
        certificate: x509.Certificate,
        issuer: x509.Certificate,
        at: datetime,
        rules: StatusRules,
    ) -> Status:
        end: datetime | None = None
        if told.responder is not None:
            statuses = self._of_lists(told.responder, issuer, at, rules)
            fault = _responder_fault(told, told.responder, statuses, rules)
            if fault:
                return Unknown("responder", fault)
            end = min((status.until for status in statuses if isinstance(status, Good)), default=None)
        if rules.digests is not None and told.digest not in rules.digests and told.digest != "eddsa":
            return Unknown("weak-digest", told.digest)
        if told.status == "unknown":
            return Unknown("ocsp-unknown", told.this_update.isoformat())
        if told.revoked_at is not None and told.revoked_at <= at:
            return Revoked(told.revoked_at, told.reason, "ocsp")
        by = (told.responder or issuer).subject.rfc4514_string()
        word = _Told("ocsp", by, told.this_update, told.next_update, told.revoked_at, told.keeps_since)
        status = word.at(at, certificate, rules)
        if isinstance(status, Good) and end is not None:
            return replace(status, until=min(status.until, end))
        return status


def _responder_fault(
    told: OcspAnswer, responder: x509.Certificate, statuses: list[Status], rules: StatusRules
) -> str:
    """Why a delegated responder will not do: revoked by the issuer's list, or no word on it where one is needed."""
    if any(isinstance(status, Revoked) for status in statuses):
        return "its certificate is revoked"
    if not told.never_checked and not any(isinstance(status, Good) for status in statuses):
        return "no list tells of its certificate, and it is not exempt (id-pkix-ocsp-nocheck)"
    key, algorithm = public_key_of(responder), responder.signature_hash_algorithm
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < rules.minimum_rsa_bits:
        return f"RSA {key.key_size}"
    name = "eddsa" if algorithm is None else algorithm.name.replace("-", "_")
    if rules.digests is not None and name not in rules.digests and name != "eddsa":
        return f"its certificate is signed with {name}"
    return ""


def _by_list(entry: CrlEntry, certificate: x509.Certificate, at: datetime, rules: StatusRules) -> Status:
    found = entry.revoked.get(certificate.serial_number)
    # A revocation holds even where the list itself has gone stale: nothing but a hold is ever taken back.
    if found is not None and found.revocation_date_utc <= at:
        return Revoked(found.revocation_date_utc, reason_of(found))
    if rules.digests is not None and entry.digest not in rules.digests and entry.digest != "eddsa":
        return Unknown("weak-digest", entry.digest)
    later = found.revocation_date_utc if found is not None else None
    info = entry.info
    told = _Told("crl", info.issuer, info.this_update, info.next_update, later, entry.keeps_since)
    return told.at(at, certificate, rules)


@dataclass(frozen=True, slots=True)
class _Told:
    """A word that a certificate is not revoked, or not before `revoked_later`."""

    kind: str
    by: str
    this_update: datetime
    next_update: datetime | None
    revoked_later: datetime | None
    keeps_since: datetime | None

    def at(self, time: datetime, certificate: x509.Certificate, rules: StatusRules) -> Status:
        """Good where it was in force at the time, and tells of the certificate though that had ended."""
        end = self.next_update if self.next_update is not None else self.this_update + rules.max_age_open
        if rules.max_age is not None:
            end = min(end, self.this_update + rules.max_age)
        if time > end:
            return Unknown("stale", end.isoformat())
        ended = certificate.not_valid_after_utc
        if self.this_update > ended and (self.keeps_since is None or ended < self.keeps_since):
            return Unknown("expired-entries", ended.isoformat())
        if self.revoked_later is not None:
            end = min(end, self.revoked_later - timedelta(microseconds=1))
        return Good(self.kind, self.by, self.this_update, self.next_update, end)


def _replaced(entries: tuple[CrlEntry, ...], new: CrlEntry) -> tuple[CrlEntry, ...]:
    same = [e for e in entries if (e.scope, e.points) == (new.scope, new.points)]
    if any(e.info.this_update > new.info.this_update for e in same):
        return entries
    return (*(e for e in entries if e not in same), new)


@lru_cache(maxsize=512)
def issuer_key(certificate: x509.Certificate) -> bytes:
    """By name and key: a CA's renewed certificate answers for the same list."""
    name, key = certificate.subject.public_bytes(), spki(public_key_of(certificate))
    return hashlib.sha256(len(name).to_bytes(4, "big") + name + key).digest()
