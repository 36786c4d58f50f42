"""A document, or one row of a table in it, as rules see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lxml import etree

from schemas.fields import Field, FieldOperand, Group
from schemas.lexical import TICKED
from schemas.rules import Unjudged, Value


@dataclass(slots=True, eq=False)
class DocumentScope:
    """A document, or one row of it, as rules see it."""

    root: etree._Element
    today: date
    group: Group | None = None
    around: DocumentScope | None = None
    _values: dict[Field, Value] = field(default_factory=dict)
    _children: dict[str, dict[str, etree._Element]] = field(default_factory=dict)
    _rows: dict[Group, Sequence[DocumentScope]] | None = None
    _memo: dict[Any, Value] | None = None

    @property
    def memo(self) -> dict[Any, Value]:
        if self._memo is None:
            self._memo = {}
        return self._memo

    def element(self, operand: FieldOperand) -> etree._Element | None:
        """The operand's element; of several places the first that is there."""
        for one in operand.fields:
            found = self._holder_of(one).find(one)
            if found is not None:
                return found
        return None

    def _holder_of(self, wanted: Field) -> DocumentScope:
        scope = self
        while scope.group is not wanted.group:
            assert scope.around is not None, "a rule is judged in the rows that its fields lie in"
            scope = scope.around
        return scope

    def find(self, wanted: Field) -> etree._Element | None:
        """The element of a field of this scope's own rows, None where it is not there."""
        around, name = wanted.steps
        children = self._children.get(around)
        if children is None:
            children = self._children[around] = self._look_below(around)
        return children.get(name)

    def _look_below(self, around: str) -> dict[str, etree._Element]:
        """All children of an element of these rows, by name, the first of each: rules ask for most of them."""
        element = self.root.find(around) if around else self.root
        if element is None:
            return {}
        children = {str(child.tag): child for child in element.iterchildren("*", reversed=True)}
        children["."] = element
        return children

    def value(self, operand: FieldOperand) -> Value:
        one = operand.fields[0]
        if len(operand.fields) > 1:
            there = [place for place in operand.fields if self._holder_of(place).find(place) is not None]
            if len(there) != 1:
                raise Unjudged
            one = there[0]
        scope = self if self.group is one.group else self._holder_of(one)
        found = scope._values.get(one)
        if found is None:
            found = scope._values[one] = one.read(scope.find(one))
        return found

    def filled(self, operand: FieldOperand) -> bool:
        element = self.element(operand)
        if element is None:
            return False
        text = element.text or ""
        return text in TICKED if operand.fields[0].kind == "tick" else bool(text.strip())

    def holder(self, group: Group) -> DocumentScope:
        around = set()
        parent = group.parent
        while parent is not None:
            around.add(parent)
            parent = parent.parent
        scope = self
        while scope.group is not None and scope.group not in around:
            assert scope.around is not None
            scope = scope.around
        return scope

    def rows(self, group: Group) -> Sequence[DocumentScope]:
        if self._rows is None:
            self._rows = {}
        if group not in self._rows:
            holders: Sequence[DocumentScope] = (
                (self,) if group.parent is self.group else self.rows_above(group)
            )
            self._rows[group] = [
                DocumentScope(row, self.today, group, holder)
                for holder in holders
                for row in holder.root.findall(group.find)
            ]
        return self._rows[group]

    def rows_above(self, group: Group) -> Sequence[DocumentScope]:
        assert group.parent is not None, "the document holds every outermost table"
        return self.rows(group.parent)
