"""Reading a ds:Signature into types (XMLDSig 1.1 clauses 4.1-4.5), strictly: what is not known here is refused.

SignedInfo is read back from its canonical octets, so that what is read is what was signed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from lxml import etree

from signing.algorithms import DIGESTS, DS, RSA_PSS, SIGNATURES, SignatureAlgorithm, pss_algorithm
from signing.canonical import Canonicalisation, CanonicalisationRefused, canonicalise
from signing.elements import base64_of, element_children, printable, refuse_structure, short, text_of
from signing.keyinfo import KeyInfo, read_key_info
from signing.parsing import hardened_parser
from signing.policy import Policy
from signing.report import CheckFailed, failed
from signing.transforms import EXPRESSIONS, Transform, algorithm_of, canonicalisation_of, read_transform

MAX_TRANSFORMS = 4
MAX_NODES = 5_000
"""Elements, comments and instructions in SignedInfo, which is parsed again to be read as it was signed."""
_MGF1 = "http://www.w3.org/2007/05/xmldsig-more#MGF1"
_PSS = "{http://www.w3.org/2007/05/xmldsig-more#}"


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
    """ds:SignedInfo as read from `octets`, the canonical octets under the signature value.

    `method` is what `signature_method` (an identifier) means.
    """

    octets: bytes
    canonicalisation: Canonicalisation
    signature_method: str
    method: SignatureAlgorithm
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True)
class SignatureParts:
    """One ds:Signature, read."""

    element: etree._Element
    id: str | None
    signed_info: SignedInfo
    value: bytes
    key_info: KeyInfo
    objects: tuple[etree._Element, ...]


def read_signature(signature: etree._Element, policy: Policy) -> SignatureParts:
    """Read a ds:Signature. Raises CheckFailed (format.*, algorithm.*) for anything outside the supported form."""
    children = element_children(signature)
    names = [child.tag for child in children]
    if names[:2] != [f"{{{DS}}}SignedInfo", f"{{{DS}}}SignatureValue"]:
        refuse_structure("Signature must begin with SignedInfo and SignatureValue")
    signed_info = _read_signed_info(children[0], policy.max_references)
    rest = children[2:]
    key_info = KeyInfo()
    if rest and rest[0].tag == f"{{{DS}}}KeyInfo":
        key_info = read_key_info(rest.pop(0), policy)
    for child in rest:
        if child.tag != f"{{{DS}}}Object":
            refuse_structure(f"unexpected {short(child.tag)} in Signature")
    return SignatureParts(
        element=signature,
        id=signature.get("Id"),
        signed_info=signed_info,
        value=base64_of(children[1]),
        key_info=key_info,
        objects=tuple(rest),
    )


def _read_signed_info(element: etree._Element, max_references: int) -> SignedInfo:
    # Two elements stand before the references; counted here so that a hostile list is never canonicalised.
    if len(element) > 2 * max_references + 8:
        raise CheckFailed(failed("format.reference-count", count=len(element) - 2, limit=max_references))
    if next(islice(element.iter(), MAX_NODES, None), None) is not None:
        refuse_structure(f"SignedInfo of more than {MAX_NODES} elements and comments")
    declared = canonicalisation_of(_first(element, "CanonicalizationMethod"))
    try:
        octets = canonicalise(element, declared)
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
    signature_method = algorithm_of(children[1])
    method = _read_signature_method(children[1], signature_method)
    # a prefix that only an expression uses is not in exclusive octets: the document has it
    scopes = iter([each.nsmap for each in element.iter(*EXPRESSIONS)])
    return SignedInfo(
        octets=octets,
        canonicalisation=canonicalisation_of(children[0]),
        signature_method=signature_method,
        method=method,
        references=tuple(_read_reference(reference, scopes) for reference in references),
    )


def _read_signature_method(element: etree._Element, uri: str) -> SignatureAlgorithm:
    """What is never taken, or not known, is refused here, before its keys and parameters are looked at."""
    name = uri.rpartition("#")[2].lower()
    if name.startswith("hmac-"):
        raise CheckFailed(failed("algorithm.hmac", algorithm=printable(uri)))
    if "md5" in name:
        raise CheckFailed(failed("algorithm.md5", algorithm=printable(uri)))
    if uri == RSA_PSS:
        return _read_pss(element)
    if uri not in SIGNATURES:
        raise CheckFailed(failed("algorithm.signature", algorithm=printable(uri)))
    if element_children(element):
        refuse_structure("SignatureMethod with parameters")
    return SIGNATURES[uri]


def _read_pss(element: etree._Element) -> SignatureAlgorithm:
    """RSASSA-PSS with parameters (RFC 9231 clause 2.3.9), each with its default."""
    held = element_children(element)
    if len(held) > 1 or any(child.tag != f"{_PSS}RSAPSSParams" for child in held):
        refuse_structure("SignatureMethod with unknown parameters")
    hash_name, mask_hash, salt_length = "sha256", None, None
    for child in element_children(held[0]) if held else ():
        if child.tag == f"{{{DS}}}DigestMethod":
            hash_name = _digest_name(child)
        elif child.tag == f"{_PSS}MaskGenerationFunction" and algorithm_of(child) == _MGF1:
            inner = element_children(child)
            mask_hash = _digest_name(_first(child, "DigestMethod")) if inner else None
        elif child.tag == f"{_PSS}SaltLength":
            salt_length = _small_number(child)
        elif child.tag != f"{_PSS}TrailerField" or text_of(child).strip() != "1":
            refuse_structure(f"{short(child.tag)} in RSAPSSParams")
    return pss_algorithm(hash_name, mask_hash or hash_name, salt_length)


def _digest_name(element: etree._Element) -> str:
    uri = algorithm_of(element)
    if uri not in DIGESTS:
        raise CheckFailed(failed("algorithm.digest", algorithm=printable(uri)))
    return DIGESTS[uri]


def _small_number(element: etree._Element) -> int:
    text = text_of(element).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        refuse_structure(f"{short(element.tag)} {printable(text)!r}")
    return int(text)


def _read_reference(element: etree._Element, scopes: Iterator[Mapping[str | None, str]]) -> Reference:
    if element.tag != f"{{{DS}}}Reference":
        refuse_structure(f"unexpected {short(element.tag)} in SignedInfo")
    children = element_children(element)
    transforms: tuple[Transform, ...] = ()
    if children and children[0].tag == f"{{{DS}}}Transforms":
        transforms = tuple(_read_transform(child, scopes) for child in element_children(children.pop(0)))
        if len(transforms) > MAX_TRANSFORMS:
            refuse_structure(f"more than {MAX_TRANSFORMS} transforms")
    if [child.tag for child in children] != [f"{{{DS}}}DigestMethod", f"{{{DS}}}DigestValue"]:
        refuse_structure("Reference must have DigestMethod and DigestValue")
    return Reference(
        uri=element.get("URI"),
        type=element.get("Type", ""),
        transforms=transforms,
        digest_method=algorithm_of(children[0]),
        digest_value=base64_of(children[1]),
    )


def _read_transform(element: etree._Element, scopes: Iterator[Mapping[str | None, str]]) -> Transform:
    scope: Mapping[str | None, str] = {}
    for _ in element.iter(*EXPRESSIONS):
        scope = next(scopes, {})
    return read_transform(element, scope)


def _first(element: etree._Element, name: str) -> etree._Element:
    found = list(element.iterchildren(f"{{{DS}}}{name}"))
    if len(found) != 1:
        refuse_structure(f"{short(element.tag)} must have one {name}")
    return found[0]
