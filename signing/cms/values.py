"""Certificate and revocation values inside a CMS signature (EN 319 122-1 §5.4.1, §5.4.2; ISO 32000-2 §12.8.3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from signing.asn1 import OCTET_STRING, SEQUENCE, Asn1Refused, Element, encode, read_element
from signing.cms.attributes import SignedAttributes
from signing.cms.structure import SignedData, SignerInfo
from signing.evidence import MAX_EVIDENCE, Evidence, certificates_of

CERTIFICATE_VALUES = "1.2.840.113549.1.9.16.2.23"
REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"
_BASIC_OCSP = bytes.fromhex("06092b0601050507300101")
_OCSP_BASIC, _OCSP_RESPONSE = "1.3.6.1.5.5.7.48.1.1", "1.3.6.1.5.5.7.16.2"
_SUCCESSFUL = b"\x0a\x01\x00"


def embedded_evidence(
    signed: SignedData, signer: SignerInfo, attributes: SignedAttributes
) -> list[tuple[bytes | None, Evidence]]:
    """What came along, by the octets in which it stands: what a time stamp over them proves; None: it is signed.

    What cannot be read is left out: it is not needed for the signature itself.
    """
    found: list[tuple[bytes | None, Evidence]] = [(der, _of_set(der)) for der in signed.raw_crls]
    for attribute in signer.unsigned:
        for value in attribute.values:
            with suppress(Asn1Refused):
                if attribute.oid == CERTIFICATE_VALUES:
                    ders = [each.encoded for each in value.list(SEQUENCE, limit=MAX_EVIDENCE)]
                    found.append((value.encoded, Evidence(certificates_of(ders))))
                elif attribute.oid == REVOCATION_VALUES:
                    ocsps = tuple(map(_as_response, _held(value, 0xA1)))
                    found.append((value.encoded, Evidence(crls=tuple(_held(value, 0xA0)), ocsps=ocsps)))
    for value in attributes.revocation:
        with suppress(Asn1Refused):
            adobe = Evidence(crls=tuple(_held(value, 0xA0)), ocsps=tuple(_held(value, 0xA1)))
            found.append((None, adobe))
    return [(place, held) for place, held in found if held != Evidence()]


def _of_set(der: bytes) -> Evidence:
    """RevocationInfoChoice (RFC 5652 §10.2.1): a CRL, or an OCSP answer, whole (RFC 5940) or bare as CAdES has it."""
    if der[:1] == b"\x30":
        return Evidence(crls=(der,))
    with suppress(Asn1Refused):
        kind, value = read_element(der).list(0xA1, least=2, limit=2)
        if kind.oid() == _OCSP_RESPONSE:
            return Evidence(ocsps=(value.encoded,))
        if kind.oid() == _OCSP_BASIC:
            return Evidence(ocsps=(_as_response(value.encoded),))
    return Evidence()


def _as_response(basic: bytes) -> bytes:
    """CAdES holds the bare BasicOCSPResponse (EN 319 122-1 §5.4.2.2): in its envelope of RFC 6960 §4.2.1."""
    held = encode(SEQUENCE, _BASIC_OCSP + encode(OCTET_STRING, basic))
    return encode(SEQUENCE, _SUCCESSFUL + encode(0xA0, held))


def _held(value: Element, tag: int) -> Iterator[bytes]:
    """RevocationValues and Adobe's RevocationInfoArchival alike: a tagged SEQUENCE OF."""
    for part in value.list(SEQUENCE, limit=4):
        if part.tag == tag:
            for sequence in part.list(limit=1):
                for each in sequence.list(SEQUENCE, limit=MAX_EVIDENCE):
                    yield each.encoded
