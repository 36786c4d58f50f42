"""From the text of a rule to what judges it (the language: rules.py)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import Any, Literal

from schemas.faults import Words
from schemas.period import show_day
from schemas.rules import (
    COMPARE,
    Arithmetic,
    Comparison,
    Compound,
    Condition,
    Evaluate,
    Operand,
    Scope,
    Sort,
    Term,
    Value,
    grouped_en,
    joined,
)

MAX_LENGTH = 1000  # characters of a rule
MAX_DEPTH = 20  # brackets in brackets
MAX_PRODUCTS = 4  # multiplications in a rule, so that numbers stay small

_NOWHERE: Any = None  # where a constant is worked out
_TOKEN = re.compile(
    r"\s*(?:(\[[0-9A-Za-z_.:/-]{1,200}\])|([0-9]{1,18}(?:\.[0-9]{1,6})?)(?![0-9.])|('[^'\n]{0,100}')|([a-z]{1,10})"
    r"|(<=|>=|<>|[-=<>~+*/(),]))"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")

_ANY: tuple[Sort, ...] = ("number", "date", "text")
_ORDERED: tuple[Sort, ...] = ("number", "date")
_SORTS: dict[str, tuple[Sort, ...]] = {
    "=": _ANY, "<>": _ANY, "<=": _ORDERED, ">=": _ORDERED, "<": _ORDERED, ">": _ORDERED, "~": ("number",),
}  # fmt: skip
_PLAIN: dict[str, Callable[[Sequence[Any]], Any]] = {
    "max": max,
    "min": min,
    "abs": lambda arguments: abs(arguments[0]),
    "round": lambda arguments: _rounded(arguments[0]),
    "nonzero": lambda arguments: sum(1 for argument in arguments if argument),
    "years": lambda arguments: _years(arguments[0], arguments[1]),
}
_SPOKEN_VI = {
    "abs": "trị tuyệt đối",
    "round": "làm tròn",
    "nonzero": "số mục khác 0",
    "years": "số năm",
    "sum": "tổng",
    "count": "số dòng",
    "present": "có ghi",
}
"""What messages in Vietnamese call them; max and min, and all in English, keep their names."""
_ARGUMENTS = {"abs": 1, "round": 1, "years": 2, "sum": 1, "count": 1, "present": 1}


class RuleSyntaxError(ValueError):
    """A rule that is not in the language; the message says where."""


def compile_rule(source: str, resolve: Callable[[str], Operand]) -> Arithmetic:
    """Compile one rule; `resolve` gives the field of a name and raises RuleSyntaxError where there is none.

    Raises RuleSyntaxError.
    """
    if len(source) > MAX_LENGTH:
        raise RuleSyntaxError(f"the rule is longer than {MAX_LENGTH} characters")
    return _Parser(source, resolve).rule()


@dataclass(slots=True)
class _Parser:
    source: str
    resolve: Callable[[str], Operand]
    tokens: list[str] = field(default_factory=list)
    at: int = 0
    operands: list[Operand] = field(default_factory=list)
    products: int = 0

    def rule(self) -> Arithmetic:
        self.tokens = list(_tokens(self.source))
        condition = None
        if self.take("if"):
            condition = self.condition(0)
            self.expect("then")
        before = len(self.operands)
        claim = self.condition(0)
        if self.at != len(self.tokens):
            raise self.error("the end of the rule")
        if not self.operands:
            raise RuleSyntaxError("the rule names no indicator")
        claimed = (self.operands[before:] or self.operands)[0]
        groups = claim.groups | (condition.groups if condition is not None else frozenset())
        return Arithmetic(self.source, tuple(self.operands), claimed, condition, claim, _innermost(groups))

    def condition(self, depth: int) -> Condition:
        return self.compound("or", lambda: self.compound("and", lambda: self.comparison(depth)))

    def compound(self, word: Literal["and", "or"], part: Callable[[], Condition]) -> Condition:
        parts = [part()]
        while self.take(word):
            parts.append(part())
        return parts[0] if len(parts) == 1 else Compound(word, tuple(parts))

    def comparison(self, depth: int) -> Comparison:
        left = self.sum(depth)
        sign = self.peek()
        if sign not in COMPARE:
            raise self.error("one of = <> <= >= < > ~")
        self.at += 1
        right = self.sum(depth)
        if left.sort != right.sort or left.sort not in _SORTS[sign]:
            raise RuleSyntaxError(f"“{self.source}”: {left.sort} {sign} {right.sort} cannot be compared")
        return Comparison(left, sign, right)

    def sum(self, depth: int) -> Term:
        total = self.product(depth)
        while (sign := self.peek()) in ("+", "-"):
            self.at += 1
            total = self.both(total, sign, self.product(depth))
        return total

    def product(self, depth: int) -> Term:
        total = self.factor(depth)
        while (sign := self.peek()) in ("*", "/"):
            self.at += 1
            self.products += 1
            if self.products > MAX_PRODUCTS:
                raise RuleSyntaxError(f"more than {MAX_PRODUCTS} multiplications")
            other = self.factor(depth)
            if sign == "/" and not (other.constant and other.sort == "number" and other.value(_NOWHERE)):
                raise RuleSyntaxError(f"“{self.source}”: only a number other than 0 divides")
            total = self.both(total, sign, other)
        return total

    def both(self, left: Term, sign: str, right: Term) -> Term:
        self.need("number", left, right)
        one, two, groups = left.value, right.value, left.groups | right.groups
        shown_as = {"+": " + ", "-": " − ", "*": " × ", "/": " / "}[sign]
        values: dict[str, Evaluate] = {
            "+": lambda scope: one(scope) + two(scope),
            "-": lambda scope: one(scope) - two(scope),
            "*": lambda scope: one(scope) * two(scope),
            "/": lambda scope: _divided(one(scope), two(scope)),
        }
        return Term(joined(left.text, shown_as, right.text), values[sign], groups=groups)

    def factor(self, depth: int) -> Term:
        if depth > MAX_DEPTH:
            raise RuleSyntaxError(f"brackets nested deeper than {MAX_DEPTH}")
        token = self.peek()
        self.at += 1
        if token.startswith("["):
            return self.field(token)
        if token[:1].isdigit():
            return _number(token)
        if token.startswith("'"):
            return _said(token[1:-1])
        if token == "today":  # noqa: S105  (a word of the language)
            return Term(Words("ngày nộp", "the day of filing"), lambda scope: scope.today, "date")
        if token in ("-", "("):
            return self.inner(token, depth)
        if token in _PLAIN or token in _ARGUMENTS:
            return self.function(token, depth)
        self.at -= 1
        raise self.error("a number, a field, a bracket or a function")

    def inner(self, token: str, depth: int) -> Term:
        if token == "-":  # noqa: S105
            term = self.factor(depth + 1)
            self.need("number", term)
            text = joined(_same(""), "−", term.text)
            return Term(text, lambda scope: -term.value(scope), constant=term.constant, groups=term.groups)
        term = self.sum(depth + 1)
        self.expect(")")
        text = Words(f"({term.text.vi})", f"({term.text.en})")
        return Term(text, term.value, term.sort, term.constant, groups=term.groups)

    def field(self, token: str) -> Term:
        operand = self.resolve(token[1:-1])
        self.operands.append(operand)
        groups = frozenset() if operand.group is None else frozenset({operand.group})
        return Term(
            operand.show, lambda scope: scope.value(operand), operand.sort, operand=operand, groups=groups
        )

    def function(self, name: str, depth: int) -> Term:
        self.expect("(")
        arguments = [self.sum(depth + 1)]
        while self.take(","):
            arguments.append(self.sum(depth + 1))
        self.expect(")")
        if len(arguments) != _ARGUMENTS.get(name, len(arguments)):
            raise RuleSyntaxError(f"{name} takes {_ARGUMENTS[name]} arguments")
        vi, en = (
            ", ".join(texts) for texts in zip(*((a.text.vi, a.text.en) for a in arguments), strict=True)
        )
        text = Words(f"{_SPOKEN_VI.get(name, name)}({vi})", f"{name}({en})")
        if name in ("sum", "count"):
            return self.over_rows(name, arguments[0], text)
        if name == "present":
            return self.presence(arguments[0], text)
        self.need("date" if name == "years" else "number", *arguments)
        apply, each = _PLAIN[name], tuple(argument.value for argument in arguments)
        groups = frozenset[Any]().union(*(argument.groups for argument in arguments))
        return Term(text, lambda scope: apply([value(scope) for value in each]), groups=groups)

    def presence(self, argument: Term, text: Words) -> Term:
        operand = argument.operand
        if operand is None:
            raise RuleSyntaxError(f"“{self.source}”: present takes a field")
        return Term(text, lambda scope: int(scope.filled(operand)), groups=argument.groups)

    def over_rows(self, name: str, argument: Term, text: Words) -> Term:
        """The rows are those within the row (or document) that the rule is about; worked out once for each of them."""
        group, operand = _innermost(argument.groups), argument.operand
        if group is None or (name == "count" and operand is None):
            raise RuleSyntaxError(f"“{self.source}”: {name} takes a field of a repeated element")
        key = object()
        if name == "sum":
            self.need("number", argument)

        def total(rows: Iterable[Scope]) -> Any:
            if name == "count":
                return sum(1 for row in rows if row.filled(operand))
            amount: Any = 0
            for row in rows:
                amount += argument.value(row)
            return amount

        def value(scope: Scope) -> Value:
            holder = scope.holder(group)
            if key not in holder.memo:
                holder.memo[key] = total(holder.rows(group))
            return holder.memo[key]

        outer = frozenset({group.parent}) if group.parent is not None else frozenset[Any]()
        return Term(text, value, groups=outer)

    def need(self, sort: Sort, *terms: Term) -> None:
        for term in terms:
            if term.sort != sort:
                raise RuleSyntaxError(f"“{self.source}”: {term.text.en} is a {term.sort}, not a {sort}")

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str) -> bool:
        if self.peek() != token:
            return False
        self.at += 1
        return True

    def expect(self, token: str) -> None:
        if not self.take(token):
            raise self.error(f"“{token}”")

    def error(self, wanted: str) -> RuleSyntaxError:
        return RuleSyntaxError(
            f"“{self.source}”: {wanted} expected, not “{self.peek() or 'the end'}” (word {self.at + 1})"
        )


def _number(token: str) -> Term:
    number = Fraction(token) if "." in token else int(token)
    text = token if number >= 1000 else grouped_en(number)
    return Term(Words(text.replace(".", ","), text), lambda _: number, constant=True)


def _innermost(groups: frozenset[Any]) -> Any:
    """The repeated element inside all the others. Raises RuleSyntaxError where they do not lie in each other."""
    chains = {group: list(_outwards(group)) for group in groups}
    if not chains:
        return None
    deepest = max(chains.values(), key=len)
    if any(group not in deepest for group in groups):
        raise RuleSyntaxError("fields of two repeated elements in one rule: use sum or count")
    return deepest[0]


def _outwards(group: Any) -> Iterator[Any]:
    while group is not None:
        yield group
        group = group.parent


def _tokens(source: str) -> Iterator[str]:
    at, end = 0, len(source.rstrip())
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None:
            raise RuleSyntaxError(f"“{source}”: not readable from “{source[at : at + 20].strip()}”")
        yield match[match.lastindex or 0]
        at = match.end()


def _said(text: str) -> Term:
    """A text, or the day that it names."""
    if not _DAY.fullmatch(text):
        return Term(_same(f"“{text}”"), lambda _: text, "text", constant=True)
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise RuleSyntaxError(f"“{text}” is not a day of the calendar") from None
    return Term(_same(show_day(day)), lambda _: day, "date", constant=True)


def _same(text: str) -> Words:
    return Words(text, text)


def _divided(dividend: int | Fraction, divisor: int | Fraction) -> int | Fraction:
    return Fraction(dividend, divisor) if dividend % divisor else dividend // divisor


def _rounded(value: int | Fraction) -> int:
    whole = int((value if value >= 0 else -value) + Fraction(1, 2))
    return whole if value >= 0 else -whole


def _years(start: date, end: date) -> int:
    return end.year - start.year - ((end.month, end.day) < (start.month, start.day))
