"""Reading ds:KeyInfo (XMLDSig 1.1 clause 4.5). Nothing in it is trusted: it offers keys, certificates and hints."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from lxml import etree

from signing.algorithms import DS
from signing.certificates import (
    KeyUnsupported,
    PublicKey,
    load_certificate,
    pem_certificate,
    supported_key,
)
from signing.elements import base64_of, element_children, printable, refuse_structure, short, text_of
from signing.policy import Policy
from signing.report import Check, CheckFailed, failed

DSIG11 = "http://www.w3.org/2009/xmldsig11#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
MAX_CERTIFICATES = 16
MAX_HINTS = 16
MAX_DIGITS = 200
_PEM = re.compile(r"\s*-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----\s*", re.DOTALL)
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "urn:oid:1.2.840.10045.3.1.1": ec.SECP192R1,
    "urn:oid:1.2.840.10045.3.1.7": ec.SECP256R1,
    "urn:oid:1.3.132.0.33": ec.SECP224R1,
    "urn:oid:1.3.132.0.34": ec.SECP384R1,
    "urn:oid:1.3.132.0.35": ec.SECP521R1,
    "urn:oid:1.3.132.0.10": ec.SECP256K1,
    "urn:oid:1.3.36.3.3.2.8.1.1.7": ec.BrainpoolP256R1,
    "urn:oid:1.3.36.3.3.2.8.1.1.11": ec.BrainpoolP384R1,
    "urn:oid:1.3.36.3.3.2.8.1.1.13": ec.BrainpoolP512R1,
}


@dataclass(frozen=True, slots=True)
class Hints:
    """What X509Data says of a certificate that is not in it."""

    subjects: list[str] = field(default_factory=list)
    serials: list[tuple[str, int]] = field(default_factory=list)
    """Issuer's name (RFC 4514 text or near it) and serial number."""
    key_identifiers: list[bytes] = field(default_factory=list)
    digests: list[tuple[str, bytes]] = field(default_factory=list)
    """Digest identifier and value."""

    def count(self) -> int:
        """How many there are."""
        return len(self.subjects) + len(self.serials) + len(self.key_identifiers) + len(self.digests)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What ds:KeyInfo offers: certificates in document order, a bare key, and hints (if the policy takes them).

    `unsupported`: why a bare key that stands there is not `key`; `point`: that of an EC key on a curve not taken.
    """

    certificates: tuple[x509.Certificate, ...] = ()
    key: PublicKey | None = None
    hints: Hints = field(default_factory=Hints)
    unsupported: Check | None = None
    point: bytes = b""


class _Unsupported(CheckFailed):
    """A bare key in a form, of a kind or on a curve that is not taken; `point`: that of an EC key."""

    def __init__(self, kind: str, point: bytes = b"") -> None:
        super().__init__(failed("algorithm.key", kind=printable(kind)))
        self.point = point


def read_key_info(element: etree._Element, policy: Policy) -> KeyInfo:
    """Read a ds:KeyInfo. Raises CheckFailed (format.*, key-info.*) for what the policy does not take."""
    certificates: list[x509.Certificate] = []
    keys: list[PublicKey] = []
    unsupported: list[_Unsupported] = []
    hints = Hints()
    for child in element_children(element):
        if child.tag == f"{{{DS}}}X509Data":
            _read_x509_data(child, certificates, hints, policy)
        elif child.tag in _BARE_KEYS:
            try:
                keys.append(_BARE_KEYS[child.tag](child))
            except _Unsupported as error:
                if not policy.key_lookups:
                    raise
                unsupported.append(error)
        elif child.tag == f"{{{DS}}}RetrievalMethod":
            raise CheckFailed(failed("key-info.retrieval-method"))
        elif child.tag == f"{{{DSIG11}}}KeyInfoReference":
            raise CheckFailed(failed("key-info.keyinfo-reference"))
        elif child.tag != f"{{{DS}}}KeyName" and not policy.key_lookups:
            raise CheckFailed(failed("format.key-info", element=short(child.tag)))
    if len(keys) + len(unsupported) > 1:
        refuse_structure("several key values in KeyInfo")
    return KeyInfo(
        certificates=tuple(dict.fromkeys(certificates)),
        key=keys[0] if keys else None,
        hints=hints,
        unsupported=unsupported[0].check if unsupported else None,
        point=unsupported[0].point if unsupported else b"",
    )


def _read_x509_data(
    element: etree._Element, certificates: list[x509.Certificate], hints: Hints, policy: Policy
) -> None:
    broken: CheckFailed | None = None
    for child in element_children(element):
        if child.tag == f"{{{DS}}}X509Certificate":
            if len(certificates) >= MAX_CERTIFICATES:
                refuse_structure(f"more than {MAX_CERTIFICATES} certificates in KeyInfo")
            broken = _read_certificate_into(certificates, child, policy) or broken
        elif child.tag in _HINTS:
            if policy.key_lookups:
                _HINTS[child.tag](child, hints)
            if hints.count() > MAX_HINTS:
                refuse_structure(f"more than {MAX_HINTS} names of certificates in KeyInfo")
        elif not policy.key_lookups:
            raise CheckFailed(failed("format.key-info", element=short(child.tag)))

    if broken is not None and not certificates:
        raise broken


def _read_certificate_into(
    certificates: list[x509.Certificate], element: etree._Element, policy: Policy
) -> CheckFailed | None:
    """Add a certificate; a broken one is passed over where the policy is lenient, for it may not be the signer's."""
    try:
        certificates.append(read_certificate(element, policy))
    except CheckFailed as error:
        if not policy.lenient_certificates:
            raise
        return error
    return None


def read_certificates_in(elements: Iterable[etree._Element], policy: Policy) -> tuple[x509.Certificate, ...]:
    """Certificates in elements of base64 text, broken ones passed over where the policy is lenient."""
    found: list[x509.Certificate] = []
    for element in elements:
        _read_certificate_into(found, element, policy)
    return tuple(found)


def read_certificate(element: etree._Element, policy: Policy) -> x509.Certificate:
    """The certificate in an element's base64 text. Raises CheckFailed (format.base64, format.certificate,
    algorithm.key).
    """
    lenient = policy.lenient_certificates
    try:
        if lenient and (pem := _PEM.fullmatch(text_of(element))):
            return load_certificate(pem_certificate(pem[0].encode("utf-8")), tolerant=True)
        octets = base64_of(element, lenient=lenient)
        if lenient and octets.lstrip().startswith(b"-----BEGIN CERTIFICATE-----"):
            octets = pem_certificate(octets)
        return load_certificate(octets, tolerant=lenient)
    except KeyUnsupported as error:
        raise CheckFailed(failed("algorithm.key", kind=printable(str(error)))) from None
    except ValueError as error:
        raise CheckFailed(failed("format.certificate", detail=printable(str(error)))) from None


def _read_subject(element: etree._Element, hints: Hints) -> None:
    hints.subjects.append(text_of(element))


def _read_issuer_serial(element: etree._Element, hints: Hints) -> None:
    children = element_children(element)
    if [child.tag for child in children] != [f"{{{DS}}}X509IssuerName", f"{{{DS}}}X509SerialNumber"]:
        refuse_structure("X509IssuerSerial must have X509IssuerName and X509SerialNumber")
    try:
        serial = int(text_of(children[1]).strip()[:64])
    except ValueError:
        refuse_structure("X509SerialNumber is no number")
    hints.serials.append((text_of(children[0]), serial))


def _read_key_identifier(element: etree._Element, hints: Hints) -> None:
    hints.key_identifiers.append(base64_of(element))


def _read_digest(element: etree._Element, hints: Hints) -> None:
    hints.digests.append((element.get("Algorithm", ""), base64_of(element)))


def _pass_over(element: etree._Element, hints: Hints) -> None:
    """Revocation lists in KeyInfo prove nothing here: status comes from lists that are asked for."""


_HINTS: dict[object, Callable[[etree._Element, Hints], None]] = {
    f"{{{DS}}}X509SubjectName": _read_subject,
    f"{{{DS}}}X509IssuerSerial": _read_issuer_serial,
    f"{{{DS}}}X509SKI": _read_key_identifier,
    f"{{{DSIG11}}}X509Digest": _read_digest,
    f"{{{DS}}}X509CRL": _pass_over,
}


def _read_key_value(element: etree._Element) -> PublicKey:
    children = element_children(element)
    if len(children) != 1:
        raise CheckFailed(failed("format.key-info", element="KeyValue without one key"))
    found = children[0]
    if found.tag == f"{{{DS}}}RSAKeyValue":
        modulus, exponent = (_number(found, name) for name in ("Modulus", "Exponent"))
        return _key(lambda: rsa.RSAPublicNumbers(exponent, modulus).public_key())
    if found.tag == f"{{{DS}}}DSAKeyValue":
        p, q, g, y = (_number(found, name) for name in ("P", "Q", "G", "Y"))
        return _key(lambda: dsa.DSAPublicNumbers(y, dsa.DSAParameterNumbers(p, q, g)).public_key())
    if found.tag == f"{{{DSIG11}}}ECKeyValue":
        point = base64_of(_only(found, f"{{{DSIG11}}}PublicKey"))
        named = _curve(found.find(f"{{{DSIG11}}}NamedCurve"), "URI", point)
        return _key(lambda: ec.EllipticCurvePublicKey.from_encoded_point(named, point))
    if found.tag == f"{{{_MORE}}}ECDSAKeyValue":  # RFC 4050 clause 3.4: the form before XMLDSig 1.1
        point_x, point_y = (_coordinate(found, name) for name in "XY")
        named = _curve(found.find(f"{{{_MORE}}}DomainParameters/{{{_MORE}}}NamedCurve"), "URN", b"")
        return _key(lambda: ec.EllipticCurvePublicNumbers(point_x, point_y, named).public_key())
    raise _Unsupported(short(found.tag))


def _read_encoded_key(element: etree._Element) -> PublicKey:
    octets = base64_of(element)
    try:
        return supported_key(lambda: load_der_public_key(octets))
    except KeyUnsupported as error:
        raise _Unsupported(str(error)) from None


_BARE_KEYS: dict[object, Callable[[etree._Element], PublicKey]] = {
    f"{{{DS}}}KeyValue": _read_key_value,
    f"{{{DSIG11}}}DEREncodedKeyValue": _read_encoded_key,
}


def _curve(element: etree._Element | None, attribute: str, point: bytes) -> ec.EllipticCurve:
    """The curve that an element names. Raises _Unsupported for another, or one that is told by its parameters."""
    name = "EC with explicit parameters" if element is None else element.get(attribute, "")
    curve = _CURVES.get(name)
    if curve is None:
        raise _Unsupported(name, point)
    return curve()


def _coordinate(element: etree._Element, name: str) -> int:
    found = element.find(f"{{{_MORE}}}PublicKey/{{{_MORE}}}{name}")
    text = "" if found is None else found.get("Value", "")
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS):
        refuse_structure(f"ECDSAKeyValue without the number {name}")
    return int(text)


def _number(element: etree._Element, name: str) -> int:
    return int.from_bytes(base64_of(_only(element, f"{{{DS}}}{name}")), "big")


def _only(element: etree._Element, tag: str) -> etree._Element:
    found = element.findall(tag)
    if len(found) != 1:
        refuse_structure(f"{short(element.tag)} must have one {short(tag)}")
    return found[0]


def _key(make: Callable[[], PublicKey]) -> PublicKey:
    try:
        return make()
    except Exception as error:  # malformed numbers raise several types
        raise CheckFailed(failed("format.key-info", element=f"KeyValue ({printable(str(error))})")) from None
