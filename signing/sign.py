"""Making signatures: XMLDSig in the tax files' form, XAdES-B-B and B-T (EN 319 132-1 clause 6)."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Literal, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from lxml import etree

from signing.algorithms import DS, XADES, digest, fingerprint
from signing.canonical import METHODS, Canonicalisation, canonicalise
from signing.certificates import public_key_of
from signing.keys import SigningKey
from signing.longterm.stamping import add_signature_time_stamp
from signing.parsing import parse_xml, written_like
from signing.references import ids_of
from signing.report import CheckFailed
from signing.transforms import ENVELOPED
from signing.tsa.client import TimestampClient
from signing.xades import SIGNED_PROPERTIES_TYPE

Profile = Literal["xmldsig", "xades-b", "xades-t"]
C14n = Literal["inclusive", "inclusive-with-comments", "exclusive"]

_C14N: dict[C14n, Canonicalisation] = {
    "inclusive": METHODS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"],
    "inclusive-with-comments": METHODS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments"],
    "exclusive": METHODS["http://www.w3.org/2001/10/xml-exc-c14n#"],
}
_SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"


class SigningRefused(Exception):
    """The document cannot be signed as asked; the text says why."""


@dataclass(frozen=True, slots=True)
class _Build:
    """What the parts of one signature share while it is built."""

    root: etree._Element
    target: etree._Element
    target_id: str
    key: SigningKey
    profile: Profile
    c14n: C14n
    at: datetime
    id: str

    def ds(
        self, parent: etree._Element, name: str, text: str | None = None, **attributes: str
    ) -> etree._Element:
        return _child(parent, DS, name, text, **attributes)

    def xades(
        self, parent: etree._Element, name: str, text: str | None = None, **attributes: str
    ) -> etree._Element:
        return _child(parent, XADES, name, text, **attributes)


def sign_xml(
    data: bytes,
    key: SigningKey,
    *,
    profile: Profile,
    target_id: str,
    place: str,
    at: datetime,
    c14n: C14n = "inclusive",
    prefix: str | None = None,
    id_attribute: str | None = None,
    tsa: TimestampClient | None = None,
) -> bytes:
    """Sign the element that bears an id ("": the whole document) and return it with the Signature in it, UTF-8.

    `place`: path of element names under the root, as "CKyDTu" or "DSCKS/NBan", made after the signed element where
    it is missing; "" for the root itself. `at`: signing time (aware; XAdES only). `prefix`: "ds", or None for the
    default namespace. `id_attribute`: set this attribute of the root's first child to `target_id` where no element
    bears the id yet. `tsa`: asked for the time stamp of the profile "xades-t". A byte order mark and `standalone` are
    kept. Raises XmlRefused, SigningRefused, TimestampRefused.
    """
    document = parse_xml(data)
    sign_element(
        document.root,
        key,
        profile=profile,
        target_id=target_id,
        place=place,
        at=at,
        c14n=c14n,
        prefix=prefix,
        id_attribute=id_attribute,
        tsa=tsa,
    )
    return written_like(data, document.root)


def sign_element(
    root: etree._Element,
    key: SigningKey,
    *,
    profile: Profile,
    target_id: str,
    place: str,
    at: datetime,
    c14n: C14n = "inclusive",
    prefix: str | None = None,
    id_attribute: str | None = None,
    tsa: TimestampClient | None = None,
) -> etree._Element:
    """Sign within a tree, which gains the Signature; returns that element. See sign_xml. Raises SigningRefused."""
    if at.tzinfo is None:
        raise SigningRefused("at: an aware time is needed")
    if (profile == "xades-t") != (tsa is not None):
        raise SigningRefused("xades-t, and nothing else, needs a time-stamping authority")
    target = _target(root, target_id, id_attribute)
    holder = _holder(root, target, place)
    # lxml's stubs do not know that a prefix may be None (default namespace)
    signature = etree.SubElement(holder, f"{{{DS}}}Signature", nsmap=cast("dict[str, str]", {prefix: DS}))
    build = _Build(root, target, target_id, key, profile, c14n, at, f"Sig-{secrets.token_hex(8)}")
    signature.set("Id", build.id)
    info = build.ds(signature, "SignedInfo")
    value = build.ds(signature, "SignatureValue")
    method_uri, hash_name = _signature_method(key)
    build.ds(info, "CanonicalizationMethod", Algorithm=_C14N[c14n].uri)
    build.ds(info, "SignatureMethod", Algorithm=method_uri)
    _add_key_info(build, signature)
    properties = _add_properties(build, signature) if profile != "xmldsig" else None
    _add_reference(build, info, signature)
    if properties is not None:
        _add_properties_reference(build, info, properties)
    value.text = _base64(key.sign(canonicalise(info, _C14N[c14n]), hash_name))
    if tsa is not None:
        add_signature_time_stamp(signature, tsa)
    return signature


def _target(root: etree._Element, target_id: str, id_attribute: str | None) -> etree._Element:
    if not target_id:
        return root
    try:
        ids = ids_of(root)
    except CheckFailed as error:
        raise SigningRefused(error.check.message_en) from None
    if target_id in ids:
        return ids[target_id]
    first = next((child for child in root if isinstance(child.tag, str)), None)
    if id_attribute is None or first is None or first.get(id_attribute) is not None:
        raise SigningRefused(f"no element bears the id {target_id!r}")
    first.set(id_attribute, target_id)
    return first


def _holder(root: etree._Element, target: etree._Element, place: str) -> etree._Element:
    """The element named by `place`; missing steps are made, the first of them right after the signed element."""
    holder = root
    for name in filter(None, place.split("/")):
        found = [
            child for child in holder if isinstance(child.tag, str) and etree.QName(child).localname == name
        ]
        if len(found) > 1:
            raise SigningRefused(f"{len(found)} elements {name!r} stand where the signature should go")
        holder = found[0] if found else _made(holder, target, name)
    return holder


def _made(holder: etree._Element, target: etree._Element, name: str) -> etree._Element:
    namespace = etree.QName(holder).namespace
    made = etree.Element(
        f"{{{namespace}}}{name}" if namespace else name, nsmap=cast("dict[str, str]", holder.nsmap)
    )
    if target.getparent() is holder:
        made.tail, target.tail = target.tail, None
        target.addnext(made)
    else:
        holder.append(made)
    return made


def _signature_method(key: SigningKey) -> tuple[str, str]:
    public_key = public_key_of(key.certificate)
    if isinstance(public_key, rsa.RSAPublicKey):
        return _MORE + "rsa-sha256", "sha256"
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        hash_name = {256: "sha256", 384: "sha384"}.get(public_key.curve.key_size, "sha512")
        return _MORE + f"ecdsa-{hash_name}", hash_name
    return "http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519", ""


def _add_key_info(build: _Build, signature: etree._Element) -> None:
    key_info = build.ds(signature, "KeyInfo")
    certificate = build.key.certificate
    public_key = public_key_of(certificate)
    if build.profile == "xmldsig" and isinstance(public_key, rsa.RSAPublicKey):
        numbers = public_key.public_numbers()
        rsa_value = build.ds(build.ds(key_info, "KeyValue"), "RSAKeyValue")
        build.ds(rsa_value, "Modulus", _base64(_octets(numbers.n)))
        build.ds(rsa_value, "Exponent", _base64(_octets(numbers.e)))
    data = build.ds(key_info, "X509Data")
    if build.profile == "xmldsig":
        build.ds(data, "X509SubjectName", certificate.subject.rfc4514_string())
    for each in (certificate, *build.key.chain):
        build.ds(data, "X509Certificate", _written(each))


def _add_properties(build: _Build, signature: etree._Element) -> etree._Element:
    held = build.ds(signature, "Object")
    qualifying = etree.SubElement(held, f"{{{XADES}}}QualifyingProperties", nsmap={"xades": XADES})
    qualifying.set("Target", f"#{build.id}")
    properties = build.xades(qualifying, "SignedProperties", Id=f"{build.id}-properties")
    about_signature = build.xades(properties, "SignedSignatureProperties")
    build.xades(about_signature, "SigningTime", build.at.isoformat(timespec="seconds"))
    cert = build.xades(build.xades(about_signature, "SigningCertificateV2"), "Cert")
    cert_digest = build.xades(cert, "CertDigest")
    build.ds(cert_digest, "DigestMethod", Algorithm=_SHA256)
    build.ds(cert_digest, "DigestValue", _base64(fingerprint(build.key.certificate, "sha256")))
    about_data = build.xades(properties, "SignedDataObjectProperties")
    form = build.xades(about_data, "DataObjectFormat", ObjectReference=f"#{build.id}-content")
    build.xades(form, "MimeType", "text/xml")
    return properties


def _add_reference(build: _Build, info: etree._Element, signature: etree._Element) -> None:
    reference = build.ds(info, "Reference", URI=f"#{build.target_id}" if build.target_id else "")
    if build.profile != "xmldsig":
        reference.set("Id", f"{build.id}-content")
    transforms = build.ds(reference, "Transforms")
    build.ds(transforms, "Transform", Algorithm=ENVELOPED)
    method = _add_transform(build, transforms)
    inside = any(ancestor is build.target for ancestor in signature.iterancestors())
    octets = canonicalise(build.target, method, without=[signature] if inside else [])
    _add_digest(build, reference, octets)


def _add_properties_reference(build: _Build, info: etree._Element, properties: etree._Element) -> None:
    uri = f"#{build.id}-properties"
    reference = build.ds(info, "Reference", Type=SIGNED_PROPERTIES_TYPE, URI=uri)
    method = _C14N["inclusive"]
    if build.c14n == "exclusive":
        method = _add_transform(build, build.ds(reference, "Transforms"))
    _add_digest(build, reference, canonicalise(properties, method))


def _add_transform(build: _Build, transforms: etree._Element) -> Canonicalisation:
    """Inclusive C14N without comments is what a reference means without a transform, as tax files have it."""
    if build.c14n != "exclusive":
        return _C14N["inclusive"]
    build.ds(transforms, "Transform", Algorithm=_C14N["exclusive"].uri)
    return _C14N["exclusive"]


def _add_digest(build: _Build, reference: etree._Element, octets: bytes) -> None:
    build.ds(reference, "DigestMethod", Algorithm=_SHA256)
    build.ds(reference, "DigestValue", _base64(digest("sha256", octets)))


def _child(
    parent: etree._Element, namespace: str, name: str, text: str | None, **attributes: str
) -> etree._Element:
    child = etree.SubElement(parent, f"{{{namespace}}}{name}", attributes)
    child.text = text
    return child


@lru_cache(maxsize=64)
def _written(certificate: x509.Certificate) -> str:
    """The same few sign thousands of notices."""
    return _base64(certificate.public_bytes(Encoding.DER))


def _octets(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _base64(octets: bytes) -> str:
    return base64.b64encode(octets).decode("ascii")
