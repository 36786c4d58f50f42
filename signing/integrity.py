"""Cryptographic verification (EN 319 102-1 clause 5.2.7): digests of what is referenced, then the signature value."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from lxml import etree

from signing.algorithms import DIGESTS, DS, XADES, ValueMismatch, verify_value
from signing.certificates import PublicKey, is_ca, is_readable, public_key_of, spki
from signing.elements import printable
from signing.keyinfo import KeyInfo
from signing.parsing import XmlDocument
from signing.policy import Policy
from signing.references import ID_ATTRIBUTES, Dereferenced, ReferenceReader, line_of
from signing.report import Check, CheckFailed, Covered, failed, passed
from signing.xades import OLDER
from signing.xmldsig import SignatureParts

MAX_TRIED_CERTIFICATES = 4
"""Certificates whose key is tried on a value; a hostile key of 16,384 bits costs 10 ms each time."""
_QUALIFYING = {f"{{{version}}}QualifyingProperties" for version in (XADES, *OLDER)}
_PROPERTIES = {f"{{{DS}}}SignatureProperties", f"{{{DS}}}SignatureProperty"} | {
    f"{{{version}}}SignedProperties" for version in (XADES, *OLDER)
}


@dataclass(frozen=True, slots=True)
class Content:
    """What the references digest, parted: `covered` is content, `properties` is the signature's own."""

    references: tuple[Dereferenced, ...]
    covered: tuple[Covered, ...]
    properties: tuple[Covered, ...]


def check_algorithms(parts: SignatureParts, policy: Policy) -> list[Check]:
    """The declared algorithms against the policy. Raises CheckFailed for a digest that this library does not know."""
    info = parts.signed_info
    allowed = policy.signatures.issuperset(info.method.names)
    checks = [_allowed("algorithm.signature", info.signature_method, allowed)]
    used = [info.canonicalisation]
    used += [t.canonicalisation for r in info.references for t in r.transforms if t.canonicalisation]
    for canonicalisation in dict.fromkeys(used):
        allowed = canonicalisation.name in policy.canonicalisations
        checks.append(_allowed("algorithm.canonicalisation", canonicalisation.uri, allowed))
    for uri in dict.fromkeys(reference.digest_method for reference in info.references):
        if uri.rpartition("#")[2] == "md5":
            raise CheckFailed(failed("algorithm.md5", algorithm=printable(uri)))
        if uri not in DIGESTS:
            raise CheckFailed(failed("algorithm.digest", algorithm=printable(uri)))
        checks.append(_allowed("algorithm.digest", uri, DIGESTS[uri] in policy.digests))
    return list(dict.fromkeys(checks))


def _allowed(code: str, uri: str, allowed: bool) -> Check:
    return passed(code) if allowed else failed(code, algorithm=printable(uri))


def check_digests(
    parts: SignatureParts, reader: ReferenceReader, policy: Policy
) -> tuple[Content, list[Check]]:
    """Dereference and digest every reference. Raises CheckFailed where one cannot be dereferenced."""
    references = tuple(reader.read(reference, parts.element) for reference in parts.signed_info.references)
    wrong = [found for found in references if not _matches(found, reader)]
    checks = [_mismatch(found, reader) for found in wrong] or [passed("reference.digest")]
    covered: list[Covered] = []
    properties: list[Covered] = []
    for found in references:
        (properties if _is_own(found.element, parts) else covered).append(found.covered())
    content = Content(references, tuple(covered), tuple(properties))
    checks.append(passed("coverage.content") if content.covered else failed("coverage.content"))
    if any(gone is not parts.element for found in references for gone in found.removed):
        checks.append(failed("coverage.other-signatures"))
    checks += _check_enveloped(parts, references)
    if policy.interrupted_text != "taken":
        signed_only = policy.interrupted_text == "signed-only"
        checks.append(_check_text(reader.document, references, signed_only=signed_only))
    return content, checks


def _matches(found: Dereferenced, reader: ReferenceReader) -> bool:
    computed = reader.digest_of(found.reference.digest_method, found.octets)
    return hmac.compare_digest(computed, found.reference.digest_value)


def _mismatch(found: Dereferenced, reader: ReferenceReader) -> Check:
    uri = printable(found.reference.uri or "")
    other = reader.explain(found)
    if other is not None:
        return failed("reference.digest-other-canonicalisation", uri=uri, algorithm=other)
    return failed("reference.digest", uri=uri)


def _check_enveloped(parts: SignatureParts, references: Iterable[Dereferenced]) -> list[Check]:
    """Refuse an enveloped signature that stands in another element with an id of its own: a known form of wrapping.

    Beside the signed element, in a holder without an id or in one of its ancestors, is the tax files' way.
    """
    holder = parts.element.getparent()
    enveloped = [r for r in references if any(t.removal for t in r.reference.transforms)]
    above = {id(ancestor) for ancestor in parts.element.iterancestors()}
    if not enveloped or holder is None or not any(name in holder.attrib for name in ID_ATTRIBUTES):
        return []
    if any(found.element is None or id(found.element) in above for found in enveloped):
        return [passed("reference.enveloped")]
    for found in enveloped:
        if found.element is not None and not any(
            ancestor is holder for ancestor in found.element.iterancestors()
        ):
            return [failed("reference.enveloped", uri=printable(found.reference.uri or ""))]
    return [passed("reference.enveloped")]


def _is_own(element: etree._Element | None, parts: SignatureParts) -> bool:
    """Properties and KeyInfo of this very signature are no content; an Object is none if it holds nothing else."""
    if element is None or element is parts.element:
        return False
    if element.tag == f"{{{DS}}}KeyInfo":
        return element.getparent() is parts.element
    if not any(ancestor is parts.element for ancestor in element.iterancestors()):
        return False
    if element.tag == f"{{{DS}}}Object":
        held = [child for child in element if isinstance(child.tag, str)]
        return (
            bool(held)
            and not (element.text or "").strip()
            and all(_holds_properties(child) for child in held)
        )
    return _holds_properties(element)


def _holds_properties(element: etree._Element) -> bool:
    return element.tag in _PROPERTIES or element.tag in _QUALIFYING


def _check_text(document: XmlDocument, references: Iterable[Dereferenced], *, signed_only: bool) -> Check:
    """`signed_only`: those are taken that the octets hold; instructions they always do, unless they are decoded."""
    if document.bare:
        return passed("content.interrupted-text")
    root = document.root
    clean: set[etree._Element] = set()  # asked once per parent: a hundred thousand comments may share one
    own = [found for found in references if found.file is None]
    tops = {
        root if found.element is None else found.element: found.decoded for found in own if not found.comments
    }
    if not signed_only:
        tops = dict.fromkeys((root if found.element is None else found.element for found in own), True)
    for top, instructions in tops.items():
        for node in top.iter(etree.Comment, *([etree.ProcessingInstruction] if instructions else [])):
            parent = node.getparent()
            if parent is None or node is top or parent in clean:
                continue
            if _has_own_text(parent):
                return failed("content.interrupted-text", line=line_of(node))
            clean.add(parent)
    return passed("content.interrupted-text")


def _has_own_text(element: etree._Element) -> bool:
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def check_value(parts: SignatureParts, key: PublicKey, policy: Policy) -> Check:
    """The signature value over SignedInfo, under a key."""
    try:
        _verify(parts, key, policy)
    except ValueMismatch as error:
        return failed("signature.value", detail=printable(str(error)))
    return passed("signature.value")


def _verify(parts: SignatureParts, key: PublicKey, policy: Policy) -> None:
    info = parts.signed_info
    verify_value(info.method, key, parts.value, info.octets, short_ecdsa=policy.short_ecdsa_values)


def check_key_strength(key: PublicKey, policy: Policy) -> Check:
    """Size or curve of a key against the policy (EN 319 102-1 clause 5.2.8)."""
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < policy.minimum_rsa_bits:
        return failed(
            "algorithm.key-size", found=f"RSA {key.key_size}", needed=f"RSA {policy.minimum_rsa_bits}"
        )
    if isinstance(key, dsa.DSAPublicKey) and not any(name.startswith("dsa-") for name in policy.signatures):
        return failed("algorithm.key-size", found=f"DSA {key.key_size}", needed="RSA, ECDSA")
    if isinstance(key, dsa.DSAPublicKey) and key.key_size < policy.minimum_dsa_bits:
        return failed(
            "algorithm.key-size", found=f"DSA {key.key_size}", needed=f"DSA {policy.minimum_dsa_bits}"
        )
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name not in policy.curves:
        return failed("algorithm.key-size", found=key.curve.name, needed=", ".join(sorted(policy.curves)))
    return passed("algorithm.key-size")


def check_key_consistency(key_info: KeyInfo, certificate: x509.Certificate | None) -> list[Check]:
    """A KeyValue beside certificates must be the signing certificate's key: two keys would mean two signers."""
    if certificate is None or not (key_info.key or key_info.point):
        return []
    key = public_key_of(certificate)
    if key_info.key is not None:
        same = spki(key_info.key) == spki(key)
    else:
        same = isinstance(key, ec.EllipticCurvePublicKey) and key_info.point == _point(key)
    return [passed("key.consistent") if same else failed("key.consistent")]


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def certificate_by_value(
    parts: SignatureParts, candidates: Iterable[x509.Certificate], policy: Policy
) -> x509.Certificate | None:
    """The signing certificate of a plain XMLDSig: the one whose key verifies the value, an end entity's before a CA's.

    Where none verifies, an end entity's certificate, so that the report can say whose signature is broken.
    """
    ordered = sorted(candidates, key=lambda each: is_readable(each) and is_ca(each))
    if len(ordered) <= 1:
        return ordered[0] if ordered else None
    for candidate in ordered[:MAX_TRIED_CERTIFICATES]:
        try:
            _verify(parts, public_key_of(candidate), policy)
        except ValueMismatch:
            continue
        return candidate
    return ordered[0]
