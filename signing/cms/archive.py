"""Archive time stamps of CAdES, version 3 (EN 319 122-1 clause 5.5.3), and what each of them covers.

Versions 1 and 2 and the time stamps of CAdES-C digest what no two implementations agree on: told, never relied on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from signing.algorithms import digest
from signing.asn1 import OCTET_STRING, SEQUENCE, Asn1Refused, Budget, Element, as_der
from signing.cms.algorithms import digest_of
from signing.cms.structure import SignedData, SignerInfo, read_signed_data
from signing.policy import Policy
from signing.proven import DocumentEvidence
from signing.report import Check, Indication, TimestampReport, conclude, failed
from signing.timestamps import MAX_TOKEN_ELEMENTS, judge_timestamp, read_timestamp_info
from signing.trust import TrustStore

ARCHIVE_TIME_STAMP_V3 = "0.4.0.1733.2.4"
HASH_INDEX = "0.4.0.1733.2.5"  # of TS 101 733: digests whole attributes, and SHA-256 goes without saying
HASH_INDEX_V3 = "0.4.0.19122.1.5"
MAX_ARCHIVE_TIME_STAMPS = 8
_AA = "1.2.840.113549.1.9.16.2."
_NOT_JUDGED = {
    _AA + "25": "CAdES-C-time-stamp",
    _AA + "26": "time-stamped-certs-crls-references",
    _AA + "27": "archive-time-stamp",
    _AA + "48": "archive-time-stamp-v2",
}


@dataclass(frozen=True, slots=True)
class ArchiveStamp:
    """A judged archive time stamp; `covers`: the unsigned attribute values, certificates and revocation values that its
    index names, as octets.
    """

    report: TimestampReport
    covers: frozenset[bytes]

    @property
    def proves(self) -> datetime | None:
        """The time at which what it covers existed, None where it does not hold."""
        return self.report.generated_at if self.report.indication is Indication.PASSED else None


def proven_by(stamps: Iterable[ArchiveStamp], octets: bytes) -> list[datetime]:
    """The times at which something that an index may name provably existed."""
    return [stamp.proves for stamp in stamps if stamp.proves is not None and octets in stamp.covers]


def archive_stamps(
    signed: SignedData,
    signer: SignerInfo,
    content: bytes,
    stamps: list[ArchiveStamp],
    *,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime,
    proven: tuple[datetime, ...],
    untrusted: tuple[x509.Certificate, ...],
    values: DocumentEvidence | None,
) -> None:
    """Judge them into `stamps` from the latest to the earliest: a later one proves that an earlier one existed."""
    tokens = [v for a in signer.unsigned if a.oid == ARCHIVE_TIME_STAMP_V3 for v in a.values]
    if len(tokens) > MAX_ARCHIVE_TIME_STAMPS:
        detail = f"more than {MAX_ARCHIVE_TIME_STAMPS} archive time stamps"
        stamps.append(ArchiveStamp(_refused(failed("timestamp.structure", detail=detail)), frozenset()))
        return
    for token in sorted(tokens, key=_time_of, reverse=True):
        try:
            index = _HashIndex.read(token)
            covers = index.check(signed, signer)
        except Asn1Refused as error:
            stamps.append(
                ArchiveStamp(_refused(failed("timestamp.structure", detail=str(error)[:200])), frozenset())
            )
            continue
        report = judge_timestamp(
            token.encoded,
            lambda name, index=index: _octets(signed, signer, content, index, name),  # type: ignore[misc]
            kind="archive",
            policy=policy,
            trust=trust,
            at=at,
            proven=min((*proven_by(stamps, token.encoded), *proven), default=None),
            untrusted=untrusted,
            values=values,
        )
        stamps.append(ArchiveStamp(report, covers))


def unjudged(signer: SignerInfo) -> list[TimestampReport]:
    """One report for each kind of time stamp that is not judged here."""
    kinds = dict.fromkeys(a.oid for a in signer.unsigned if a.oid in _NOT_JUDGED)
    return [_refused(failed("timestamp.not-judged", detail=_NOT_JUDGED[oid])) for oid in kinds]


def _refused(check: Check) -> TimestampReport:
    indication, sub_indication = conclude([check])
    return TimestampReport("archive", None, indication, sub_indication, (check,), None)


def _time_of(token: Element) -> str:
    try:
        signed = read_signed_data(token.encoded, max_signers=1, budget=Budget(MAX_TOKEN_ELEMENTS))
        return read_timestamp_info(signed.content or b"").generated_at.isoformat()
    except Asn1Refused:
        return ""


@dataclass(frozen=True, slots=True)
class _HashIndex:
    """ATSHashIndexV3 (clause 5.5.2), an unsigned attribute of the time stamp itself."""

    octets: bytes
    digest: str
    certificates: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    attributes: tuple[bytes, ...]
    whole_attributes: bool

    @classmethod
    def read(cls, token: Element) -> _HashIndex:
        signed = read_signed_data(token.encoded, max_signers=1, budget=Budget(MAX_TOKEN_ELEMENTS))
        values = [
            (a.oid, v)
            for s in signed.signers
            for a in s.unsigned
            for v in a.values
            if a.oid in (HASH_INDEX, HASH_INDEX_V3)
        ]
        if len(values) != 1:
            raise Asn1Refused("one ATSHashIndexV3 is needed")
        oid, value = values[0]
        parts = value.list(SEQUENCE, least=3, limit=4)
        name = digest_of(parts.pop(0)) if len(parts) == 4 else "sha256" if oid == HASH_INDEX else None
        if name is None:
            raise Asn1Refused("ATSHashIndexV3: unknown digest")
        hashes = [tuple(each.expect(OCTET_STRING).content for each in part.list(SEQUENCE)) for part in parts]
        return cls(as_der(value), name, hashes[0], hashes[1], hashes[2], oid == HASH_INDEX)

    def check(self, signed: SignedData, signer: SignerInfo) -> frozenset[bytes]:
        """Every digest must be that of something there. Returns what is named, attributes by their values."""
        attributes: dict[bytes, list[bytes]] = {}
        for attribute in signer.unsigned:
            if self.whole_attributes:
                name = digest(self.digest, as_der(attribute.element))
                attributes[name] = [value.encoded for value in attribute.values]
                continue
            for value in attribute.values:
                name = digest(self.digest, _type_of(attribute.element) + as_der(value))
                attributes[name] = [value.encoded]
        there = (
            (self.certificates, {digest(self.digest, der): [der] for der in signed.raw_certificates}),
            (self.crls, {digest(self.digest, der): [der] for der in signed.raw_crls}),
            (self.attributes, attributes),
        )
        if any(not set(named) <= set(found) for named, found in there):
            raise Asn1Refused("ATSHashIndexV3 names what is not there")
        return frozenset(octets for named, found in there for each in named for octets in found[each])


def _type_of(attribute: Element) -> bytes:
    return next(attribute.children()).encoded


def _octets(signed: SignedData, signer: SignerInfo, content: bytes, index: _HashIndex, name: str) -> bytes:
    return b"".join(
        (
            signed.content_type_element.encoded,
            digest(name, content),
            *signer.fields,
            index.octets,
        )
    )
