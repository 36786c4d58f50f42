"""A document, or one row of a table in it, as rules see it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from lxml import etree

from schemas.fields import TICKED, Field, FieldOperand, Group
from schemas.rules import Unjudged, Value


@dataclass(slots=True, eq=False)
class DocumentScope:
    """A document, or one row of it, as rules see it."""

    root: etree._Element
    today: date
    group: Group | None = None
    around: DocumentScope | None = None
    memo: dict[Any, Value] = field(default_factory=dict)
    _rows: dict[Group, Sequence[DocumentScope]] = field(default_factory=dict)
    _found: dict[Field, etree._Element | None] = field(default_factory=dict)

    def element(self, operand: FieldOperand) -> etree._Element | None:
        """The operand's element; of several places the first that is there."""
        for one in operand.fields:
            found = self._element(one)
            if found is not None:
                return found
        return None

    def _element(self, wanted: Field) -> etree._Element | None:
        scope = self
        while scope.group is not wanted.group:
            assert scope.around is not None, "a rule is judged in the rows that its fields lie in"
            scope = scope.around
        if wanted not in scope._found:
            scope._found[wanted] = scope.root.find(wanted.find)
        return scope._found[wanted]

    def value(self, operand: FieldOperand) -> Value:
        there = [one for one in operand.fields if self._element(one) is not None]
        if len(operand.fields) > 1 and len(there) != 1:
            raise Unjudged
        one = there[0] if there else operand.fields[0]
        return one.read(self._element(one))

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
