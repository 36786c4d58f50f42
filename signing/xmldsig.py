"""Reading a ds:Signature into types (XMLDSig 1.1 clauses 4.1-4.5), strictly: what is not known here is refused.

SignedInfo is read back from its canonical octets, so that what is read is what was signed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from lxml import etree

from signing.algorithms import DS
from signing.canonical import (
    MAX_INCLUSIVE_PREFIXES,
    METHODS,
    Canonicalisation,
    CanonicalisationRefused,
    canonicalise,
)
from signing.certificates import PublicKey, load_certificate
from signing.parsing import hardened_parser
from signing.report import CheckFailed, failed

DSIG11 = "http://www.w3.org/2009/xmldsig11#"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
MAX_BASE64_CHARACTERS = 65_536
MAX_CERTIFICATES = 16
MAX_TRANSFORMS = 4

_SPACE = re.compile(r"[ \t\r\n]+")
_UNUSED_KEY_INFO = {f"{{{DS}}}KeyName"}
_UNUSED_X509_DATA = {
    f"{{{DS}}}X509IssuerSerial",
    f"{{{DS}}}X509SubjectName",
    f"{{{DS}}}X509SKI",
    f"{{{DS}}}X509CRL",
    f"{{{DSIG11}}}X509Digest",
}
_CURVES: dict[str, type[ec.EllipticCurve]] = {
    "urn:oid:1.2.840.10045.3.1.7": ec.SECP256R1,
    "urn:oid:1.3.132.0.34": ec.SECP384R1,
    "urn:oid:1.3.132.0.35": ec.SECP521R1,
}


@dataclass(frozen=True, slots=True)
class Transform:
    """One ds:Transform: its identifier, and the canonicalisation if it is one."""

    uri: str
    canonicalisation: Canonicalisation | None


@dataclass(frozen=True, slots=True)
class Reference:
    """One ds:Reference; `uri` is None where the attribute is absent, which is not the empty string."""

    uri: str | None
    type: str
    transforms: tuple[Transform, ...]
    digest_method: str
    digest_value: bytes


@dataclass(frozen=True, slots=True)
class SignedInfo:
    """ds:SignedInfo as read from `octets`, the canonical octets under the signature value."""

    octets: bytes
    canonicalisation: Canonicalisation
    signature_method: str
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """What ds:KeyInfo offers: certificates in document order, and a bare key. Nothing in it is trusted."""

    certificates: tuple[x509.Certificate, ...] = ()
    key: PublicKey | None = None


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """One ds:Signature, read."""

    element: etree._Element
    id: str | None
    signed_info: SignedInfo
    value: bytes
    key_info: KeyInfo
    objects: tuple[etree._Element, ...]


def read_signature(signature: etree._Element, max_references: int) -> SignatureParts:
    """Read a ds:Signature. Raises CheckFailed (format.*, algorithm.*) for anything outside the supported form."""
    children = element_children(signature)
    names = [child.tag for child in children]
    if names[:2] != [f"{{{DS}}}SignedInfo", f"{{{DS}}}SignatureValue"]:
        refuse_structure("Signature must begin with SignedInfo and SignatureValue")
    rest = children[2:]
    key_info = KeyInfo()
    if rest and rest[0].tag == f"{{{DS}}}KeyInfo":
        key_info = _read_key_info(rest.pop(0))
    for child in rest:
        if child.tag != f"{{{DS}}}Object":
            refuse_structure(f"unexpected {short(child.tag)} in Signature")
    return SignatureParts(
        element=signature,
        id=signature.get("Id"),
        signed_info=_read_signed_info(children[0], max_references),
        value=base64_of(children[1]),
        key_info=key_info,
        objects=tuple(rest),
    )


def _read_signed_info(element: etree._Element, max_references: int) -> SignedInfo:
    # Two elements stand before the references; counted here so that a hostile list is never canonicalised.
    if len(element) > 2 * max_references + 8:
        raise CheckFailed(failed("format.reference-count", count=len(element) - 2, limit=max_references))
    method_element = _first(element, "CanonicalizationMethod")
    method = _canonicalisation_of(method_element)
    try:
        octets = canonicalise(element, method)
        read = etree.fromstring(octets, hardened_parser())
    except (CanonicalisationRefused, etree.LxmlError) as error:
        raise CheckFailed(failed("reference.canonicalisation", uri="SignedInfo", detail=error)) from None
    children = element_children(read)
    names = [child.tag for child in children]
    if names[:2] != [f"{{{DS}}}CanonicalizationMethod", f"{{{DS}}}SignatureMethod"] or len(names) < 3:
        refuse_structure("SignedInfo must have CanonicalizationMethod, SignatureMethod and Reference")
    references = children[2:]
    if len(references) > max_references:
        raise CheckFailed(failed("format.reference-count", count=len(references), limit=max_references))
    if element_children(children[1]):
        refuse_structure("SignatureMethod with parameters")
    return SignedInfo(
        octets=octets,
        canonicalisation=_canonicalisation_of(children[0]),
        signature_method=_algorithm(children[1]),
        references=tuple(_read_reference(reference) for reference in references),
    )


def _read_reference(element: etree._Element) -> Reference:
    if element.tag != f"{{{DS}}}Reference":
        refuse_structure(f"unexpected {short(element.tag)} in SignedInfo")
    children = element_children(element)
    transforms: tuple[Transform, ...] = ()
    if children and children[0].tag == f"{{{DS}}}Transforms":
        transforms = tuple(_read_transform(child) for child in element_children(children.pop(0)))
        if len(transforms) > MAX_TRANSFORMS:
            refuse_structure(f"more than {MAX_TRANSFORMS} transforms")
    if [child.tag for child in children] != [f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue"]:
        refuse_structure("Reference must have DigestMethod and DigestValue")
    return Reference(
        uri=element.get("URI"),
        type=element.get("Type", ""),
        transforms=transforms,
        digest_method=_algorithm(children[0]),
        digest_value=base64_of(children[1]),
    )


def _read_transform(element: etree._Element) -> Transform:
    if element.tag != f"{{{DS}}}Transform":
        refuse_structure(f"unexpected {short(element.tag)} in Transforms")
    uri = _algorithm(element)
    if uri in METHODS:
        return Transform(uri, _canonicalisation_of(element))
    return Transform(uri, None)


def _canonicalisation_of(element: etree._Element) -> Canonicalisation:
    uri = _algorithm(element)
    method = METHODS.get(uri)
    if method is None:
        raise CheckFailed(failed("algorithm.canonicalisation", algorithm=uri))
    children = element_children(element)
    if not children:
        return method
    if (
        len(children) != 1
        or children[0].tag != f"{{{EXCLUSIVE}}}InclusiveNamespaces"
        or method.family != "exclusive"
    ):
        refuse_structure(f"unexpected {short(children[0].tag)} in a canonicalisation")
    prefixes = tuple(children[0].get("PrefixList", "").split())
    if len(prefixes) > MAX_INCLUSIVE_PREFIXES:
        refuse_structure(f"more than {MAX_INCLUSIVE_PREFIXES} prefixes in InclusiveNamespaces")
    return replace(method, prefixes=prefixes)


def _read_key_info(element: etree._Element) -> KeyInfo:
    certificates: list[x509.Certificate] = []
    keys: list[PublicKey] = []
    for child in element_children(element):
        if child.tag == f"{{{DS}}}X509Data":
            certificates.extend(_read_x509_data(child, MAX_CERTIFICATES - len(certificates)))
        elif child.tag == f"{{{DS}}}KeyValue":
            keys.append(_read_key_value(child))
        elif child.tag == f"{{{DSIG11}}}DEREncodedKeyValue":
            keys.append(_usable_key(base64_of(child)))
        elif child.tag not in _UNUSED_KEY_INFO:
            raise CheckFailed(failed("format.key-info", element=short(child.tag)))
    if len(keys) > 1:
        refuse_structure("several key values in KeyInfo")
    return KeyInfo(tuple(dict.fromkeys(certificates)), keys[0] if keys else None)


def _read_x509_data(element: etree._Element, room: int) -> list[x509.Certificate]:
    certificates: list[x509.Certificate] = []
    for child in element_children(element):
        if child.tag in _UNUSED_X509_DATA:
            continue
        if child.tag != f"{{{DS}}}X509Certificate":
            raise CheckFailed(failed("format.key-info", element=short(child.tag)))
        if len(certificates) >= room:
            refuse_structure(f"more than {MAX_CERTIFICATES} certificates in KeyInfo")
        try:
            certificates.append(load_certificate(base64_of(child)))
        except ValueError as error:
            raise CheckFailed(failed("format.certificate", detail=printable(str(error)))) from None
    return certificates


def _read_key_value(element: etree._Element) -> PublicKey:
    children = element_children(element)
    if len(children) == 1 and children[0].tag == f"{{{DS}}}RSAKeyValue":
        modulus, exponent = (
            int.from_bytes(base64_of(_first(children[0], n)), "big") for n in ("Modulus", "Exponent")
        )
        return _key(lambda: rsa.RSAPublicNumbers(exponent, modulus).public_key())
    if len(children) == 1 and children[0].tag == f"{{{DSIG11}}}ECKeyValue":
        named = children[0].find(f"{{{DSIG11}}}NamedCurve")
        point = children[0].find(f"{{{DSIG11}}}PublicKey")
        curve = _CURVES.get(named.get("URI", "")) if named is not None else None
        if curve is not None and point is not None:
            octets = base64_of(point)
            return _key(lambda: ec.EllipticCurvePublicKey.from_encoded_point(curve(), octets))
    raise CheckFailed(failed("format.key-info", element=short(children[0].tag) if children else "KeyValue"))


def _usable_key(der: bytes) -> PublicKey:
    return _key(lambda: load_der_public_key(der))


def _key(make: Callable[[], object]) -> PublicKey:
    try:
        key = make()
    except Exception as error:  # malformed numbers raise several types
        raise CheckFailed(failed("format.key-info", element=f"KeyValue ({printable(str(error))})")) from None
    if not isinstance(key, PublicKey):
        raise CheckFailed(failed("format.key-info", element=f"KeyValue ({type(key).__name__})"))
    return key


def element_children(element: etree._Element) -> list[etree._Element]:
    """Child elements. Comments are passed over; a processing instruction or stray text has no place here: refused."""
    children = []
    if element.text and element.text.strip():
        refuse_structure(f"text in {short(element.tag)}")
    for child in element:
        if child.tail and child.tail.strip():
            refuse_structure(f"text in {short(element.tag)}")
        if isinstance(child, etree._ProcessingInstruction):
            refuse_structure(f"processing instruction in {short(element.tag)}")
        if not isinstance(child, etree._Comment):
            children.append(child)
    return children


def text_of(element: etree._Element) -> str:
    """The text of an element that has nothing but text: a comment inside would split it for some readers."""
    if len(element):
        refuse_structure(f"{short(element.tag)} must hold text only")
    return element.text or ""


def base64_of(element: etree._Element) -> bytes:
    """Canonical base64 of an element's text, white space allowed. Raises CheckFailed (format.base64)."""
    text = text_of(element)
    if len(text) > MAX_BASE64_CHARACTERS:
        raise CheckFailed(
            failed("format.base64", element=short(element.tag), detail=f"{len(text)} characters")
        )
    packed = _SPACE.sub("", text)
    try:
        octets = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckFailed(failed("format.base64", element=short(element.tag), detail=error)) from None
    # unused bits that are not zero would give one value many spellings
    if not octets or base64.b64encode(octets).decode("ascii") != packed:
        raise CheckFailed(
            failed("format.base64", element=short(element.tag), detail="empty, or unused bits are set")
        )
    return octets


def _first(element: etree._Element, name: str) -> etree._Element:
    found = element.findall(f"{{{DS}}}{name}")
    if len(found) != 1:
        refuse_structure(f"{short(element.tag)} must have one {name}")
    return found[0]


def _algorithm(element: etree._Element) -> str:
    uri = element.get("Algorithm")
    if not uri:
        refuse_structure(f"{short(element.tag)} without Algorithm")
    return uri


def refuse_structure(detail: str) -> NoReturn:
    """Refuse with format.structure; `detail` is an English clause."""
    raise CheckFailed(failed("format.structure", detail=detail))


def short(tag: object) -> str:
    """An element's local name for a message, printable and short."""
    return printable(str(tag).rsplit("}", 1)[-1])[:80]


def printable(text: str) -> str:
    """Sender's text for a message: printable, at most 200 characters."""
    text = text[:200]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
