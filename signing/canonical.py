"""Canonical XML 1.0, 1.1 and exclusive, of a document or a part of it (W3C REC-xml-c14n, -c14n11, -exc-c14n).

lxml canonicalises a sub-element wrongly under the inclusive methods (spurious `xmlns=""`, lost inherited namespaces
and `xml:*`). So a part is serialised, which writes its inherited namespaces, parsed again as a document of its own,
given the inherited `xml:*` attributes, and then canonicalised: where libxml2 is right.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from lxml import etree

from signing.exclusive import exclusive_of
from signing.parsing import hardened_parser

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
MAX_INCLUSIVE_PREFIXES = 32
"""libxml2 searches every prefix of the list for every element."""


@dataclass(frozen=True, slots=True)
class Canonicalisation:
    """One method. `family`: "1.0", "1.1" or "exclusive". `name` is its name in policies."""

    uri: str
    name: str
    family: str
    comments: bool
    prefixes: tuple[str, ...] = ()


def _rows() -> dict[str, Canonicalisation]:
    rows = {}
    for uri, comments_uri, family, name in (
        ("http://www.w3.org/TR/2001/REC-xml-c14n-20010315", "#WithComments", "1.0", "c14n"),
        ("http://www.w3.org/2006/12/xml-c14n11", "#WithComments", "1.1", "c14n11"),
        ("http://www.w3.org/2001/10/xml-exc-c14n#", "WithComments", "exclusive", "exc-c14n"),
    ):
        rows[uri] = Canonicalisation(uri, name, family, comments=False)
        rows[uri + comments_uri] = Canonicalisation(uri + comments_uri, name, family, comments=True)
    return rows


METHODS: Mapping[str, Canonicalisation] = _rows()
METHOD_NAMES = frozenset(method.name for method in METHODS.values())
INCLUSIVE = METHODS["http://www.w3.org/TR/2001/REC-xml-c14n-20010315"]
"""The method of a node set that no transform turned into octets (XMLDSig clause 4.4.3.2)."""


class CanonicalisationRefused(Exception):
    """No canonical form exists or is supported; the text says why."""


def detached(element: etree._Element) -> bytes:
    """A part as a document of its own: UTF-8, with the namespaces in scope, without its tail."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)


def canonicalise(
    element: etree._Element,
    method: Canonicalisation,
    *,
    without: Sequence[etree._Element] = (),
    serialised: bytes | None = None,
) -> bytes:
    """Canonical octets of an element and its content, less the elements `without` inside it.

    `serialised`: `detached(element)` if the caller has it already. Raises CanonicalisationRefused.
    """
    copy = _reparse(serialised if serialised is not None else detached(element))
    _remove(copy, [_steps(element, gone) for gone in without])
    _inherit_xml_attributes(element, copy, method)
    return _octets(copy, method)


def canonicalise_document(
    data: bytes, method: Canonicalisation, *, without: Sequence[tuple[int, ...]] = ()
) -> bytes:
    """Canonical octets of a whole document given by its bytes, less the nodes at the paths `without`.

    A path counts all child nodes that lxml counts, comments and processing instructions included.
    """
    copy = _reparse(data)
    _remove(copy, without)
    return _octets(copy.getroottree(), method)


def node_path(element: etree._Element) -> tuple[int, ...]:
    """Child indexes from the root, comments and processing instructions included."""
    return _steps(element.getroottree().getroot(), element)


def with_comments(method: Canonicalisation, comments: bool) -> Canonicalisation:
    """The same method on a node set with or without comment nodes."""
    return method if method.comments == comments else replace(method, comments=comments)


def _reparse(data: bytes) -> etree._Element:
    try:
        return etree.fromstring(data, hardened_parser())
    except (etree.LxmlError, ValueError) as error:
        raise CanonicalisationRefused(str(error)) from None


def _octets(tree: etree._Element | etree._ElementTree, method: Canonicalisation) -> bytes:
    exclusive = method.family == "exclusive"
    rewritten = exclusive and "#default" in method.prefixes
    try:
        octets = etree.tostring(
            tree,
            method="c14n",
            exclusive=exclusive and not rewritten,
            with_comments=method.comments,
            inclusive_ns_prefixes=list(method.prefixes) if exclusive and method.prefixes else None,
        )
    except (etree.LxmlError, ValueError) as error:
        # a relative namespace URI has no canonical form; an empty answer here would be a universal digest
        raise CanonicalisationRefused(str(error)) from None
    return exclusive_of(octets, method.prefixes) if rewritten else octets


def _inherit_xml_attributes(element: etree._Element, copy: etree._Element, method: Canonicalisation) -> None:
    if method.family == "exclusive":
        return
    for ancestor in element.iterancestors():
        for name, value in ancestor.attrib.items():
            local = str(name).removeprefix(f"{{{XML_NAMESPACE}}}")
            if local == name or name in copy.attrib:
                continue
            if method.family == "1.1" and local == "id":
                continue  # C14N 1.1 clause 2.4: never inherited
            if method.family == "1.1" and local == "base":
                raise CanonicalisationRefused("xml:base above the signed element under C14N 1.1")
            copy.set(name, value)


def _steps(top: etree._Element, element: etree._Element) -> tuple[int, ...]:
    steps = []
    while element is not top:
        parent = element.getparent()
        if parent is None:
            raise CanonicalisationRefused("the element to leave out lies outside the signed element")
        steps.append(parent.index(element))
        element = parent
    return tuple(reversed(steps))


def _remove(top: etree._Element, paths: Sequence[tuple[int, ...]]) -> None:
    doomed = []
    for path in paths:
        node = top
        for step in path:
            node = node[step]
        doomed.append(node)
    for node in doomed:
        parent = node.getparent()
        if parent is None:
            raise CanonicalisationRefused("nothing is left when the signature is taken out")
        _keep_tail(node, parent)
        parent.remove(node)


def _keep_tail(node: etree._Element, parent: etree._Element) -> None:
    if not node.tail:
        return
    previous = node.getprevious()
    if previous is None:
        parent.text = (parent.text or "") + node.tail
    else:
        previous.tail = (previous.tail or "") + node.tail
