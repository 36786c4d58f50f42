"""How values read: numbers, ticks and days, as the house's own forms write them and as XML Schema allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from fractions import Fraction
from typing import Literal

from schemas.period import read_day, read_iso_day
from schemas.rules import Unjudged, Value

Kind = Literal["integer", "decimal", "tick", "date", "text"]

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_DECIMAL = re.compile(r"(-?(?:0|[1-9][0-9]{0,17}))(\.[0-9]{1,6})?")
_XS_DECIMAL = re.compile(r"([+-]?)([0-9]{0,30})(?:\.([0-9]{0,30}))?")
_DAY_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}/[0-9]{2}/[0-9]{4}")
_XS_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9:.]{8,18})?(?:Z|[+-][0-9]{2}:[0-9]{2})?")
TICKED = frozenset({"1", "x", "X", "true"})
CLEAR = frozenset({"", "0", "false"})


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise Unjudged
    return int(text)


def _decimal(text: str) -> int | Fraction:
    """An int where it can be: fractions cost ten times as much."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if not _DECIMAL.fullmatch(text):
        raise Unjudged
    whole, _, decimals = text.partition(".")
    return Fraction(int(whole + decimals), 10 ** len(decimals))


def _xs_decimal(text: str) -> int | Fraction:
    """XML Schema part 2, 3.2.3: a sign, leading zeros, a point at either end."""
    match = _XS_DECIMAL.fullmatch(text.strip())
    if match is None or not (match[2] or match[3]):
        raise Unjudged
    decimals = match[3] or ""
    number = Fraction(int(f"{match[1]}{match[2] or '0'}{decimals}"), 10 ** len(decimals))
    return number.numerator if number.denominator == 1 else number


def _tick(text: str) -> int:
    if text not in TICKED | CLEAR:
        raise Unjudged
    return int(text in TICKED)


def read_date(text: str) -> date | None:
    """A day as the forms write it: yyyy-MM-dd or dd/MM/yyyy."""
    return read_iso_day(text) or read_day(text)


def is_no_day(text: str) -> bool:
    """Written as a date, and not on the calendar."""
    return _DAY_SHAPE.fullmatch(text) is not None and read_date(text) is None


def _date(text: str) -> date:
    found = read_date(text)
    if found is None:
        raise Unjudged
    return found


def _xs_date(text: str) -> date:
    """XML Schema part 2, 3.2.9, as its day; the zone is left aside."""
    match = _XS_DAY.fullmatch(text.strip())
    return _date(match[1] if match is not None else text.strip())


READERS: Mapping[Kind, Callable[[str], Value]] = {
    "integer": _integer, "decimal": _decimal, "tick": _tick, "date": _date, "text": str,
}  # fmt: skip
"""As the house's own types have them; each raises Unjudged where the text does not read."""
XS_READERS: Mapping[Kind, Callable[[str], Value]] = {
    "integer": _xs_decimal, "decimal": _xs_decimal, "tick": lambda text: _tick(text.strip()), "date": _xs_date,
    "text": str,
}  # fmt: skip
"""As the types of XML Schema have them."""
