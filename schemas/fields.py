"""The fields of a form: what its schema declares, by path, and how their values read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
from lxml import etree

from schemas.faults import Words
from schemas.lexical import READERS, XS_READERS, Kind
from schemas.naming import Naming
from schemas.rules import Sort, Unjudged, Value
from schemas.wants import described, documented

MAX_DEPTH = 20
MOST_DESCRIBED = 3000
"""Elements of another house's schema that are told one by one: what lies beyond is judged by the schema alone."""

_KINDS: Mapping[str, Kind] = {
    "SoTien": "integer", "SoTienTuyChon": "integer", "SoDem": "integer", "SoDemTuyChon": "integer",
    "SoThapPhan": "decimal", "SoThapPhanTuyChon": "decimal", "DanhDau": "tick",
    "Ngay": "date", "NgayVN": "date", "NgayVNTuyChon": "date", "NgayISO": "date", "NgayISOTuyChon": "date",
    "integer": "integer", "decimal": "decimal", "boolean": "tick", "date": "date",
}  # fmt: skip
"""By the name of a field's type, or of the nearest type it is derived from."""


class Label(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an element is called, and the number that the form prints for it; `kind`: how it reads, where its type does
    not say (amounts that a schema of another house declares as strings)."""

    vi: str
    en: str
    indicator: str | None = None
    kind: Kind | None = None

    @property
    def words(self) -> Words:
        return Words(self.vi, self.en)


class Labels:
    """Labels by an element's name, or by the end of its path (`SoThueGTGT/ct28`) where a name means several things."""

    def __init__(self, labels: Mapping[str, Label]) -> None:
        self._labels = labels

    def of(self, path: str) -> Label | None:
        """The label of the longest end of `path` that has one."""
        while path:
            if (label := self._labels.get(path)) is not None:
                return label
            path = path.partition("/")[2]
        return None

    def key_of(self, path: str) -> str | None:
        while path and path not in self._labels:
            path = path.partition("/")[2]
        return path or None

    def __call__(self, path: str) -> tuple[Words | None, str | None]:
        """As a Labelling (reading.py)."""
        label = self.of(path)
        if label is None:
            return None, None
        return label.words, f"[{label.indicator}]" if label.indicator else None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """An element that may be repeated: the rows of a table. `find` leads to them from a row of `parent` or the root."""

    path: str
    find: str
    parent: Group | None


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """An element that holds a value. `find` leads to it from a row of `group`, or from the root."""

    path: str
    find: str
    steps: tuple[str, str]
    """The way to the element around it, "" where that is the row, and its own name ("." where it is the row itself)."""
    kind: Kind
    optional: bool
    may_be_empty: bool
    group: Group | None
    label: Label
    wants: Words
    foreign: bool = False
    """Written as XML Schema allows, not as the house's own types have it."""

    def read(self, element: etree._Element | None) -> Value:
        """Raises Unjudged where it is not there or does not read. A number that need not be there is 0."""
        if element is not None and len(element):  # not a value: an element or a comment inside
            raise Unjudged
        text = (element.text or "") if element is not None else ""
        if not (text.strip() if self.foreign else text):
            absent_is_fault = not (self.optional if element is None else self.may_be_empty)
            if absent_is_fault or self.kind == "date":
                raise Unjudged
            return "" if self.kind == "text" else 0
        return (XS_READERS if self.foreign else READERS)[self.kind](text)


@dataclass(frozen=True, eq=False)
class FieldOperand:
    """A field as rules name it; several where an indicator may stand in one of several places."""

    show: Words
    fields: tuple[Field, ...]

    @cached_property
    def sort(self) -> Sort:
        kind = self.fields[0].kind
        return "date" if kind == "date" else "text" if kind == "text" else "number"

    @property
    def group(self) -> Group | None:
        return self.fields[0].group


class Fields:
    """All fields of a form, and what is wrong with what declares them."""

    def __init__(
        self,
        root: Any,
        labels: Labels,
        one_place: frozenset[str],
        annexes: Sequence[Any] = (),
        *,
        naming: Naming,
        heading: Sequence[str] = (),
        foreign: bool = False,
    ) -> None:
        """`root`: the form's body as xmlschema has it; `annexes`: elements taken below PLuc; `one_place`: indicators
        that may stand in one of several places; `heading`: children of the body that the family shares. `foreign`:
        the schema is another house's: an element without a label is called by its name, a type by its facets."""
        self.labels = labels
        self.by_path: dict[str, Field] = {}
        self.groups: dict[str, Group] = {}
        self.elements: dict[str, str] = {}
        """From every element's path to its name."""
        self.faults: list[str] = []
        self._one_place = one_place
        self._naming = naming
        self._heading = tuple(heading)
        self._foreign = foreign
        self._types: dict[Any, tuple[Words | None, bool]] = {}
        """Of a simple type: what it wants, and whether it takes an empty text."""
        self._operands: dict[str, FieldOperand | None] = {}
        self._element(root, _Spot(), 0)
        for annex in annexes:
            name = naming.name(annex.name)
            find = f"{naming.tag('PLuc')}/{annex.name}"
            self._element(annex, _Spot(f"PLuc/{name}", find, None, optional=True), 0)

    @cached_property
    def days(self) -> tuple[Field, ...]:
        """The dates of the form itself; those of the heading have rules of their own."""
        return tuple(
            one
            for one in self.by_path.values()
            if one.kind == "date" and one.path.partition("/")[0] not in self._heading
        )

    def operand(self, name: str) -> FieldOperand | None:
        """The field of an indicator, or of the end of a path. None where there is none, or more than one."""
        if name not in self._operands:
            self._operands[name] = self._find(name)
        return self._operands[name]

    def _find(self, name: str) -> FieldOperand | None:
        found = [one for one in self.by_path.values() if one.label.indicator == name]
        if not found:
            found = [
                one for one in self.by_path.values() if one.path == name or one.path.endswith(f"/{name}")
            ]
        if not found or (len(found) > 1 and name not in self._one_place):
            return None
        return FieldOperand(self._show(found[0]), tuple(found))

    def candidates(self, name: str) -> list[str]:
        last = name.rpartition("/")[2]
        return [
            one.path
            for one in self.by_path.values()
            if last in (one.label.indicator, one.path.rpartition("/")[2])
        ]

    def _show(self, found: Field) -> Words:
        """[36]; where others print the same number, or it prints none, by its label."""
        label = found.label
        if label.indicator is None:
            return Words(f"“{label.vi}”", f"“{label.en}”")
        same = [one for one in self.by_path.values() if one.label.indicator == label.indicator]
        if len(same) == 1 or label.indicator in self._one_place:
            return Words(f"[{label.indicator}]", f"[{label.indicator}]")
        return Words(f"[{label.indicator}] {label.vi}", f"[{label.indicator}] {label.en}")

    def _element(self, element: Any, spot: _Spot, depth: int, inside: tuple[Any, ...] = ()) -> None:
        """`inside`: the types around it, so that one that holds itself is told once."""
        path = spot.path
        name = path.rpartition("/")[2] or str(element.local_name)
        if self._foreign and len(self.elements) >= MOST_DESCRIBED:
            return
        self.elements[path] = name
        label = self.labels.of(path or name)
        if label is None and self._foreign:
            label = Label(name, name)
        if label is None:
            self.faults.append(f"labels.toml: no label for the element {name}")
        if depth > MAX_DEPTH:
            if not self._foreign:
                self.faults.append(f"form.xsd: elements nested deeper than {MAX_DEPTH} at {path}")
            return
        simple = element.type.is_simple()
        if simple or element.type.has_simple_content():
            kind = element.type if simple else element.type.content
            self._value(kind, name, spot, label)
            return
        if element.type in inside:
            if not self._foreign:
                self.faults.append(f"form.xsd: {path} may hold itself without end")
            return
        for child, optional, repeated in _particles(element.type.content):
            below = self._below(spot, child, optional, repeated)
            self._element(child, below, depth + 1, (*inside, element.type))

    def _below(self, spot: _Spot, child: Any, optional: bool, repeated: bool) -> _Spot:
        name = self._naming.name(child.name)
        path = f"{spot.path}/{name}" if spot.path else name
        find = f"{spot.find}/{child.name}" if spot.find else str(child.name)
        if not repeated:
            return _Spot(path, find, spot.group, spot.optional or optional)
        group = self.groups.setdefault(path, Group(path, find, spot.group))
        return _Spot(path, "", group, False)

    def _value(self, kind: Any, name: str, spot: _Spot, label: Label | None) -> None:
        if kind not in self._types:
            wants = documented(kind) or (described(kind) if self._foreign else None)
            self._types[kind] = wants, bool(kind.is_valid(""))
        wants, may_be_empty = self._types[kind]
        if wants is None:
            self.faults.append(f"form.xsd: the type of {name} lacks documentation in vi and en")
        if label is None or wants is None:
            return
        self.by_path[spot.path] = Field(
            path=spot.path,
            find=spot.find or ".",
            steps=_steps(spot.find or "."),
            kind=label.kind or _kind_of(kind),
            optional=spot.optional,
            may_be_empty=may_be_empty,
            group=spot.group,
            label=label,
            wants=wants,
            foreign=self._foreign,
        )


@dataclass(frozen=True, slots=True)
class _Spot:
    """Where the walk over a schema is."""

    path: str = ""
    find: str = ""
    group: Group | None = None
    optional: bool = False


def _particles(
    model: Any, optional: bool = False, repeated: bool = False
) -> Iterator[tuple[Any, bool, bool]]:
    """The elements of a content model: which, whether it may be absent, whether it may be repeated."""
    optional = optional or model.min_occurs == 0 or model.model == "choice"
    repeated = repeated or model.max_occurs != 1
    for particle in model:
        if type(particle).__name__ == "XsdElement":
            yield particle, optional or particle.min_occurs == 0, repeated or particle.max_occurs != 1
        elif type(particle).__name__ == "XsdGroup":
            yield from _particles(particle, optional, repeated)


def _steps(find: str) -> tuple[str, str]:
    """The last step split off; a namespace holds slashes too."""
    depth, cut = 0, -1
    for at, character in enumerate(find):
        depth += (character == "{") - (character == "}")
        if character == "/" and not depth:
            cut = at
    return (find[:cut], find[cut + 1 :]) if cut >= 0 else ("", find)


def _kind_of(kind: Any) -> Kind:
    while kind is not None:
        found = _KINDS.get(str(kind.local_name))
        if found is not None:
            return found
        kind = kind.base_type
    return "text"
