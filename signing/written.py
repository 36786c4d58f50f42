"""Parts whose octets, as they are written, are their canonical form already: most signers write so.

Canonicalising costs more than anything else about a small document. Where the canonical form can be seen to change
nothing between an element's start tag and its end, the document's own octets are taken. What is not seen at once
is canonicalised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from lxml import etree

from signing.canonical import Canonicalisation, CanonicalisationRefused, Octets
from signing.parsing import XmlDocument

_ENTITIES = (b"&amp;", b"&lt;", b"&gt;")
_ONE_ATTRIBUTE = re.compile(rb"""<[^\s<>="'/]+ (?!xmlns=)[^\s<>="':]+="[^"<>&\t\n]*">""")
"""A start tag with one attribute, without a prefix, in its canonical spelling."""
# A literal of two octets is searched faster by `re` than by `bytes.find`; what has none of a single octet, not at all.
_EMPTY_TAG, _SPACE, _LINE, _TAB = (re.compile(octets).search for octets in (rb"/>", rb" >", rb"\n>", rb"\t>"))
_PREFIXED = re.compile(rb"</[^<>:]*:").findall
_NAMESPACE = re.compile(
    rb"""xmlns(?::[^\s=<>]{1,100})?\s{0,20}=\s{0,20}(?:["'][A-Za-z][A-Za-z0-9+.-]{0,40}:|""|'')"""
).match
"""One that is absolute, or none: a document with another has no canonical form (REC-xml-c14n clause 1.3)."""


class WrittenForm(Octets):
    """A document as it is written, where every `<` begins a tag (`XmlDocument.bare`)."""

    def __init__(self, document: XmlDocument) -> None:
        super().__init__(document.data, document.root)
        self._usable = document.bare and all(_NAMESPACE(document.data, at) for at in document.namespaces)

    def part(
        self, element: etree._Element | None, method: Canonicalisation, without: Sequence[etree._Element]
    ) -> bytes | None:
        """The canonical octets of an element (None: of the document), less those of the elements `without` inside it;
        None where the octets as written may be others.
        """
        if not self._usable or method.prefixes:
            return None
        top = self._top if element is None else element
        exclusive = method.family == "exclusive"
        try:
            at, end = self.span(top)
            head, at = self.start_tag(top, at, method, exclusive=exclusive)
            content = b"".join(self.without(at, end, without))
        except (CanonicalisationRefused, ValueError):  # a tag that is spelled otherwise than canonically
            return None
        if not is_canonical(content) or (exclusive and not _shares_namespace(content, top)):
            return None
        return head + content


def _shares_namespace(content: bytes, top: etree._Element) -> bool:
    """Whether no element in the content makes use of a namespace that its top does not (REC-xml-exc-c14n clause 3)."""
    prefixed = set(_PREFIXED(content)) if b":" in content else set()
    if not top.prefix:
        return not prefixed
    return prefixed <= {b"</%s:" % top.prefix.encode("utf-8")} and None not in top.nsmap


def is_canonical(content: bytes) -> bool:
    """Whether octets of a well-formed document without `<!` and `<?`, from behind a start tag to behind its end tag,
    are their own canonical form, inclusive in any context (REC-xml-c14n clause 2.3). It may say no where they are.

    Every tag has one `<` and one `>` that delimit it. Where there are as many of both, no text and no attribute value
    holds a `>`, so what stands before one stands in a tag.
    """
    if b"\r" in content or content.count(b"<") != content.count(b">"):
        return False
    if _EMPTY_TAG(content) or _SPACE(content):
        return False
    if (b"\n" in content and _LINE(content)) or (b"\t" in content and _TAB(content)):
        return False
    references = content.count(b"&")
    if references and references != sum(map(content.count, _ENTITIES)):
        return False
    signs = content.count(b"=")
    if not signs:
        return True  # no attribute and no namespace
    padding = content.count(b"=<") + content.count(b"==<")  # of base64: a tag has `="` or `='`
    return sum(1 for _ in _ONE_ATTRIBUTE.finditer(content)) == signs - padding
