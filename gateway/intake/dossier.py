"""What may stand in a dossier beside the signed body: nothing that any reader could take for a part of it.

The authority's viewers find elements by name, anywhere in the file; a second body beside the signed one would be read
by them though we never look at it.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from lxml import etree

import schemas
from gateway.filing.findings import Finding
from gateway.intake import verify_texts as texts
from gateway.intake.parse import Parsed, line_of

SIGNATURE = "{http://www.w3.org/2000/09/xmldsig#}Signature"
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_OF_SIGNATURES = frozenset(
    "Signature SignedInfo CanonicalizationMethod SignatureMethod Reference Transforms Transform DigestMethod "  # noqa: SIM905
    "DigestValue SignatureValue KeyInfo KeyValue RSAKeyValue Modulus Exponent ECKeyValue NamedCurve PublicKey "
    "X509Data X509SubjectName X509IssuerSerial X509IssuerName X509SerialNumber X509Certificate Object "
    "SignatureProperties SignatureProperty SigningTime QualifyingProperties SignedProperties CertDigest Cert "
    "SignedSignatureProperties SigningCertificate SigningCertificateV2 IssuerSerial IssuerSerialV2 "
    "SignedDataObjectProperties DataObjectFormat MimeType".split()
)
"""Names that no declaration has: where there are no others, the body need not be walked."""
_MOST = 20
"""Findings of one kind: after these, more of them say nothing new."""


def structure(parsed: Parsed) -> Iterator[Finding]:
    """Exactly one body, then exactly one block (CKyDTu) that holds signatures; bounded in number."""
    root, family = parsed.document.root, parsed.family
    children = list(islice(root.iterchildren("*"), 2 + _MOST))
    if not children:
        yield texts.missing_body(root, family)
    for child, name in zip(children, (family.body, family.signatures), strict=False):
        if child.tag != family.tag(name):
            yield texts.unexpected_element(child, name, family)
    for child in children[2:]:
        yield texts.unexpected_element(child, None, family)
    block = root.find(family.signatures_tag)
    for child in islice(() if block is None else block.iterchildren("*"), 1000):
        if child.tag != SIGNATURE:
            yield texts.unexpected_element(child, "Signature", family)
            break
    yield from islice(_stray(root, family, family.root), _MOST)
    if block is not None:
        yield from islice(_stray(block, family, texts.block_path(family)), _MOST)
        yield from _second_body(parsed, block)


def _stray(element: etree._Element, family: schemas.Family, where: str) -> Iterator[Finding]:
    """Text, processing instructions and attributes of a holder. Comments are nobody's content."""
    line = line_of(element)
    texts_between = chain([element.text], (child.tail for child in element))
    if any(text and text.strip() for text in texts_between):
        yield texts.stray_content(family, where, "text", line)
    around = (
        chain(element.itersiblings(preceding=True), element.itersiblings())
        if element.getparent() is None
        else ()
    )
    for node in chain(element, around):
        if isinstance(node, etree._ProcessingInstruction):
            yield texts.stray_content(family, where, f"<?{str(node.target)[:60]}?>", line_of(node))
    for name in element.keys():  # noqa: SIM118 - an element iterates over its children
        if not str(name).startswith(_XSI):
            yield texts.stray_content(family, where, f"@{str(name)[:60]}", line)


def _second_body(parsed: Parsed, block: etree._Element) -> Iterator[Finding]:
    """No element beside the body bears the name of one inside it, in whatever namespace."""
    beside = {_local(str(element.tag)): element for element in block.iterdescendants("*")}
    strange = beside.keys() - _OF_SIGNATURES
    if not strange:
        return
    body, family = parsed.body, parsed.family
    inside = {family.root} | ({_local(str(e.tag)) for e in body.iter("*")} if body is not None else set())
    for name in sorted(strange & inside):
        yield texts.stray_content(family, texts.block_path(family), f"<{name[:60]}>", line_of(beside[name]))
        return


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
