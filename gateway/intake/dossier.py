"""What may stand in a dossier beside the signed body: nothing that any reader could take for a part of it.

The authority's viewers find elements by name, anywhere in the file; a second body beside the signed one would be read
by them though we never look at it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
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
_MOST_SIGNATURES = 1000
"""Elements in one holder that are looked at here; the limits of parsing and of signatures come before."""


def structure(parsed: Parsed) -> Iterator[Finding]:
    """Exactly one body, then what holds signatures (CKyDTu), each once; bounded in number.

    Where the root itself is signed there is nothing beside it but what stands around the root.
    """
    root, family = parsed.document.root, parsed.family
    yield from islice(_around(root, family), _MOST)
    if not family.body:
        return
    children = list(islice(root.iterchildren("*"), 2 + _MOST))
    if not children:
        yield texts.missing_body(root, family)
    elif children[0].tag != family.body_tag:
        yield texts.unexpected_element(children[0], family.body, family)
    skeleton = _Skeleton(family)
    skeleton.walk(children[1:], "")
    yield from skeleton.findings
    yield from islice(_stray(root, family, family.root), _MOST)
    for block, path in skeleton.blocks:
        yield from islice(_stray(block, family, f"{family.root}/{path}"), _MOST)
    yield from _second_body(parsed, skeleton.blocks)


@dataclass(slots=True)
class _Skeleton:
    """Finds the elements that hold signatures, or lead to them, and everything that stands among them."""

    family: schemas.Family
    blocks: list[tuple[etree._Element, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def walk(self, children: Sequence[etree._Element], above: str) -> None:
        """`above`: their parent's path below the root, "" for the root itself."""
        paths = self.family.signatures
        below = [
            path[len(above) :].strip("/") for path in paths if f"{path}/".startswith(f"{above}/") or not above
        ]
        wanted = dict.fromkeys(path.partition("/")[0] for path in below if path)
        holds = above in paths
        for child in children:
            if holds and child.tag == SIGNATURE:
                continue
            name = self.family.naming.name(str(child.tag))
            if name not in wanted:
                expected = ", ".join([*wanted, *(["Signature"] if holds else [])]) or None
                self.findings.append(texts.unexpected_element(child, expected, self.family))
                if above:
                    return  # one of a kind tells it
                continue
            del wanted[name]
            path = f"{above}/{name}".strip("/")
            self.blocks.append((child, path))
            self.walk(list(islice(child.iterchildren("*"), _MOST_SIGNATURES)), path)


def _stray(element: etree._Element, family: schemas.Family, where: str) -> Iterator[Finding]:
    """Text, processing instructions and attributes of a holder. Comments are nobody's content."""
    line = line_of(element)
    texts_between = chain([element.text], (child.tail for child in element))
    if any(text and text.strip() for text in texts_between):
        yield texts.stray_content(family, where, "text", line)
    yield from _instructions(element, family, where)
    for name in element.keys():  # noqa: SIM118 - an element iterates over its children
        if not str(name).startswith(_XSI):
            yield texts.stray_content(family, where, f"@{str(name)[:60]}", line)


def _around(root: etree._Element, family: schemas.Family) -> Iterator[Finding]:
    """Processing instructions before and after the root."""
    nodes = chain(root.itersiblings(preceding=True), root.itersiblings())
    yield from _instructions(nodes, family, family.root)


def _instructions(nodes: Iterable[etree._Element], family: schemas.Family, where: str) -> Iterator[Finding]:
    for node in nodes:
        if isinstance(node, etree._ProcessingInstruction):
            yield texts.stray_content(family, where, f"<?{str(node.target)[:60]}?>", line_of(node))


def _second_body(parsed: Parsed, blocks: Sequence[tuple[etree._Element, str]]) -> Iterator[Finding]:
    """No element beside the body bears the name of one inside it, in whatever namespace; what holds signatures may."""
    holders, body, family = {block for block, _ in blocks}, parsed.body, parsed.family
    beside = {
        _local(str(element.tag)): element
        for child in parsed.document.root.iterchildren("*")
        if child is not body
        for element in child.iter("*")
        if element not in holders
    }
    strange = beside.keys() - _OF_SIGNATURES
    if not strange:
        return
    inside = {family.root} | ({_local(str(e.tag)) for e in body.iter("*")} if body is not None else set())
    for name in sorted(strange & inside)[:1]:
        yield texts.stray_content(family, texts.block_path(family), f"<{name[:60]}>", line_of(beside[name]))


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
