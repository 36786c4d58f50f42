"""Reading a signed declaration: octets to elements by path, and every element's place for the faults."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from schemas.faults import Fault, Place, Words, make_fault
from schemas.naming import Naming

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"

_ATTRIBUTED: Any = etree.XPath("descendant-or-self::*[@xsi:*]", namespaces={"xsi": _XSI.strip("{}")})

MAX_PATH = 300
"""In characters: longer than any form's; what lies deeper is counted and never read."""
MAX_NOTED = 1000

Labelling = Callable[[str], tuple[Words | None, str | None]]
"""From an element's path below the root to its label and its printed indicator."""


class UnreadableError(Exception):
    """The octets cannot be read at all; `fault` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message_en)
        self.fault = fault


def parse(octets: bytes) -> etree._Element:
    """Parse without entities, DTDs, network or huge nodes. Raises UnreadableError.

    Encoding, size and canonicalisation cost are the caller's door to watch; here the octets are already the
    signed ones.
    """
    if b"<!DOCTYPE" in octets:
        raise UnreadableError(make_fault("xml.doctype", Place()))
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        place = Place(line=error.lineno if isinstance(error, etree.XMLSyntaxError) else None)
        raise UnreadableError(make_fault("xml.not-well-formed", place, reason=str(error))) from error
    return root


def _line(element: etree._Element) -> int | None:
    line: Any = element.sourceline  # the stubs know less than lxml does
    return line if isinstance(line, int) else None


def local_name(element: etree._Element) -> str:
    return etree.QName(element).localname


@dataclass(slots=True)
class Reading:
    """The elements of one document by their path below the root, as its family's `naming` writes it.

    The first where a path repeats (the schema refuses the rest).

    Elements of a namespace that is not the family's are kept under their full name: nothing of them is read for ours.
    """

    root: etree._Element
    naming: Naming
    count: int = 0
    elements: dict[str, etree._Element] = field(default_factory=dict)
    commented: list[etree._Element] = field(default_factory=list)
    instance_attributes: list[tuple[etree._Element, str]] = field(default_factory=list)
    _positions: dict[etree._Element, dict[etree._Element, tuple[int, int]]] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The text of the element at `path`, "" where it is absent or empty."""
        element = self.elements.get(path)
        return (element.text or "") if element is not None else ""

    def place(self, element: etree._Element, labelling: Labelling) -> Place:
        """Rows of a table are counted from 1 in its path: ThueBVMT[3]/ct7."""
        names: list[str] = []
        shown: list[str] = []
        indexes: list[int] = []
        node, length = element, 0
        while True:
            parent = node.getparent()
            outermost = node is self.root or parent is None
            index, row = (0, 0) if outermost or parent is None else self._position(parent, node)
            if length <= MAX_PATH:
                names.append(local_name(node) if outermost else self.naming.shown(node))
                shown.append(f"{names[-1]}[{row}]" if row else names[-1])
                length += len(shown[-1]) + 1
            if outermost or parent is None:
                break
            indexes.append(index)
            node = parent
        label, indicator = labelling("/".join(reversed(names[:-1])) or names[0])
        path = "/".join(reversed(shown))
        return Place(_line(element), _shortened(path), tuple(reversed(indexes)), indicator, label)

    def _position(self, parent: etree._Element, child: etree._Element) -> tuple[int, int]:
        """Its index among all children, and from 1 among those of its name, 0 where it is the only one.

        Counted once per parent: a hundred thousand faults may stand side by side.
        """
        positions = self._positions.get(parent)
        if positions is None:
            children = list(parent.iterchildren("*"))
            many = {tag for tag, count in Counter(one.tag for one in children).items() if count > 1}
            seen: Counter[Any] = Counter()
            positions = self._positions[parent] = {}
            for index, one in enumerate(children):
                seen[one.tag] += 1
                positions[one] = (index, seen[one.tag] if one.tag in many else 0)
        return positions[child]

    def place_of(self, path: str, labelling: Labelling) -> Place:
        """The place of `path`, or of its nearest ancestor that is there, under the label of what was looked for."""
        known = path
        while known and known not in self.elements:
            known = known.rpartition("/")[0]
        found = self.place(self.elements[known] if known else self.root, labelling)
        if known == path:
            return found
        label, indicator = labelling(path)
        return Place(found.line, f"{local_name(self.root)}/{path}", found.indexes, indicator, label)


_ROW = re.compile(r"\[[0-9]+\]")


def field_path(path: str) -> str:
    """The path of a field of the form: below the root, rows not counted."""
    return _ROW.sub("", path.partition("/")[2])


def _shortened(path: str) -> str:
    """No form has such a path; its end is where the fault is."""
    return path if len(path) <= MAX_PATH else "…" + path[-MAX_PATH:]


def read(root: etree._Element, naming: Naming, *, max_elements: int) -> Reading:
    """Walk the document once. Raises UnreadableError beyond `max_elements` elements."""
    reading = Reading(root, naming)
    stack: list[tuple[etree._Element, str, dict[str, str]]] = [(root, "", {})]
    paths: dict[str, dict[str, str]] = {}
    """By an element's path those of its children by their tags: the rows of a table have few, thousands of times."""
    seen = 0
    for bearer in _ATTRIBUTED(root):
        _note_attributes(reading, bearer)
    while stack:
        parent, path, known = stack.pop()
        commented = nested = False
        for child in parent:
            tag: Any = child.tag
            if not isinstance(tag, str):
                commented = True
                continue
            nested = True
            seen += 1
            child_path = known.get(tag)
            if child_path is None:
                name = naming.name(tag)
                child_path = known[tag] = f"{path}/{name}"[-MAX_PATH:] if path else name
                if len(path) + len(name) < MAX_PATH:
                    reading.elements.setdefault(child_path, child)
            if len(child):
                stack.append((child, child_path, paths.setdefault(child_path, {})))
        if commented and not nested:
            reading.commented.append(parent)
        if seen > max_elements:
            raise UnreadableError(too_many_elements(max_elements))
    reading.count = seen
    return reading


def read_children(
    root: etree._Element, naming: Naming, names: Sequence[str], *, max_elements: int
) -> Reading:
    """The same of the first children with these names alone, by paths below the root. Raises UnreadableError."""
    reading = Reading(root, naming)
    for name in names:
        child = root.find(naming.tag(name))
        if child is not None:
            below = read(child, naming, max_elements=max_elements)
            reading.elements[name] = child
            reading.elements.update({f"{name}/{path}": one for path, one in below.elements.items()})
    return reading


def too_many_elements(limit: int) -> Fault:
    return make_fault("xml.too-many-elements", Place(line=1), limit=str(limit))


def _note_attributes(reading: Reading, element: etree._Element) -> None:
    if len(reading.instance_attributes) > MAX_NOTED:  # more of them say nothing new
        return
    for name in element.keys():  # noqa: SIM118  (an element iterates over its children)
        if str(name).startswith(_XSI):
            reading.instance_attributes.append((element, f"xsi:{str(name).removeprefix(_XSI)}"))
