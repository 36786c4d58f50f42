"""Signed attributes: what they say, and that they say it once (RFC 5652 §11, RFC 5035, EN 319 122-1 §5.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from signing.asn1 import OCTET_STRING, SEQUENCE, Asn1Refused, Element
from signing.cms.algorithms import digest_of
from signing.cms.structure import SignerInfo
from signing.policy import IMPLIED_POLICY
from signing.report import CheckFailed, Statements, failed
from signing.statements import cms_statements

CONTENT_TYPE = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST = "1.2.840.113549.1.9.4"
SIGNING_TIME = "1.2.840.113549.1.9.5"
COUNTER_SIGNATURE = "1.2.840.113549.1.9.6"
ALGORITHM_PROTECTION = "1.2.840.113549.1.9.52"
_AA = "1.2.840.113549.1.9.16.2."
SIGNING_CERTIFICATE = _AA + "12"
SIGNING_CERTIFICATE_V2 = _AA + "47"
SIGNATURE_TIME_STAMP = _AA + "14"
CONTENT_TIME_STAMP = _AA + "20"
SIGNATURE_POLICY = _AA + "15"
ADOBE_REVOCATION = "1.2.840.113583.1.1.8"

# Attributes that may have one value only; a second value would leave open which one was meant.
_SINGLE = {
    CONTENT_TYPE,
    MESSAGE_DIGEST,
    SIGNING_TIME,
    ALGORITHM_PROTECTION,
    SIGNING_CERTIFICATE,
    SIGNING_CERTIFICATE_V2,
    SIGNATURE_POLICY,
    _AA + "4",  # content-hints
    _AA + "7",  # content-identifier
    _AA + "10",  # content-reference
    _AA + "17",  # signer-location
    "0.4.0.1733.2.1",  # mime-type
    "0.4.0.19122.1.1",  # signer-attributes-v2
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class CertificateReference:
    """One ESSCertID or ESSCertIDv2. `digest` is "" for an unknown digest; `serial` is None where it is not told."""

    digest: str
    value: bytes
    serial: int | None


@dataclass(frozen=True, slots=True)
class SignedAttributes:
    """What one signer signed besides the content. `certificates`: by attribute, the signer's own reference first."""

    content_type: str | None
    message_digest: bytes | None
    signing_time: datetime | None
    certificates: tuple[tuple[CertificateReference, ...], ...]
    statements: Statements
    protection: tuple[str, str] | None
    content_time_stamps: tuple[bytes, ...]
    revocation: tuple[Element, ...]


def read_signed_attributes(signer: SignerInfo) -> SignedAttributes:
    """Read and check the form. Raises CheckFailed (cms.attributes)."""
    found: dict[str, tuple[Element, ...]] = {}
    for attribute in signer.signed or ():
        if attribute.oid in found:
            raise CheckFailed(failed("cms.attributes", detail=f"{attribute.oid} stands twice"))
        if not attribute.values or (attribute.oid in _SINGLE and len(attribute.values) != 1):
            detail = f"{attribute.oid} has {len(attribute.values)} values"
            raise CheckFailed(failed("cms.attributes", detail=detail))
        found[attribute.oid] = attribute.values

    def single(oid: str, read: Callable[[Element], _T]) -> _T | None:
        try:
            return read(found[oid][0]) if oid in found else None
        except Asn1Refused as error:
            raise CheckFailed(failed("cms.attributes", detail=f"{oid}: {error}")) from None

    references = (
        single(SIGNING_CERTIFICATE, _references),
        single(SIGNING_CERTIFICATE_V2, _references_v2),
    )
    return SignedAttributes(
        content_type=single(CONTENT_TYPE, lambda value: value.oid()),
        message_digest=single(MESSAGE_DIGEST, lambda value: value.expect(OCTET_STRING).content),
        signing_time=single(SIGNING_TIME, lambda value: value.time()),
        certificates=tuple(each for each in references if each is not None),
        statements=_statements(single(SIGNATURE_POLICY, _policy) or "", found),
        protection=single(ALGORITHM_PROTECTION, _protection),
        content_time_stamps=tuple(value.encoded for value in found.get(CONTENT_TIME_STAMP, ())),
        revocation=found.get(ADOBE_REVOCATION, ()),
    )


def _references(value: Element) -> tuple[CertificateReference, ...]:
    return tuple(
        CertificateReference("sha1", parts[0].expect(OCTET_STRING).content, _serial(parts[1:]))
        for parts in _each_reference(value)
    )


def _references_v2(value: Element) -> tuple[CertificateReference, ...]:
    found = []
    for parts in _each_reference(value):
        digest = "sha256"
        if parts[0].tag == SEQUENCE:
            digest = digest_of(parts.pop(0)) or ""
        if not parts:
            raise Asn1Refused("ESSCertIDv2 without a digest")
        found.append(CertificateReference(digest, parts[0].expect(OCTET_STRING).content, _serial(parts[1:])))
    return tuple(found)


def _each_reference(value: Element) -> list[list[Element]]:
    certificates = value.list(SEQUENCE, least=1, limit=2)[0]
    return [each.list(SEQUENCE, least=1, limit=3) for each in certificates.list(SEQUENCE, least=1, limit=16)]


def _serial(rest: list[Element]) -> int | None:
    return rest[0].list(SEQUENCE, least=2, limit=2)[1].integer() if rest else None


def _policy(value: Element) -> str:
    """The policy's identifier, or that it is implied (EN 319 122-1 clause 5.2.9.1)."""
    return value.list(least=1, limit=3)[0].oid() if value.constructed else IMPLIED_POLICY


def _statements(policy: str, found: dict[str, tuple[Element, ...]]) -> Statements:
    try:
        return cms_statements(policy, found)
    except Asn1Refused as error:
        raise CheckFailed(failed("cms.attributes", detail=str(error))) from None


def _protection(value: Element) -> tuple[str, str]:
    """RFC 6211 clause 2: digest and signature algorithm, by identifier."""
    parts = value.list(SEQUENCE, least=2, limit=3)
    if parts[1].tag != 0xA1:
        raise Asn1Refused("no signature algorithm")
    signature = parts[1].list(least=1, limit=2)[0]
    return parts[0].list(SEQUENCE, least=1, limit=2)[0].oid(), signature.oid()
