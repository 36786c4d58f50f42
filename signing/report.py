"""The answer: what was judged, how it came out, what is covered (model: EN 319 102-1 clause 5.1)."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from cryptography import x509

from signing.certificates import Signer
from signing.texts import text_of_check


class Indication(enum.StrEnum):
    """Main indication of a validation (EN 319 102-1 table 5)."""

    PASSED = "TOTAL-PASSED"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "TOTAL-FAILED"


class Outcome(enum.StrEnum):
    """Outcome of one check. A WARNING is told and does not change the indication."""

    PASSED = "PASSED"
    WARNING = "WARNING"
    INDETERMINATE = "INDETERMINATE"
    FAILED = "FAILED"


# The worst check names the sub-indication. TRY_LATER is last: it stands only when nothing else is wrong.
_RANK = (
    "FORMAT_FAILURE",
    "HASH_FAILURE",
    "SIG_CRYPTO_FAILURE",
    "NO_SIGNATURE",
    "SIGNED_DATA_NOT_FOUND",
    "NO_SIGNING_CERTIFICATE_FOUND",
    "CRYPTO_CONSTRAINTS_FAILURE",
    "REVOKED_NO_POE",
    "NO_CERTIFICATE_CHAIN_FOUND",
    "REVOKED_CA_NO_POE",
    "CERTIFICATE_CHAIN_GENERAL_FAILURE",
    "CHAIN_CONSTRAINTS_FAILURE",
    "OUT_OF_BOUNDS_NO_POE",
    "SIG_CONSTRAINTS_FAILURE",
    "TIMESTAMP_ORDER_FAILURE",
    "TRY_LATER",
)


@dataclass(frozen=True, slots=True)
class Check:
    """One check with its clause. `code` is stable; `sub_indication` is empty unless the check failed."""

    code: str
    clause: str
    outcome: Outcome
    sub_indication: str
    message_vi: str
    message_en: str
    remedy_vi: str
    remedy_en: str


_BAD = (Outcome.FAILED, Outcome.INDETERMINATE)


class CheckFailed(Exception):
    """Raised where going on makes no sense; carries the failed check."""

    def __init__(self, check: Check) -> None:
        self.check = check
        super().__init__(f"{check.code}: {check.message_en}")


@lru_cache(maxsize=256)
def passed(code: str) -> Check:
    """The passed check of a code."""
    text = text_of_check(code)
    return Check(code, text.clause, Outcome.PASSED, "", text.passed_vi, text.passed_en, "", "")


def failed(code: str, **values: object) -> Check:
    """The failed check of a code; outcome and sub-indication come from the table, `values` fill its texts."""
    text = text_of_check(code)
    return Check(
        code=code,
        clause=text.clause,
        outcome=Outcome(text.outcome),
        sub_indication=text.sub_indication,
        message_vi=text.vi.format(**values),
        message_en=text.en.format(**values),
        remedy_vi=text.remedy_vi,
        remedy_en=text.remedy_en,
    )


@dataclass(frozen=True, slots=True)
class Covered:
    """One thing that was signed.

    `path`: child element indexes from the root, () for the root; comments and processing instructions do not count.
    `octets`: the exact octets that were digested. Reading goes on from them, never from the document.
    `excluded`: paths, from the root, of the signatures inside it that were left out of the octets.
    `decoded`: the octets came out of base64; they are no form of the element, never to be read in its place.
    """

    path: tuple[int, ...]
    tag: str
    uri: str
    line: int | None
    octets: bytes
    excluded: tuple[tuple[int, ...], ...] = ()
    decoded: bool = False


@dataclass(frozen=True, slots=True)
class Location:
    """Where a Signature stands: line from 1, child element indexes from the root."""

    line: int | None
    path: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Algorithms:
    """Identifiers (URIs) that the signature declares; empty where it could not be read so far."""

    signature: str = ""
    canonicalisation: str = ""
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Statements:
    """What the signer signed about the signature for people to read (`statements.py`).

    `signature_policy`: "" for none, "implied", or its identifier. `commitments`: identifiers. `claimed_roles`, `place`:
    in the signer's words. `certified_roles`: how many, none of them judged.
    """

    signature_policy: str = ""
    commitments: tuple[str, ...] = ()
    claimed_roles: tuple[str, ...] = ()
    certified_roles: int = 0
    place: tuple[str, ...] = ()


NO_STATEMENTS = Statements()


@dataclass(frozen=True, slots=True)
class TimestampReport:
    """The verdict on one time-stamp token (RFC 3161) and on what it is over.

    `kind`: content, signature, references, archive or document. `generated_at` is aware; it is proven only where
    the indication is TOTAL-PASSED.
    """

    kind: str
    generated_at: datetime | None
    indication: Indication
    sub_indication: str | None
    checks: tuple[Check, ...]
    certificate: x509.Certificate | None


@dataclass(frozen=True, slots=True)
class StatusEvidence:
    """One revocation answer that a verdict rests on. `kind`: crl or ocsp. Times are aware."""

    subject: str
    kind: str
    issuer: str
    this_update: datetime
    next_update: datetime | None


@dataclass(frozen=True, slots=True)
class SignatureReport:
    """The verdict on one signature (ds:Signature, SignerInfo or PDF signature field).

    `covered`: content under a value that verified (empty if it did not). `properties`: what the signature signs of
    itself (SignedProperties, SignatureProperties, KeyInfo). `claimed_signing_time`: the signer's word, aware.
    `best_signature_time`: the earliest proof that the signature existed (EN 319 102-1 clause 5.2.9); None: only `at`.
    """

    id: str | None
    location: Location
    profile: str
    indication: Indication
    sub_indication: str | None
    checks: tuple[Check, ...]
    signer: Signer | None
    certificate: x509.Certificate | None
    chain: tuple[x509.Certificate, ...]
    covered: tuple[Covered, ...]
    properties: tuple[Covered, ...]
    claimed_signing_time: datetime | None
    algorithms: Algorithms
    timestamps: tuple[TimestampReport, ...] = ()
    best_signature_time: datetime | None = None
    evidence: tuple[StatusEvidence, ...] = ()
    statements: Statements = NO_STATEMENTS


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict on a document: the worst signature decides. `checks` are those of the document as a whole."""

    indication: Indication
    sub_indication: str | None
    policy: str
    at: datetime
    checks: tuple[Check, ...]
    signatures: tuple[SignatureReport, ...]

    @property
    def covered(self) -> tuple[Covered, ...]:
        """What the signatures cover, in document order of the signatures."""
        return tuple(covered for signature in self.signatures for covered in signature.covered)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values: times in RFC 3339; covered octets by their length and SHA-256, in hexadecimal."""
        return {
            "indication": self.indication.value,
            "sub_indication": self.sub_indication,
            "policy": self.policy,
            "at": self.at.isoformat(),
            "checks": [_check_as_json(check) for check in self.checks],
            "signatures": [_signature_as_json(signature) for signature in self.signatures],
        }


def conclude(checks: Iterable[Check]) -> tuple[Indication, str | None]:
    """The indication that a list of checks adds up to, and the sub-indication of its worst."""
    bad = [check for check in checks if check.outcome in _BAD]
    if not bad:
        return Indication.PASSED, None
    failures = [check for check in bad if check.outcome is Outcome.FAILED]
    worst = min(failures or bad, key=lambda check: _RANK.index(check.sub_indication))
    return (Indication.FAILED if failures else Indication.INDETERMINATE), worst.sub_indication


def worst_of(verdicts: Iterable[tuple[Indication, str | None]]) -> tuple[Indication, str | None]:
    """The worst of several verdicts: any failure, else any indeterminate one, else passed."""

    def badness(verdict: tuple[Indication, str | None]) -> tuple[int, int]:
        severity = {Indication.PASSED: 2, Indication.INDETERMINATE: 1, Indication.FAILED: 0}[verdict[0]]
        return severity, _RANK.index(verdict[1]) if verdict[1] else 0

    return min(verdicts, key=badness)


def _check_as_json(check: Check) -> dict[str, Any]:
    return {
        "code": check.code,
        "clause": check.clause,
        "outcome": check.outcome.value,
        "sub_indication": check.sub_indication or None,
        "message": {"vi": check.message_vi, "en": check.message_en},
        "remedy": {"vi": check.remedy_vi, "en": check.remedy_en},
    }


def _signature_as_json(report: SignatureReport) -> dict[str, Any]:
    return {
        "id": report.id,
        "line": report.location.line,
        "path": list(report.location.path),
        "profile": report.profile,
        "indication": report.indication.value,
        "sub_indication": report.sub_indication,
        "checks": [_check_as_json(check) for check in report.checks],
        "signer": None if report.signer is None else report.signer.as_json(),
        "covered": [_covered_as_json(covered) for covered in report.covered],
        "properties": [_covered_as_json(covered) for covered in report.properties],
        "claimed_signing_time": _time(report.claimed_signing_time),
        "statements": {
            "signature_policy": report.statements.signature_policy or None,
            "commitments": list(report.statements.commitments),
            "claimed_roles": list(report.statements.claimed_roles),
            "certified_roles": report.statements.certified_roles,
            "place": list(report.statements.place),
        },
        "algorithms": {
            "signature": report.algorithms.signature,
            "canonicalisation": report.algorithms.canonicalisation,
            "digests": list(report.algorithms.digests),
        },
        "timestamps": [_timestamp_as_json(timestamp) for timestamp in report.timestamps],
        "best_signature_time": _time(report.best_signature_time),
        "evidence": [_evidence_as_json(evidence) for evidence in report.evidence],
    }


def _timestamp_as_json(report: TimestampReport) -> dict[str, Any]:
    return {
        "kind": report.kind,
        "generated_at": _time(report.generated_at),
        "indication": report.indication.value,
        "sub_indication": report.sub_indication,
        "checks": [_check_as_json(check) for check in report.checks],
        "certificate": None if report.certificate is None else report.certificate.subject.rfc4514_string(),
    }


def _evidence_as_json(evidence: StatusEvidence) -> dict[str, Any]:
    return {
        "subject": evidence.subject,
        "kind": evidence.kind,
        "issuer": evidence.issuer,
        "this_update": _time(evidence.this_update),
        "next_update": _time(evidence.next_update),
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.isoformat()


def _covered_as_json(covered: Covered) -> dict[str, Any]:
    return {
        "path": list(covered.path),
        "tag": covered.tag,
        "uri": covered.uri,
        "line": covered.line,
        "length": len(covered.octets),
        "sha256": hashlib.sha256(covered.octets).hexdigest(),
        "excluded": [list(path) for path in covered.excluded],
    }
