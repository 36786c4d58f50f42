"""Certificate and revocation values, and references to them (EN 319 132-1 clauses 5.4, annex A.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import DIGESTS, DS, XADES, digest
from signing.asn1 import Asn1Refused, Budget, encode, read_element
from signing.cms.structure import read_signed_data
from signing.elements import short, text_of
from signing.evidence import Evidence, certificates_of
from signing.longterm.properties import VALUES, XADES_141, Properties, TimeStamp, octets_of
from signing.report import Check, CheckFailed, failed, passed
from signing.timestamps import MAX_TOKEN_ELEMENTS

MAX_VALUES = 64
"""Values of one kind in one property; what comes after is left out, and proves nothing."""

_PARTS = re.compile(r"(?<!\\)[,+;]")
_ESCAPED = re.compile(r"\\(.)")
_CERTIFICATE_REFS = (f"{{{XADES}}}CompleteCertificateRefs", f"{{{XADES_141}}}CompleteCertificateRefsV2")


def evidence_of(properties: Properties) -> list[tuple[int, Evidence]]:
    """What the values hold, by the place of the property and of the time stamps that bring their own.

    Raises CheckFailed (format.base64) for a value that is no base64; a certificate that cannot be read is left out.
    """
    held = [(place, _values(e)) for place, e in enumerate(properties.unsigned) if e.tag in VALUES]
    held += [(stamp.position, _of_tokens(stamp)) for stamp in properties.unsigned_stamps]
    held += [(-1, _of_tokens(stamp)) for stamp in properties.content_stamps]
    return held


def _values(element: etree._Element) -> Evidence:
    return Evidence(
        certificates_of(octets_of(each) for each in _found(element, "EncapsulatedX509Certificate")),
        tuple(octets_of(each) for each in _found(element, "EncapsulatedCRLValue")),
        tuple(_whole_response(octets_of(each)) for each in _found(element, "EncapsulatedOCSPValue")),
    )


def _found(element: etree._Element, name: str) -> list[etree._Element]:
    return list(element.iter(f"{{{XADES}}}{name}"))[:MAX_VALUES]


def _whole_response(der: bytes) -> bytes:
    """An OCSPResponse; some signers hold the BasicOCSPResponse inside it alone, which is wrapped again here."""
    with suppress(Asn1Refused):
        parts = read_element(der).list(limit=5)
        if len(parts) >= 3 and parts[0].constructed:
            basic = bytes.fromhex("06092b0601050507300101") + encode(0x04, der)
            inner = encode(0xA0, encode(0x30, basic))
            return encode(0x30, b"\x0a\x01\x00" + inner)
    return der


def _of_tokens(stamp: TimeStamp) -> Evidence:
    certificates: list[x509.Certificate] = []
    crls: list[bytes] = []
    for token in stamp.tokens:
        with suppress(Asn1Refused):
            signed = read_signed_data(token, max_signers=1, budget=Budget(MAX_TOKEN_ELEMENTS))
            certificates += signed.certificates
            crls += [der for der in signed.raw_crls if der[:1] == b"\x30"]
    return Evidence(tuple(dict.fromkeys(certificates)), tuple(crls))


def check_references(
    properties: Properties, known: tuple[x509.Certificate, ...], signer: x509.Certificate | None
) -> list[Check]:
    """Whether CompleteCertificateRefs is whole (annex A.1.1): every CA up to and including the anchor is referenced.

    Read off the document alone: every issuer that the signing certificate and the references name must be the subject
    of a reference, so there must be at least as many references as such issuers; and a reference whose serial number
    and issuer are those of a certificate that came along must bear its digest.
    """
    checks: list[Check] = []
    for element in properties.named(_CERTIFICATE_REFS):
        references = list(element.iter(f"{{{XADES}}}Cert"))[: 4 * MAX_VALUES]
        issuers = {_plain(name) for name in map(_issuer, references) if name}
        if issuers and signer is not None:
            issuers.add(_plain(signer.issuer.rfc4514_string()))
        wrong = next((c for r in references for c in known if _belies(r, c)), None)
        if wrong is not None:
            detail = f"a digest that is not that of {wrong.subject.rfc4514_string()[:120]}"
            checks.append(failed("xades.certificate-refs", detail=detail))
        elif len(references) < len(issuers):
            detail = f"{len(references)} references for {len(issuers)} certification authorities"
            checks.append(failed("xades.certificate-refs", detail=detail))
        else:
            checks.append(passed("xades.certificate-refs"))
    return checks


def _issuer(reference: etree._Element) -> str:
    found = reference.find(f"{{{XADES}}}IssuerSerial/{{{DS}}}X509IssuerName")
    return "" if found is None else text_of(found)[:1024]


def _plain(name: str) -> frozenset[str]:
    """A name by its values, whatever their order, spacing, case and types: text forms of names differ by vendor."""
    values = (part.partition("=")[2].strip() for part in _PARTS.split(name))
    return frozenset("".join(_ESCAPED.sub(r"\1", _read(value)).split()).lower() for value in values if value)


def _read(value: str) -> str:
    """A value in hexadecimal (RFC 4514 clause 2.4) as its text, where it is one."""
    with suppress(ValueError):
        if value.startswith("#"):
            return read_element(bytes.fromhex(value[1:])).content.decode("utf-8")
    return value


def _belies(reference: etree._Element, certificate: x509.Certificate) -> bool:
    serial = reference.find(f"{{{XADES}}}IssuerSerial/{{{DS}}}X509SerialNumber")
    method = reference.find(f"{{{XADES}}}CertDigest/{{{DS}}}DigestMethod")
    value = reference.find(f"{{{XADES}}}CertDigest/{{{DS}}}DigestValue")
    if method is None or value is None:
        detail = f"{short(reference.tag)} without CertDigest"
        raise CheckFailed(failed("xades.time-structure", detail=detail))
    if serial is None or text_of(serial).strip() != str(certificate.serial_number):
        return False
    if _plain(_issuer(reference)) != _plain(certificate.issuer.rfc4514_string()):
        return False
    name = DIGESTS.get(method.get("Algorithm", ""))
    return name is not None and digest(name, certificate.public_bytes(Encoding.DER)) != octets_of(value)


def ancestors(
    certificate: x509.Certificate, pool: tuple[x509.Certificate, ...]
) -> Iterator[x509.Certificate]:
    """Certificates of the pool that may stand above one, by name, nearest first; at most eight."""
    seen: dict[x509.Certificate, None] = {}
    wanted = [certificate.issuer]
    while wanted and len(seen) < 8:
        name = wanted.pop(0)
        for each in pool:
            if each.subject == name and each not in seen:
                seen[each] = None
                wanted.append(each.issuer)
                yield each
