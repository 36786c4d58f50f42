"""Hostile bytes in, a safe tree out.

Order of the guards (each cheaper than what it protects): size, NUL, strict UTF-8, no document type declaration,
declared version and encoding, namespace cost, the parser with everything external switched off, depth, number
of elements, attributes per element. Everything after this module works on an `XmlDocument` only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from threading import Lock
from typing import Any, cast

from lxml import etree

from signing.texts import text_of_fault

UTF8_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
ENCODINGS: Mapping[str, str] = {
    "utf-8": "utf-8",
    "utf-16": "utf-16",
    "us-ascii": "ascii",
    "iso-8859-1": "latin-1",
    "iso-8859-2": "iso8859-2",
    "iso-8859-15": "iso8859-15",
    "windows-1252": "cp1252",
}
"""Name in declarations and policies → codec. All but UTF-8 are turned into UTF-8 before anything else is looked at."""
_SHORTEST = 4
"""Octets of the shortest element, comment, instruction or attribute."""
_NAMESPACES = re.compile(rb"xmlns")
_ATTRIBUTE = re.compile(rb"""=\s*["']""")
# Where the one octet is found, the two are searched; `re` is faster at that than `bytes.find`.
_MARKS = {b"<!": re.compile(rb"<!").search, b"<?": re.compile(rb"<\?").search}
_DECLARATION = re.compile(rb"<\?xml[\s](.*?)\?>", re.DOTALL)
_DECLARED_VERSION = re.compile(rb"""version\s*=\s*["']([^"']*)["']""")
_DECLARED_STANDALONE = re.compile(rb"""standalone\s*=\s*["']([^"']*)["']""")
_DECLARED_ENCODING = re.compile(rb"""encoding\s*=\s*["']([^"']*)["']""")


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What a document may cost. Bytes are octets as received; a namespace cost unit is 5-14 ns of canonicalisation."""

    max_bytes: int = 20_000_000
    max_depth: int = 100
    max_attributes_per_element: int = 64
    max_elements: int = 500_000
    max_attributes: int = 500_000
    max_nodes: int = 900_000
    """Elements, comments, instructions and texts, attributes twice: about 140 octets of memory each."""
    max_namespaces: int = 10_000
    max_namespace_cost: int = 12_000_000
    """Bound on the sum over all elements of n * n, n = namespaces in scope: what inclusive C14N may have to do."""
    little_namespace_cost: int = 500_000
    """What is surely below costs too little to be counted."""


@dataclass(frozen=True, slots=True)
class XmlFault:
    """One reason why the bytes are not taken as XML. `line` counts from 1; None where no line can be told."""

    code: str
    line: int | None
    message_vi: str
    message_en: str
    remedy_vi: str
    remedy_en: str


class XmlRefused(Exception):
    """The bytes are not XML that this library takes; `faults` has at least one entry."""

    def __init__(self, faults: Iterable[XmlFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{fault.code}: {fault.message_en}" for fault in self.faults))


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A parsed document beside the exact bytes it came from; those of another encoding than UTF-8 turned into UTF-8.

    `root` keeps comments and processing instructions. Nobody else may read in it while a signature of it is judged:
    lxml hangs an element's children elsewhere while it canonicalises that element. Judging holds `lock`.
    """

    data: bytes
    root: etree._Element
    namespace_cost: int = 0
    """What one inclusive canonicalisation may do for namespaces, in the units of ParseLimits; 0 where little."""
    bare: bool = False
    """Surely without comments, CDATA sections and processing instructions, also around the root."""
    namespaces: tuple[int, ...] = ()
    """Where `xmlns` is written, as offsets in `data`."""
    lock: Lock = field(default_factory=Lock, repr=False, compare=False)


def hardened_parser() -> etree.XMLParser:
    """A parser that opens nothing and expands nothing; the encoding is ours, whatever the declaration says.

    `collect_ids` stays on: switching it off makes libxml2 open external document types.
    """
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, encoding="utf-8")


def parse_xml(
    data: bytes, limits: ParseLimits | None = None, *, encodings: frozenset[str] = frozenset({"utf-8"})
) -> XmlDocument:
    """Parse untrusted bytes: UTF-8 with or without a byte order mark, XML 1.0, no document type declaration.

    `encodings`: those of ENCODINGS to take. Raises XmlRefused with every fault found at the stage that refused.
    """
    limits = limits or ParseLimits()
    data = _as_utf8(data, limits, encodings)
    bare = _is_bare(data)
    namespaces = _refuse_bytes(data, limits, bare=bare)
    parser = hardened_parser()
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise XmlRefused(_syntax_faults(parser, error)) from None
    except (ValueError, etree.LxmlError) as error:
        raise XmlRefused([_fault("xml.syntax", None, detail=_clean(str(error)))]) from None
    _refuse_tree(data, root, limits, bare=bare)
    cost = _namespace_cost(data, root, len(namespaces), limits)
    return XmlDocument(data=data, root=root, namespace_cost=cost, bare=bare, namespaces=namespaces)


def _is_bare(data: bytes) -> bool:
    """Whether a document without a document type has no `<!`, and no `<?` but that of its declaration."""
    declaration = _DECLARATION.match(data, len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0)
    inside = declaration.end() if declaration else 0
    return all(
        data.find(mark[1:], inside) < 0 or search(data, inside) is None for mark, search in _MARKS.items()
    )


def is_bare(root: etree._Element) -> bool:
    """Whether a document has neither comments nor processing instructions."""
    around = (root.getprevious(), root.getnext())
    return (
        around == (None, None) and next(root.iter(etree.Comment, etree.ProcessingInstruction), None) is None
    )


def _as_utf8(data: bytes, limits: ParseLimits, encodings: frozenset[str]) -> bytes:
    """The same text in UTF-8, declared so, where the bytes are in another of the encodings; else the bytes."""
    name = "utf-16" if data.startswith(_UTF16_BOMS) else _declared_encoding(data)
    if name == "utf-8" or name not in encodings or len(data) > limits.max_bytes:
        return data
    try:
        text = data.decode(ENCODINGS[name])
    except UnicodeDecodeError:
        raise XmlRefused([_fault("xml.encoding-declared", 1, encoding=f"{name} (broken)")]) from None
    octets = text.encode("utf-8")
    found = _DECLARATION.match(octets)
    said = _DECLARED_ENCODING.search(found[0]) if found else None
    if said is None:
        return octets
    if said[1].lower().decode("ascii", "replace") != name:
        raise XmlRefused([_fault("xml.encoding-declared", 1, encoding=f"{name} and another")])
    return octets[: said.start(1)] + b"UTF-8" + octets[said.end(1) :]


def _declared_encoding(data: bytes) -> str:
    declaration = _DECLARATION.match(data)
    said = _DECLARED_ENCODING.search(declaration[1]) if declaration else None
    return "utf-8" if said is None else said[1].lower().decode("ascii", "replace")


def _refuse_bytes(data: bytes, limits: ParseLimits, *, bare: bool) -> tuple[int, ...]:
    """Where namespaces may be declared, where nothing is refused."""
    if len(data) > limits.max_bytes:
        raise XmlRefused([_fault("xml.too-large", None, size=len(data), limit=limits.max_bytes)])
    if not data or data.isspace():
        raise XmlRefused([_fault("xml.empty", None)])
    nul = data.find(b"\0")
    if nul >= 0:
        raise XmlRefused([_fault("xml.nul", data.count(b"\n", 0, nul) + 1)])
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise XmlRefused([_fault("xml.not-utf8", line, offset=error.start)]) from None
    doctype = -1 if bare else data.find(b"<!DOCTYPE")
    if doctype >= 0:
        raise XmlRefused([_fault("xml.doctype", data.count(b"\n", 0, doctype) + 1)])
    _refuse_declaration(data)
    _refuse_nodes(data, limits)
    namespaces = tuple(
        found.start() for found in islice(_NAMESPACES.finditer(data), limits.max_namespaces + 1)
    )
    if len(namespaces) > limits.max_namespaces:
        raise XmlRefused([_fault("xml.namespace-cost", None, count=data.count(b"xmlns"))])
    return namespaces


def _refuse_nodes(data: bytes, limits: ParseLimits) -> None:
    """What a parser would have to hold, bounded by what is written, before anything is built.

    Counting is not free: bytes too short for so many of a thing are not searched for them.
    """
    starts = attributes = 0
    if len(data) > _SHORTEST * limits.max_elements and (starts := _start_tags(data)) > limits.max_elements:
        raise XmlRefused([_fault("xml.elements", None, limit=limits.max_elements)])
    if len(data) > _SHORTEST * limits.max_attributes and (attributes := data.count(b"=")) > 10_000:
        attributes = sum(1 for _ in _ATTRIBUTE.finditer(data))
    if attributes > limits.max_attributes:
        raise XmlRefused([_fault("xml.attribute-count", None, limit=limits.max_attributes)])
    if len(data) > _SHORTEST * limits.max_nodes // 2:
        # Every tag has a `<` and a `>`; a text lies between two of them.
        texts = max(data.count(b"<"), data.count(b">")) - data.count(b"><")
        if (starts or _start_tags(data)) + texts + 2 * attributes > limits.max_nodes:
            raise XmlRefused([_fault("xml.nodes", None, limit=limits.max_nodes)])


def _start_tags(data: bytes) -> int:
    """At most this many elements: every one needs a `<` that is not the one of an end tag."""
    return data.count(b"<") - data.count(b"</")


def _refuse_declaration(data: bytes) -> None:
    declaration = _DECLARATION.match(data, len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0)
    if declaration is None:
        return
    version = _DECLARED_VERSION.search(declaration[1])
    if version is not None and version[1] != b"1.0":
        raise XmlRefused([_fault("xml.version", 1, version=_clean(version[1].decode("utf-8")))])
    encoding = _DECLARED_ENCODING.search(declaration[1])
    if encoding is not None and encoding[1].upper() not in (b"UTF-8", b"UTF8"):
        raise XmlRefused([_fault("xml.encoding-declared", 1, encoding=_clean(encoding[1].decode("utf-8")))])


def declared_standalone(data: bytes) -> bool | None:
    """What the XML declaration says of `standalone`; None where it says nothing, which lxml reports as "no"."""
    declaration = _DECLARATION.match(data, len(UTF8_BOM) if data.startswith(UTF8_BOM) else 0)
    said = _DECLARED_STANDALONE.search(declaration[1]) if declaration else None
    return None if said is None else said[1] == b"yes"


def written_like(data: bytes, root: etree._Element) -> bytes:
    """A changed tree as octets (UTF-8), with the byte order mark and `standalone` of those that it was parsed from."""
    # lxml's stubs do not know that standalone may be None (not said)
    said = cast("bool", declared_standalone(data))
    made = etree.tostring(root.getroottree(), encoding="UTF-8", xml_declaration=True, standalone=said)
    return (UTF8_BOM if data.startswith(UTF8_BOM) else b"") + made


def _refuse_tree(data: bytes, root: etree._Element, limits: ParseLimits, *, bare: bool) -> None:
    faults = []
    if not bare and root.getroottree().docinfo.internalDTD is not None:
        faults.append(_fault("xml.doctype", None))
    if _deeper_than(limits.max_depth)(root):
        faults.append(_fault("xml.depth", None, limit=limits.max_depth))
    most = limits.max_attributes_per_element
    if data.count(b"=") > most and _more_attributes_than(most)(root):
        faults.append(_fault("xml.attributes", None, limit=limits.max_attributes_per_element))
    if faults:
        raise XmlRefused(faults)


def _namespace_cost(data: bytes, root: etree._Element, namespaces: int, limits: ParseLimits) -> int:
    """Bound the work of canonicalisation: cheaply from above, and by a walk for what that cannot clear."""
    # two units an octet do not double what canonicalising it costs anyway
    little = min(max(limits.little_namespace_cost, 2 * len(data)), limits.max_namespace_cost)
    most = len(data) // _SHORTEST * namespaces * namespaces
    if most <= little or namespaces * namespaces * _start_tags(data) <= little:
        return 0
    in_scope, cost = 0, 0
    for event, _ in etree.iterwalk(root, events=("start-ns", "end-ns", "start")):
        if event == "start-ns":
            in_scope += 1
        elif event == "end-ns":
            in_scope -= 1
        else:
            cost += in_scope * in_scope
        if cost > limits.max_namespace_cost:
            raise XmlRefused([_fault("xml.namespace-cost", None, count=namespaces)])
    return cost


# XPath runs these in C; one Python step per element would double the cost of parsing. lxml locks a compiled XPath
# while it runs, so threads may share one.
@lru_cache(maxsize=16)
def _deeper_than(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


@lru_cache(maxsize=16)
def _more_attributes_than(count: int) -> etree.XPath:
    return etree.XPath(f"boolean(//*/@*[{count + 1}])")


def _syntax_faults(parser: etree.XMLParser, error: etree.XMLSyntaxError) -> list[XmlFault]:
    # The parser's own log: the one that the exception carries also holds what other documents left in this thread.
    entries = [
        entry for entry in cast("Iterable[Any]", parser.error_log) if entry.level >= etree.ErrorLevels.ERROR
    ]
    faults = [
        _fault("xml.syntax", entry.line or None, detail=_clean(entry.message)) for entry in entries[:10]
    ]
    return faults or [_fault("xml.syntax", error.lineno or None, detail=_clean(error.msg or "not XML"))]


def _clean(message: str) -> str:
    """The parser quotes the sender's text: keep it short and printable."""
    return "".join(char if char.isprintable() else "?" for char in message)[:200]


def _fault(code: str, line: int | None, **values: object) -> XmlFault:
    text = text_of_fault(code)
    return XmlFault(
        code=code,
        line=line,
        message_vi=text.vi.format(**values),
        message_en=text.en.format(**values),
        remedy_vi=text.remedy_vi,
        remedy_en=text.remedy_en,
    )
