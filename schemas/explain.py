"""Schema errors in words.

Lxml has judged; here a refused document is read again, slowly and boundedly, to say all that is wrong.

Children are compared with the schema's content model name by name, so that a missing, an extra and a
misplaced element are three faults and not one "unexpected"; values are named with what their type asks for
(the schema's own documentation).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from lxml import etree

from schemas.faults import Fault, Place, Words, make_fault
from schemas.forms import LoadedForm
from schemas.reading import Reading, field_path, local_name

MAX_EXPLAINED_OCTETS = 200_000
MAX_SCHEMA_ERRORS = 200

_NO_TYPE = Words("xem mô tả biểu mẫu", "see the description of the form")
_VALUE_ERRORS = frozenset({
    "SCHEMAV_CVC_PATTERN_VALID", "SCHEMAV_CVC_MINLENGTH_VALID", "SCHEMAV_CVC_MAXLENGTH_VALID",
    "SCHEMAV_CVC_ENUMERATION_VALID", "SCHEMAV_CVC_DATATYPE_VALID_1_2_1", "SCHEMAV_CVC_FACET_VALID",
})  # fmt: skip

_ATTRIBUTE_ERRORS = frozenset({
    "SCHEMAV_CVC_COMPLEX_TYPE_3_2_1", "SCHEMAV_CVC_COMPLEX_TYPE_3_2_2", "SCHEMAV_CVC_COMPLEX_TYPE_4",
    "SCHEMAV_CVC_TYPE_3_1_1",
})  # fmt: skip


def explain(reading: Reading, loaded: LoadedForm, log: list[Any]) -> Iterator[Fault]:
    """The faults of a document that lxml refused with the error log `log`.

    A document too large for the slow reading, or one that bears xsi: attributes (which could steer it), is
    told from lxml's log.
    """
    teller = _Teller(reading, loaded)
    octets = len(etree.tostring(reading.root, encoding="utf-8", with_tail=False))
    if octets > MAX_EXPLAINED_OCTETS or reading.instance_attributes:
        yield from teller.from_log(log)
        return
    told = False
    with loaded.explaining_lock:
        for error in _errors(loaded.explaining, reading.root):
            for fault in teller.from_error(error):
                told = True
                yield fault
    if not told:  # lxml refuses what xmlschema takes: lxml's word holds
        yield from teller.from_log(log)


def _errors(schema: Any, root: etree._Element) -> list[Any]:
    import xmlschema  # noqa: PLC0415 - slow to read; who has a schema has read it

    try:
        return list(islice(schema.iter_errors(root, use_location_hints=False), MAX_SCHEMA_ERRORS))
    except (xmlschema.XMLSchemaException, ValueError, RecursionError):
        return []  # what cannot be explained stays refused, in lxml's words


class _Teller:
    def __init__(self, reading: Reading, loaded: LoadedForm) -> None:
        self.reading = reading
        self.loaded = loaded
        self.models_told: set[etree._Element] = set()
        self.values_told: set[etree._Element] = set()
        self.attributes_told: set[etree._Element] = set()

    def from_error(self, error: Any) -> Iterator[Fault]:
        element = error.elem
        if not isinstance(element, etree._Element):
            return
        validator, reason = type(error.validator).__name__, str(error.reason)
        if validator == "XsdGroup":
            if "character data" in reason:
                yield make_fault("xsd.text", self.place(element))
            else:
                yield from self.content(element, error.validator, reason)
        elif validator == "XsdAttributeGroup" or "attribute" in reason:
            yield from self.attribute(element, reason)
        elif "can't have child elements" in reason:
            if any(True for _ in element.iterchildren("*")):  # a comment is xml.comment, told already
                place = self.place(element)
                yield make_fault("xsd.children", place, type=self.type_of(place.path))
        elif element not in self.values_told:
            self.values_told.add(element)
            yield self.value(element)

    def value(self, element: etree._Element) -> Fault:
        place, text = self.place(element), element.text or ""
        code = "xsd.type" if text else "xsd.empty"
        return make_fault(code, place, value=text, type=self.type_of(place.path))

    def content(self, element: etree._Element, model: Any, reason: str) -> Iterator[Fault]:
        """Everything wrong with an element's children, told once."""
        if element in self.models_told:
            return
        self.models_told.add(element)
        particles = list(model.iter_elements())
        if any(type(particle).__name__ != "XsdElement" for particle in particles):
            yield make_fault("xsd.other", self.place(element), reason=reason)
            return
        yield from self.compare(element, model.model == "sequence", particles)

    def compare(self, element: etree._Element, ordered: bool, particles: list[Any]) -> Iterator[Fault]:
        parent = self.place(element)
        limits = {particle.name: (particle.min_occurs, particle.max_occurs) for particle in particles}
        children = list(element.iterchildren("*"))
        counts = Counter(str(child.tag) for child in children)
        faulty = False
        for name, (least, _) in limits.items():
            if counts[name] < least:
                faulty = True
                yield self.missing(parent, self.reading.naming.name(str(name)).rpartition("}")[2])
        seen: Counter[str] = Counter()
        for child in children:
            tag = str(child.tag)
            seen[tag] += 1
            most = limits[tag][1] if tag in limits else None
            if tag not in limits:
                faulty = True
                yield make_fault(
                    "xsd.unexpected", self.place(child), name=local_name(child), parent=_named(parent)
                )
            elif most is not None and seen[tag] > most:
                faulty = True
                words = {"name": local_name(child), "count": str(counts[tag]), "limit": str(most)}
                yield make_fault("xsd.repeated", self.place(child), **words)
        if ordered:
            yield from self.misplaced(children, list(limits), parent)
        elif not faulty:
            yield make_fault("xsd.other", parent, reason="content model")

    def misplaced(self, children: list[etree._Element], order: list[str], parent: Place) -> Iterator[Fault]:
        """The children that stand after one that the schema has later."""
        rank, furthest = {name: number for number, name in enumerate(order)}, -1
        for child in children:
            number = rank.get(str(child.tag), furthest)
            if number < furthest:
                names = ", ".join(etree.QName(name).localname for name in order)
                yield make_fault(
                    "xsd.order",
                    self.place(child),
                    name=local_name(child),
                    parent=_named(parent),
                    order=Words(names, names),
                )
            furthest = max(furthest, number)

    def missing(self, parent: Place, name: str) -> Fault:
        path = f"{parent.path}/{name}"
        label, indicator = self.loaded.labelling(field_path(path))
        place = Place(parent.line, path, parent.indexes, indicator, label)
        return make_fault(
            "xsd.missing", place, name=name, parent=_named(parent), type=self.type_of(place.path)
        )

    def from_log(self, log: list[Any]) -> Iterator[Fault]:
        if not log:
            yield make_fault(
                "xsd.other", self.place(self.reading.root), reason="refused without a reason given"
            )
        for entry in log[:MAX_SCHEMA_ERRORS]:
            found = self.at(str(entry.path or ""))
            element = self.reading.root if found is None else found
            reason = str(entry.message).replace(f"{{{self.reading.naming.namespace}}}", "")
            yield from self.from_entry(element, str(entry.type_name), reason)

    def from_entry(self, element: etree._Element, type_name: str, reason: str) -> Iterator[Fault]:
        if type_name in _VALUE_ERRORS:
            if element not in self.values_told:
                self.values_told.add(element)
                yield self.value(element)
        elif type_name == "SCHEMAV_CVC_COMPLEX_TYPE_2_3":
            yield make_fault("xsd.text", self.place(element))
        elif type_name in _ATTRIBUTE_ERRORS:
            yield from self.attribute(element, reason)
        elif type_name == "SCHEMAV_ELEMENT_CONTENT":
            parent = element if "Missing child" in reason else element.getparent()
            model = self.model(parent) if parent is not None else None
            if parent is None or model is None:
                yield make_fault("xsd.other", self.place(element), reason=reason)
            else:
                yield from self.content(parent, model, reason)
        else:
            yield make_fault("xsd.other", self.place(element), reason=reason)

    def attribute(self, element: etree._Element, reason: str) -> Iterator[Fault]:
        if element not in self.attributes_told:
            self.attributes_told.add(element)
            yield make_fault("xsd.attribute", self.place(element), reason=reason)

    def model(self, element: etree._Element) -> Any:
        """The content model of an element that the schema knows, None for any other."""
        if element is self.reading.root:
            declared = self.loaded.explaining.maps.elements.get(str(element.tag))
            return declared.type.content if declared is not None else None
        parent = element.getparent()
        above = self.model(parent) if parent is not None else None
        for particle in above.iter_elements() if above is not None else ():
            if type(particle).__name__ == "XsdElement" and particle.name == element.tag:
                return None if particle.type.is_simple() else particle.type.content
        return None

    def at(self, path: str) -> etree._Element | None:
        """The element at a path of lxml's log, None where it cannot be followed (a prefix of its own)."""
        if not path.startswith("/*") or set(path) - set("/*[]0123456789"):
            return None
        # the log counts from the examined element, wherever that lies in its file
        below = path.partition("/*/")[2]
        found = self.reading.root.xpath(f"./{below}") if below else [self.reading.root]
        first = found[0] if isinstance(found, list) and found else None
        return first if isinstance(first, etree._Element) else None

    def place(self, element: etree._Element) -> Place:
        return self.reading.place(element, self.loaded.labelling)

    def type_of(self, path: str) -> Words:
        found = self.loaded.fields.by_path.get(field_path(path))
        return found.wants if found is not None else _NO_TYPE


def _named(place: Place) -> str:
    return place.path.rpartition("/")[2]
