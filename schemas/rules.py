"""The arithmetic that forms print, and what else a form asks of its fields, as a small language.

`[36] = [35] - [25]`, `[40b] <= [40a]`, `[tong_ct7] = sum([ThueBVMT/ct7])`,
`[ThueBVMT/ct7] ~ [ThueBVMT/ct4] * [ThueBVMT/ct6]`, `if [mucDich] = 'cap-lai' then present([soGiayPhepCu]) = 1`,
`years([ngaySinh], today) >= 18`.

    rule       = [ "if" condition "then" ] condition
    condition  = both { "or" both }
    both       = comparison { "and" comparison }
    comparison = sum ( "=" | "<>" | "<=" | ">=" | "<" | ">" | "~" ) sum
    sum        = product { ( "+" | "-" ) product }
    product    = factor { "*" factor | "/" number }
    factor     = number | text | "today" | "[" field "]" | "-" factor | "(" sum ")" | function "(" sum { "," sum } ")"
    text       = "'" characters "'"        a day where it reads as one: '2015-07-01'

A field is an indicator ([36]) or the end of an element's path that only one element has ([SoThueGTGT/ct28]). `~` is:
equal but for one unit, where a product was rounded. A rule that names a field of a repeated element holds for every
row of it. Functions:

    max, min, abs, round (half away from zero), nonzero (how many of its arguments are not 0)
    sum, count (over the rows of a repeated element; count: of the rows in which the field is filled in; of a table in
        the rows of a table: within one outer row; for all of them sum(sum([MoKhoangSan/NoiDungMoKhoangSan/ct8])))
    present (1 where the field is filled in, else 0), years (whole years from a date to a date)

Numbers are exact. No names, no calls but these, no loops: a rule costs its own length times the rows it sees. A rule is
compiled once, to closures (rule_parser.py); nothing is ever evaluated as Python.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any, Literal, Protocol, Self

from schemas.faults import Words, shown

Value = int | Fraction | date | str
Sort = Literal["number", "date", "text"]


class Unjudged(Exception):
    """A value is not there or does not read; the schema says so already."""


class Group(Protocol):
    """A repeated element."""

    @property
    def parent(self) -> Group | None: ...


class Operand(Protocol):
    """A field as rules see it. `group`: the innermost repeated element that holds it."""

    @property
    def show(self) -> Words: ...
    @property
    def sort(self) -> Sort: ...
    @property
    def group(self) -> Group | None: ...


class Scope(Protocol):
    """Where a rule is judged: a whole document, or one row of a repeated element."""

    @property
    def today(self) -> date: ...
    @property
    def memo(self) -> dict[Any, Value]: ...
    def value(self, operand: Any) -> Value:
        """Raises Unjudged."""
        ...

    def filled(self, operand: Any) -> bool: ...
    def holder(self, group: Any) -> Self:
        """The nearest scope around whose rows of `group` are asked for."""
        ...

    def rows(self, group: Any) -> Sequence[Self]: ...


Evaluate = Callable[[Scope], Any]
COMPARE: dict[str, tuple[Callable[[Any, Any], bool], str, str, str]] = {
    "=": (operator.eq, "=", "phải bằng", "must equal"),
    "<>": (operator.ne, "≠", "phải khác", "must differ from"),
    "<=": (operator.le, "≤", "không được lớn hơn", "must not exceed"),
    ">=": (operator.ge, "≥", "không được nhỏ hơn", "must not be less than"),
    "<": (operator.lt, "<", "phải nhỏ hơn", "must be less than"),
    ">": (operator.gt, ">", "phải lớn hơn", "must be greater than"),
    "~": (
        lambda one, two: abs(one - two) <= 1,
        "≈",
        "phải bằng (chênh không quá 1)",
        "must equal (within 1)",
    ),
}


@dataclass(frozen=True, slots=True)
class Term:
    text: Words
    value: Evaluate
    sort: Sort = "number"
    constant: bool = False
    operand: Operand | None = None
    groups: frozenset[Any] = frozenset()


@dataclass(frozen=True, slots=True)
class Comparison:
    left: Term
    sign: str
    right: Term

    def holds(self, scope: Scope) -> bool:
        return COMPARE[self.sign][0](self.left.value(scope), self.right.value(scope))

    @property
    def groups(self) -> frozenset[Any]:
        return self.left.groups | self.right.groups

    @property
    def text(self) -> Words:
        sign = COMPARE[self.sign][1]
        return joined(self.left.text, f" {sign} ", self.right.text)


@dataclass(frozen=True, slots=True)
class Compound:
    word: Literal["and", "or"]
    parts: tuple[Comparison | Compound, ...]

    def holds(self, scope: Scope) -> bool:
        found = (part.holds(scope) for part in self.parts)
        return all(found) if self.word == "and" else any(found)

    @property
    def groups(self) -> frozenset[Any]:
        return frozenset().union(*(part.groups for part in self.parts))


Condition = Comparison | Compound


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A compiled rule.

    `operands` in the order in which they are written; `claimed`: the first of what it claims, the others after "if";
    `group`: the repeated element for whose every row it holds, None where it is about the document.
    """

    source: str
    operands: tuple[Any, ...]
    claimed: Any
    condition: Condition | None
    claim: Condition
    group: Any = None

    def broken(self, scope: Scope) -> bool | None:
        """True where the values break the rule; None where one of them is not there to judge."""
        try:
            if self.condition is not None and not self.condition.holds(scope):
                return False
            return not self.claim.holds(scope)
        except Unjudged:
            return None

    @property
    def tells(self) -> bool:
        """Whether its message can be made from it; a claim with "and" or "or" needs words of its own."""
        return isinstance(self.claim, Comparison)

    def message(self, scope: Scope) -> Words:
        """The broken rule with the values put in."""
        assert isinstance(self.claim, Comparison)
        left, right, sign = self.claim.left, self.claim.right, COMPARE[self.claim.sign]
        was, wanted = _shown(left.value(scope)), _shown(right.value(scope))
        told = Words("", "") if right.constant else Words(f" = {wanted.vi}", f" = {wanted.en}")
        return Words(
            f"{left.text.vi} {sign[2]} {right.text.vi}{told.vi}, đang là {was.vi}",
            f"{left.text.en} {sign[3]} {right.text.en}{told.en} but is {was.en}",
        )

    def remedy(self) -> Words:
        about = self.claimed
        others = [operand for operand in dict.fromkeys(self.operands) if operand is not about]
        claim = self.claim.text if isinstance(self.claim, Comparison) else Words(self.source, self.source)
        if not others:
            return Words(
                f"Sửa lại {about.show.vi} cho đúng {claim.vi}.",
                f"Correct {about.show.en} so that {claim.en}.",
            )
        vi, en = (", ".join(names) for names in zip(*((o.show.vi, o.show.en) for o in others), strict=True))
        return Words(
            f"Tính lại {about.show.vi} theo {claim.vi}, hoặc kiểm tra lại {vi}.",
            f"Work out {about.show.en} again by {claim.en}, or check {en}.",
        )


def grouped_vi(number: int | Fraction) -> str:
    return grouped_en(number).translate(str.maketrans(",.", ".,"))


def grouped_en(number: int | Fraction) -> str:
    if isinstance(number, int) or number.denominator == 1:
        return f"{int(number):,}"
    return f"{round(number * 10**6) / 10**6:,.6f}".rstrip("0")


def _shown(value: Value) -> Words:
    if isinstance(value, str):
        return Words(f"“{shown(value)}”", f"“{shown(value)}”")
    if isinstance(value, date):
        day = f"{value.day:02}/{value.month:02}/{value.year}"
        return Words(day, day)
    return Words(grouped_vi(value), grouped_en(value))


def joined(left: Words, between: str, right: Words) -> Words:
    return Words(f"{left.vi}{between}{right.vi}", f"{left.en}{between}{right.en}")
