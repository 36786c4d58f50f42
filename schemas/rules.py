"""The arithmetic that forms print, as a small language.

`[36] = [35] - [25]`, `[40a] = max(0, [36] - [22])`, `[40b] <= [40a]`.

    rule       = [ "if" comparison "then" ] comparison
    comparison = sum ( "=" | "<>" | "<=" | ">=" | "<" | ">" ) sum
    sum        = product { ( "+" | "-" ) product }
    product    = factor { "*" factor }
    factor     = number | "[" indicator "]" | "-" factor | "(" sum ")" | function "(" sum { "," sum } ")"
    function   = "max" | "min" | "abs" | "nonzero" (how many of its arguments are not 0)

Integers only and exact. No names, no calls but the four functions, no loops: a rule costs at most its own
length. A rule is compiled once, to closures; nothing is ever evaluated as Python.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from schemas.faults import Words

Values = Mapping[str, int]
_Value = Callable[[Values], int]

MAX_LENGTH = 1000  # characters of a rule
MAX_DEPTH = 20  # brackets in brackets
MAX_PRODUCTS = 4  # multiplications in a rule, so that numbers stay small

_TOKEN = re.compile(
    r"\s*(?:(\[[0-9A-Za-z_.]{1,20}\])|([0-9]{1,18})(?![0-9])|([a-z]{1,10})|(<=|>=|<>|[-=<>+*(),]))"
)
_COMPARE: dict[str, tuple[Callable[[int, int], bool], str, str, str]] = {
    "=": (operator.eq, "=", "phải bằng", "must equal"),
    "<>": (operator.ne, "≠", "phải khác", "must differ from"),
    "<=": (operator.le, "≤", "không được lớn hơn", "must not exceed"),
    ">=": (operator.ge, "≥", "không được nhỏ hơn", "must not be less than"),
    "<": (operator.lt, "<", "phải nhỏ hơn", "must be less than"),
    ">": (operator.gt, ">", "phải lớn hơn", "must be greater than"),
}
_FUNCTIONS: dict[str, Callable[[Sequence[int]], int]] = {
    "max": max,
    "min": min,
    "abs": lambda arguments: abs(arguments[0]),
    "nonzero": lambda arguments: sum(1 for argument in arguments if argument),
}


class RuleSyntaxError(ValueError):
    """A rule that is not in the language; the message says where."""


@dataclass(frozen=True, slots=True)
class _Term:
    text: str
    value: _Value
    constant: bool = False


@dataclass(frozen=True, slots=True)
class _Comparison:
    left: _Term
    sign: str
    right: _Term

    def holds(self, values: Values) -> bool:
        return _COMPARE[self.sign][0](self.left.value(values), self.right.value(values))

    @property
    def text(self) -> str:
        return f"{self.left.text} {_COMPARE[self.sign][1]} {self.right.text}"


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """A compiled rule.

    `indicators` in the order in which they are written, the first is the one the rule is about.
    """

    source: str
    indicators: tuple[str, ...]
    condition: _Comparison | None
    claim: _Comparison

    def broken(self, values: Values) -> bool | None:
        """True where the numbers break the rule.

        None where one of them is not there to judge (the schema says so already).
        """
        if not all(indicator in values for indicator in self.indicators):
            return None
        if self.condition is not None and not self.condition.holds(values):
            return False
        return not self.claim.holds(values)

    def message(self, values: Values) -> Words:
        """The broken rule with the numbers put in."""
        left, right = self.claim.left.value(values), self.claim.right.value(values)
        _, _, phrase_vi, phrase_en = _COMPARE[self.claim.sign]
        told = not self.claim.right.constant
        vi = f"{self.claim.left.text} {phrase_vi} {self.claim.right.text}{f' = {grouped_vi(right)}' if told else ''}"
        en = f"{self.claim.left.text} {phrase_en} {self.claim.right.text}{f' = {grouped_en(right)}' if told else ''}"
        return Words(f"{vi}, đang là {grouped_vi(left)}", f"{en} but is {grouped_en(left)}")

    def remedy(self) -> Words:
        about, *others = (f"[{indicator}]" for indicator in dict.fromkeys(self.indicators))
        if not others:
            return Words(
                f"Sửa lại {about} cho đúng {self.claim.text}.", f"Correct {about} so that {self.claim.text}."
            )
        named = ", ".join(others)
        return Words(
            f"Tính lại {about} theo {self.claim.text}, hoặc kiểm tra lại {named}.",
            f"Work out {about} again by {self.claim.text}, or check {named}.",
        )


def grouped_vi(number: int) -> str:
    return f"{number:,}".replace(",", ".")


def grouped_en(number: int) -> str:
    return f"{number:,}"


def compile_rule(source: str) -> Arithmetic:
    """Compile one rule. Raises RuleSyntaxError."""
    if len(source) > MAX_LENGTH:
        raise RuleSyntaxError(f"the rule is longer than {MAX_LENGTH} characters")
    return _Parser(source).rule()


class _Parser:
    def __init__(self, source: str) -> None:
        self.source = source
        self.tokens = list(_tokens(source))
        self.at = 0
        self.indicators: list[str] = []
        self.products = 0

    def rule(self) -> Arithmetic:
        condition = None
        if self.take("if"):
            condition = self.comparison()
            self.expect("then")
        before = len(self.indicators)
        claim = self.comparison()
        if self.at != len(self.tokens):
            raise self.error("the end of the rule")
        about = self.indicators[before:] + self.indicators[:before] if condition is None else self.indicators
        if not about:
            raise RuleSyntaxError("the rule names no indicator")
        return Arithmetic(self.source, tuple(about), condition, claim)

    def comparison(self) -> _Comparison:
        left = self.sum(0)
        sign = self.peek()
        if sign not in _COMPARE:
            raise self.error("one of = <> <= >= < >")
        self.at += 1
        return _Comparison(left, sign, self.sum(0))

    def sum(self, depth: int) -> _Term:
        total = self.product(depth)
        while (sign := self.peek()) in ("+", "-"):
            self.at += 1
            total = _both(total, sign, self.product(depth))
        return total

    def product(self, depth: int) -> _Term:
        total = self.factor(depth)
        while self.take("*"):
            self.products += 1
            if self.products > MAX_PRODUCTS:
                raise RuleSyntaxError(f"more than {MAX_PRODUCTS} multiplications")
            total = _both(total, "*", self.factor(depth))
        return total

    def factor(self, depth: int) -> _Term:
        if depth > MAX_DEPTH:
            raise RuleSyntaxError(f"brackets nested deeper than {MAX_DEPTH}")
        token = self.peek()
        self.at += 1
        if token.startswith("["):
            return self.indicator(token)
        if token.isdigit():
            number = int(token)
            return _Term(grouped_en(number) if number < 1000 else token, lambda _: number, constant=True)
        if token == "-":  # noqa: S105  (a word of the language)
            inner = self.factor(depth + 1)
            return _Term(f"−{inner.text}", lambda values: -inner.value(values), inner.constant)
        if token == "(":  # noqa: S105
            inner = self.sum(depth + 1)
            self.expect(")")
            return _Term(f"({inner.text})", inner.value, inner.constant)
        if token in _FUNCTIONS:
            return self.function(token, depth)
        self.at -= 1
        raise self.error("a number, an indicator, a bracket or a function")

    def indicator(self, token: str) -> _Term:
        name = token[1:-1]
        self.indicators.append(name)
        return _Term(token, lambda values: values[name])

    def function(self, name: str, depth: int) -> _Term:
        self.expect("(")
        arguments = [self.sum(depth + 1)]
        while self.take(","):
            arguments.append(self.sum(depth + 1))
        self.expect(")")
        if name == "abs" and len(arguments) != 1:
            raise RuleSyntaxError("abs takes one argument")
        apply, each = _FUNCTIONS[name], tuple(argument.value for argument in arguments)
        text = f"{name}({', '.join(argument.text for argument in arguments)})"
        return _Term(text, lambda values: apply([value(values) for value in each]))

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


def _both(left: _Term, sign: str, right: _Term) -> _Term:
    one, two = left.value, right.value
    if sign == "+":
        return _Term(f"{left.text} + {right.text}", lambda values: one(values) + two(values))
    if sign == "-":
        return _Term(f"{left.text} − {right.text}", lambda values: one(values) - two(values))
    return _Term(f"{left.text} × {right.text}", lambda values: one(values) * two(values))


def _tokens(source: str) -> Iterator[str]:
    at, end = 0, len(source.rstrip())
    while at < end:
        match = _TOKEN.match(source, at)
        if match is None:
            raise RuleSyntaxError(f"“{source}”: not readable from “{source[at : at + 20].strip()}”")
        yield match[match.lastindex or 0]
        at = match.end()
