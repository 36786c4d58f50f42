"""SignedData read by element (RFC 5652 clause 5), with every part kept as the octets that are digested or signed."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.asn1 import (
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    SET,
    Asn1Refused,
    Budget,
    Element,
    as_der,
    encode,
    read_element,
)
from signing.certificates import extension, is_readable, load_certificate
from signing.cms.algorithms import CmsAlgorithm, digest_of, signature_of

SIGNED_DATA = "1.2.840.113549.1.7.2"
DATA = "1.2.840.113549.1.7.1"
TST_INFO = "1.2.840.113549.1.9.16.1.4"
MAX_CERTIFICATES = 128
MAX_ATTRIBUTES = 64
MAX_VALUES = 32

_PEM_BEGIN = re.compile(rb"-----BEGIN (CMS|PKCS7|PKCS #7 SIGNED DATA)-----\s")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One Attribute (RFC 5652 clause 5.3): its type, dotted, and its values."""

    oid: str
    values: tuple[Element, ...]
    element: Element = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignerInfo:
    """One SignerInfo. `signed_octets`: SignedAttributes in DER, as digested; `written_octets`: as they stand.

    `fields`: the encoded version … signature, in order, as archive time stamps digest them.
    """

    issuer: bytes | None
    serial: int | None
    key_identifier: bytes | None
    digest: str
    digest_oid: str
    algorithm: CmsAlgorithm | None
    algorithm_oid: str
    signed: tuple[Attribute, ...] | None
    signed_octets: bytes
    written_octets: bytes
    value: bytes
    unsigned: tuple[Attribute, ...]
    fields: tuple[bytes, ...]

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether the SignerIdentifier means that certificate."""
        if self.key_identifier is not None:
            if not is_readable(certificate):
                return False
            found = extension(certificate, x509.SubjectKeyIdentifier)
            return found is not None and found.digest == self.key_identifier
        return self.serial == certificate.serial_number and self.issuer == certificate.issuer.public_bytes()


@dataclass(frozen=True, slots=True)
class SignedData:
    """One SignedData. `content`: the encapsulated octets, None where the signature is detached.

    `certificates` are those that could be read; `raw_certificates`, `raw_crls`: all, as octets.
    """

    content_type: str
    content_type_element: Element
    content: bytes | None
    certificates: tuple[x509.Certificate, ...]
    raw_certificates: tuple[bytes, ...]
    raw_crls: tuple[bytes, ...]
    signers: tuple[SignerInfo, ...]


def unwrap(data: bytes) -> bytes:
    """The binary form of a CMS file: out of PEM or bare base64, or as it is. Raises Asn1Refused."""
    if data[:1] == b"\x30":
        return data
    found = _PEM_BEGIN.search(data)
    text = data
    if found:
        end = data.find(b"-----END " + found[1] + b"-----", found.end())
        if end < 0:
            raise Asn1Refused("PEM without an end")
        text = data[found.end() : end]
    if not found and not re.fullmatch(rb"\s*MI[A-Za-z0-9+/=\s]+", text[:4096]):
        raise Asn1Refused("neither BER nor PEM")
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Asn1Refused(f"base64: {error}") from None


def read_signed_data(
    data: bytes, *, max_signers: int = 16, tolerant: bool = False, budget: Budget | None = None
) -> SignedData:
    """Read a ContentInfo of SignedData; white space or NUL may follow, as in PDF. Raises Asn1Refused.

    `tolerant`: certificates with unreadable names or extensions are taken too. `budget`: of elements looked at.
    """
    info = read_element(data, budget, whole=False)
    if data[info.end :].strip(b"\0\r\n\t "):
        raise Asn1Refused(f"{len(data) - info.end} octets after the end")
    parts = info.list(SEQUENCE, least=1, limit=2)
    if parts[0].oid() != SIGNED_DATA:
        raise Asn1Refused("no SignedData")
    if len(parts) != 2 or parts[1].tag != 0xA0:
        raise Asn1Refused("ContentInfo without content")
    return _signed_data(parts[1].list(least=1, limit=1)[0], max_signers, tolerant)


def _signed_data(element: Element, max_signers: int, tolerant: bool) -> SignedData:
    parts = element.list(SEQUENCE, least=4, limit=6)
    parts[0].expect(INTEGER)
    parts[1].expect(SET)
    content_type, content = _encapsulated(parts[2])
    certificates: list[bytes] = []
    crls: list[bytes] = []
    rest = parts[3:]
    if rest[0].tag == 0xA0:
        certificates = [part.encoded for part in rest.pop(0).list(limit=MAX_CERTIFICATES)]
    if rest and rest[0].tag == 0xA1:
        crls = [part.encoded for part in rest.pop(0).list(limit=MAX_CERTIFICATES)]
    if len(rest) != 1:
        raise Asn1Refused("SignedData: signerInfos expected last")
    signers = tuple(read_signer(part) for part in rest[0].list(SET, limit=max_signers))
    return SignedData(
        content_type=content_type.oid(),
        content_type_element=content_type,
        content=content,
        certificates=tuple(_readable(certificates, tolerant)),
        raw_certificates=tuple(certificates),
        raw_crls=tuple(crls),
        signers=signers,
    )


def _readable(certificates: list[bytes], tolerant: bool) -> list[x509.Certificate]:
    """Those that can be read: one broken certificate in the set hides no signature, it only cannot be the signer's."""
    found = []
    for der in certificates:
        try:
            found.append(load_certificate(der, tolerant=tolerant))
        except ValueError:
            continue
    return found


def _encapsulated(element: Element) -> tuple[Element, bytes | None]:
    """RFC 5652 clause 5.2; content of PKCS #7 that is no OCTET STRING is signed without its tag (clause 5.2.1)."""
    parts = element.list(SEQUENCE, least=1, limit=2)
    content_type = parts[0].expect(OID)
    if len(parts) == 1:
        return content_type, None
    if parts[1].tag != 0xA0:
        raise Asn1Refused("eContent: wrong tag")
    held = parts[1].list(least=1, limit=1)[0]
    if held.tag in (OCTET_STRING, OCTET_STRING | 0x20):
        return content_type, held.octets()
    return content_type, held.content


def read_signer(element: Element) -> SignerInfo:
    """Read one SignerInfo. Raises Asn1Refused."""
    parts = element.list(SEQUENCE, least=5, limit=7)
    signed_element = parts.pop(3) if parts[3].tag == 0xA0 else None
    if len(parts) < 5 or len(parts) > 6 or (len(parts) == 6 and parts[5].tag != 0xA1):
        raise Asn1Refused("SignerInfo: parts are missing or too many")
    version, sid, digest, algorithm, value = parts[:5]
    version.expect(INTEGER)
    issuer, serial, key_identifier = _identifier(sid)
    digest_name = digest_of(digest) or ""
    signed_octets = as_der(signed_element) if signed_element else b""
    in_order = [version, sid, digest, *([signed_element] if signed_element else []), algorithm, value]
    return SignerInfo(
        issuer=issuer,
        serial=serial,
        key_identifier=key_identifier,
        digest=digest_name,
        digest_oid=digest.list(least=1)[0].oid(),
        algorithm=signature_of(algorithm, digest_name),
        algorithm_oid=algorithm.list(least=1)[0].oid(),
        signed=read_attributes(signed_element) if signed_element else None,
        signed_octets=_as_set(signed_element) if signed_element else b"",
        written_octets=encode(SET, signed_element.content) if signed_element else b"",
        value=value.expect(OCTET_STRING).content,
        unsigned=read_attributes(parts[5]) if len(parts) == 6 else (),
        fields=tuple(signed_octets if part is signed_element else as_der(part) for part in in_order),
    )


def _as_set(signed: Element) -> bytes:
    """RFC 5652 clause 5.4: digested as the DER encoding of SET OF, not with the [0] that stands there."""
    parts = sorted(as_der(child) for child in signed.children())
    return encode(SET, b"".join(parts))


def _identifier(element: Element) -> tuple[bytes | None, int | None, bytes | None]:
    if element.tag == SEQUENCE:
        name, serial = element.list(least=2, limit=2)
        return name.encoded, serial.integer(), None
    if element.tag == 0x80:
        return None, None, element.content
    if element.tag == 0xA0:  # explicitly tagged, as some peers write it
        return None, None, element.list(least=1, limit=1)[0].octets()
    raise Asn1Refused("SignerIdentifier: wrong tag")


def read_attributes(element: Element) -> tuple[Attribute, ...]:
    """Read a set of attributes. Raises Asn1Refused."""
    found = []
    for part in element.list(limit=MAX_ATTRIBUTES):
        pair = part.list(SEQUENCE, least=2, limit=2)
        found.append(Attribute(pair[0].oid(), tuple(pair[1].list(SET, limit=MAX_VALUES)), part))
    return tuple(found)


def der_of(certificate: x509.Certificate) -> bytes:
    """The certificate's octets."""
    return certificate.public_bytes(Encoding.DER)
