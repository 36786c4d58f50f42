"""Canonical XML 1.0, 1.1 and exclusive, of a document or a part of it (W3C REC-xml-c14n, -c14n11, -exc-c14n).

lxml canonicalises a sub-element wrongly under the inclusive methods (spurious `xmlns=""`, lost inherited namespaces
and `xml:*`). But what an element holds is written the same in the canonical form of its document as in its own; its
start tag alone differs, by what it inherits. And what is left out of a node-set with all that is in it, a signature, is
one run of octets. So parts are cut out of canonical forms, and no large thing is parsed or canonicalised twice.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from xml.sax.saxutils import quoteattr

from lxml import etree

from signing.exclusive import exclusive_of
from signing.parsing import hardened_parser, is_bare

XML_NAMESPACE = "http://www.w3.org/XML/1998/namespace"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
MAX_INCLUSIVE_PREFIXES = 32
"""libxml2 searches every prefix of the list for every element."""
_START_TAG = re.compile(rb'<(?P<name>[^\s>]+)(?P<attributes>(?: [^\s=]+="[^"]*")*)>')
_NAMESPACE = re.compile(rb' xmlns(?::[^\s=]+)?="[^"]*"')
_IN_ORDER = re.compile(rb"""(?: [^\s=":]+="[^"&\t\n\r]*")?""")
"""At most one attribute, without a prefix, in its canonical spelling."""
_ABSOLUTE_ALL = re.compile(rb"""(?: xmlns(?::[^\s=]+)?="[A-Za-z][A-Za-z0-9+.-]*:[^"&\s]*")*""")
_NO_TAG = re.compile(rb"(?:(?:<!--.*?-->|<\?.*?\?>)[^<]*+)++", re.DOTALL)
"""Comments and instructions, and texts between them; possessive, so that a million of them are one match."""

SMALL_PART = 64_000
"""Octets of a part that is serialised and parsed again."""
_OCTETS_SEARCHED = 16
_OCTETS_AN_ELEMENT = 40
"""An octet is canonicalised in about 20 ns; so many are searched in that time, or pay for an element of one name."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Canonicalisation:
    """One method. `family`: "1.0", "1.1" or "exclusive". `name` is its name in policies."""

    uri: str
    name: str
    family: str
    comments: bool
    prefixes: tuple[str, ...] = ()

    @property
    def rewritten(self) -> bool:
        """Whether it is made out of the inclusive octets, because lxml does not know `#default`."""
        return self.family == "exclusive" and "#default" in self.prefixes

    @property
    def in_place(self) -> bool:
        """Whether lxml canonicalises any element of a document rightly under it."""
        return self.family == "exclusive" and "#default" not in self.prefixes


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


class Octets:
    """Octets of a document or of one element, and where its elements stand in them."""

    def __init__(self, octets: bytes, top: etree._Element) -> None:
        self.octets = octets
        self.work = 0
        """What finding the parts has cost so far, in octets of canonicalisation that cost as much."""
        self._top = top
        self._spans: dict[etree._Element, Span] = {}

    @property
    def tags(self) -> bytes | bytearray:
        """The octets, or as many in which `<` begins a tag and nothing else."""
        return self.octets

    def start_tag(
        self, element: etree._Element, at: int, method: Canonicalisation, *, exclusive: bool = False
    ) -> tuple[bytes, int]:
        """The element's start tag with all that it inherits, and where the one in the octets ends.

        `exclusive`: with the namespace of its name alone. Raises CanonicalisationRefused.
        """
        tag = _START_TAG.match(self.octets, at)
        if tag is None:
            raise CanonicalisationRefused("a start tag that cannot be read")
        namespaces = "".join(
            f" xmlns{':' if prefix else ''}{prefix or ''}={quoteattr(uri)}"
            for prefix, uri in sorted(element.nsmap.items(), key=lambda each: each[0] or "")
            if not exclusive or prefix == element.prefix
        ).encode("utf-8")
        attributes = _NAMESPACE.sub(b"", tag["attributes"])
        inherited = _inherited_xml_attributes(element, method)
        if not inherited and _IN_ORDER.fullmatch(attributes) and _ABSOLUTE_ALL.fullmatch(namespaces):
            return b"<%s%s%s>" % (tag["name"], namespaces, attributes), tag.end()
        if exclusive:
            raise CanonicalisationRefused("attributes that may make use of namespaces")
        alone = _reparse(b"<%s%s%s/>" % (tag["name"], namespaces, attributes))
        _inherit(alone, inherited)
        return _canonical(alone, INCLUSIVE).removesuffix(b"</%s>" % tag["name"]), tag.end()

    def span(self, element: etree._Element) -> Span:
        """Found by counting the elements of the same written name before it, in the tree and in the octets.

        Raises CanonicalisationRefused.
        """
        found = self._spans.get(element)
        if found is None:
            holder = next((a for a in element.iterancestors() if a in self._spans), self._top)
            start, end = self._spans.get(holder, (0, len(self.octets)))
            local = etree.QName(element).localname
            name = f"{element.prefix}:{local}" if element.prefix else local
            same = [each is element for each in holder.iter(f"{{*}}{local}") if each.prefix == element.prefix]
            self.work += (end - start) // _OCTETS_SEARCHED + _OCTETS_AN_ELEMENT * len(same)
            found = self._spans[element] = _span(self.tags, name.encode("utf-8"), same, start, end)
        return found

    def without(self, at: int, end: int, removed: Sequence[etree._Element]) -> list[bytes]:
        """The octets from `at` to `end`, less those of the elements, in pieces. Raises CanonicalisationRefused."""
        pieces = []
        for start, stop in sorted(map(self.span, removed)):
            pieces.append(self.octets[at:start])
            at = stop
        pieces.append(self.octets[at:end])
        return pieces


class CanonicalForm(Octets):
    """The canonical octets of a document or of one element."""

    def __init__(
        self, top: etree._Element | etree._ElementTree, method: Canonicalisation, *, bare: bool = False
    ) -> None:
        """`top`: a document under any method, or an element under a method that is `in_place`.

        `bare`: there is no comment and no processing instruction in it. Raises CanonicalisationRefused.
        """
        super().__init__(
            _canonical(top, method), top.getroot() if isinstance(top, etree._ElementTree) else top
        )
        self._bare = bare
        if self._top.getparent() is not None:
            self._spans[self._top] = (0, len(self.octets))

    @cached_property
    def tags(self) -> bytes | bytearray:
        """In canonical octets `<` begins a tag, a comment or an instruction: with these blanked, a tag."""
        if self._bare or is_bare(self._top):
            return self.octets
        tags = bytearray(self.octets)
        for found in _NO_TAG.finditer(self.octets):
            tags[found.start() : found.end()] = bytes(found.end() - found.start())
        return tags

    def part(
        self, element: etree._Element | None, method: Canonicalisation, without: Sequence[etree._Element] = ()
    ) -> bytes:
        """The octets of an element (None: of all) under a method, less those of the elements `without` inside it.

        Raises CanonicalisationRefused.
        """
        at, end = (0, len(self.octets)) if element is None else self.span(element)
        pieces = []
        if element is not None and element.getparent() is not None and not method.in_place:
            head, at = self.start_tag(element, at, method)
            pieces.append(head)
        pieces += self.without(at, end, without)
        octets = b"".join(pieces) if len(pieces) > 1 else pieces[0]
        return exclusive_of(octets, method.prefixes) if method.rewritten else octets


def _span(tags: bytes | bytearray, name: bytes, same: Sequence[bool], start: int, end: int) -> Span:
    """Where the element of that name stands for which `same` is true: one word for each element of that name."""
    opening, closing, after = b"<" + name, b"</" + name + b">", len(name) + 1
    starts = array("Q", (at for at in _all(tags, opening, start, end) if tags[at + after] in b" >"))
    if len(starts) != len(same):
        raise CanonicalisationRefused(f"{len(starts)} elements in the octets, {len(same)} in the document")
    if len(same) == 1:
        return starts[0], tags.rindex(closing, starts[0], end) + len(closing)
    first = within = same.index(True)
    for closed, at in enumerate(_all(tags, closing, starts[first], end), 1):
        within = bisect(starts, at, within)
        if within - first == closed:
            return starts[first], at + len(closing)
    raise CanonicalisationRefused("an element without an end")


def _all(octets: bytes | bytearray, what: bytes, start: int, end: int) -> Iterator[int]:
    at = octets.find(what, start, end)
    while at >= 0:
        yield at
        at = octets.find(what, at + len(what), end)


def canonicalise(
    element: etree._Element, method: Canonicalisation, *, without: Sequence[etree._Element] = ()
) -> bytes:
    """Canonical octets of an element and its content, less the elements `without` inside it.

    Raises CanonicalisationRefused.
    """
    if method.in_place:
        return form_of(element, method).part(element, method, without)
    if without:
        return form_of(element.getroottree(), method).part(element, method, without)
    return _canonical_alone(element, method, _serialised(element))


def canonicalise_small(element: etree._Element, method: Canonicalisation) -> bytes | None:
    """`canonicalise` for a part that costs less than its document's canonical form; None for a large one."""
    serialised = _serialised(element)
    return _canonical_alone(element, method, serialised) if len(serialised) <= SMALL_PART else None


def _serialised(element: etree._Element) -> bytes:
    """As a document of its own: serialising writes the namespaces that it inherits."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=False, with_tail=False)


def _canonical_alone(element: etree._Element, method: Canonicalisation, serialised: bytes) -> bytes:
    alone = _reparse(serialised)
    _inherit(alone, _inherited_xml_attributes(element, method))
    octets = _canonical(alone, with_comments(INCLUSIVE, method.comments))
    return exclusive_of(octets, method.prefixes) if method.rewritten else octets


def form_of(
    top: etree._Element | etree._ElementTree, method: Canonicalisation, *, bare: bool = False
) -> CanonicalForm:
    """The canonical form out of which parts under a method are cut. Raises CanonicalisationRefused."""
    written = method if method.in_place else with_comments(INCLUSIVE, method.comments)
    return CanonicalForm(top, written, bare=bare)


def canonicalise_document(data: bytes, method: Canonicalisation) -> bytes:
    """Canonical octets of a whole document given by its bytes. Raises CanonicalisationRefused."""
    return form_of(_reparse(data).getroottree(), method).part(None, method)


def with_comments(method: Canonicalisation, comments: bool) -> Canonicalisation:
    """The same method on a node set with or without comment nodes."""
    return method if method.comments == comments else replace(method, comments=comments)


def _reparse(data: bytes) -> etree._Element:
    try:
        return etree.fromstring(data, hardened_parser())
    except (etree.LxmlError, ValueError) as error:
        raise CanonicalisationRefused(str(error)) from None


def _canonical(tree: etree._Element | etree._ElementTree, method: Canonicalisation) -> bytes:
    exclusive = method.family == "exclusive"
    try:
        return etree.tostring(
            tree,
            method="c14n",
            exclusive=exclusive,
            with_comments=method.comments,
            inclusive_ns_prefixes=list(method.prefixes) if exclusive and method.prefixes else None,
        )
    except (etree.LxmlError, ValueError) as error:
        # a relative namespace URI has no canonical form; an empty answer here would be a universal digest
        raise CanonicalisationRefused(_relative(tree) or str(error)) from None


def _relative(tree: etree._Element | etree._ElementTree) -> str:
    """Names a relative namespace URI (REC-xml-c14n clause 1.3); empty where there is none."""
    for _, (_, uri) in etree.iterwalk(tree, events=("start-ns",)):
        if uri and not _ABSOLUTE.match(uri):
            return f"relative namespace URI {uri[:80]!r}"
    return ""


def _inherited_xml_attributes(element: etree._Element, method: Canonicalisation) -> dict[str, str]:
    """The attributes of the xml namespace that a part inherits from above it, the nearest of each name."""
    found: dict[str, str] = {}
    if method.family == "exclusive":
        return found
    for ancestor in element.iterancestors():
        for name, value in ancestor.items():
            local = str(name).removeprefix(f"{{{XML_NAMESPACE}}}")
            if local == name or name in found or name in element.attrib:
                continue
            if method.family == "1.1" and local == "id":
                continue  # C14N 1.1 clause 2.4: never inherited
            if method.family == "1.1" and local == "base":
                raise CanonicalisationRefused("xml:base above the signed element under C14N 1.1")
            found[str(name)] = str(value)
    return found


def _inherit(alone: etree._Element, attributes: Mapping[str, str]) -> None:
    for name, value in attributes.items():
        alone.set(name, value)
