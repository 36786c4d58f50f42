"""Certificate and revocation values inside a CMS signature (EN 319 122-1 §5.4.1, §5.4.2; ISO 32000-2 §12.8.3.3)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from signing.asn1 import OCTET_STRING, SEQUENCE, Asn1Refused, Element, encode
from signing.cms.attributes import SignedAttributes
from signing.cms.structure import SignedData, SignerInfo
from signing.evidence import MAX_EVIDENCE, Evidence, certificates_of

CERTIFICATE_VALUES = "1.2.840.113549.1.9.16.2.23"
REVOCATION_VALUES = "1.2.840.113549.1.9.16.2.24"
_BASIC_OCSP = bytes.fromhex("06092b0601050507300101")
_SUCCESSFUL = b"\x0a\x01\x00"


def embedded_evidence(signed: SignedData, signer: SignerInfo, attributes: SignedAttributes) -> Evidence:
    """What came along. What cannot be read is left out: it is not needed for the signature itself."""
    certificates: list[bytes] = []
    crls = [der for der in signed.raw_crls if der[:1] == b"\x30"]
    ocsps: list[bytes] = []
    for attribute in signer.unsigned:
        for value in attribute.values:
            with suppress(Asn1Refused):
                if attribute.oid == CERTIFICATE_VALUES:
                    certificates += [each.encoded for each in value.list(SEQUENCE, limit=MAX_EVIDENCE)]
                elif attribute.oid == REVOCATION_VALUES:
                    crls += _held(value, 0xA0)
                    ocsps += map(_as_response, _held(value, 0xA1))
    for value in attributes.revocation:
        with suppress(Asn1Refused):
            crls += _held(value, 0xA0)
            ocsps += _held(value, 0xA1)
    return Evidence(certificates_of(certificates), tuple(crls), tuple(ocsps))


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
