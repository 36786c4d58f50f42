"""Which level a signature has, by what it bears and what of that holds (EN 319 132-1 clause 6)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from signing.evidence import Evidence
from signing.longterm.properties import VALUES, Properties

if TYPE_CHECKING:
    from signing.longterm.judge import Judged


def level_of(properties: Properties, judged: Iterable[Judged], pieces: Iterable[tuple[int, Evidence]]) -> str:
    """T, LT, LTA, or nothing for B. A time stamp that does not hold gives no level.

    LT asks for certificates and revocation values; whether they tell of every certificate is the verdict's to find.
    """
    holding = {each.stamp.kind for each in judged if each.time is not None}
    if not holding & {"signature", "archive"}:
        return ""
    there = {place for place, each in enumerate(properties.unsigned) if each.tag in VALUES}
    held = [piece for place, piece in pieces if place in there]
    if not any(piece.crls or piece.ocsps for piece in held):
        return "T"
    return "LTA" if "archive" in holding else "LT"
