"""Vietnamese tax codes (mã số thuế): the formats in use and the check digit."""

from __future__ import annotations

import re
from typing import Literal

TaxCodeJudgement = Literal["well-formed", "bad-format", "bad-check-digit"]

_FORMAT = re.compile(r"([0-9]{10})(-[0-9]{3})?|[0-9]{12}")
_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)


def check_digit(first_nine: str) -> str | None:
    """The tenth digit of a tax code; None where the sum asks for 10, for then no code is issued."""
    digit = 10 - sum(weight * int(d) for weight, d in zip(_WEIGHTS, first_nine, strict=True)) % 11
    return None if digit == 10 else str(digit)


def judge_tax_code(code: str) -> TaxCodeJudgement:
    """Judge 10 digits, 10-3 (a branch) or 12 digits (a personal number: format only, its digits carry no checksum).

    Only ASCII digits count. Whether the code was ever issued is not checked: that register is the tax authority's.
    """
    match = _FORMAT.fullmatch(code)
    if match is None:
        return "bad-format"
    ten: str | None = match[1]
    if ten is None or check_digit(ten[:9]) == ten[9]:
        return "well-formed"
    return "bad-check-digit"
