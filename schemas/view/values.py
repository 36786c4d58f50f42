"""Values as they are printed in Vietnam: 1.234.567, 12,5, 31/12/2026, ☑ and ☐."""

from __future__ import annotations

import re
from datetime import datetime

from schemas.faults import UNPRINTABLE
from schemas.lexical import CLEAR, TICKED, Kind, read_date
from schemas.period import VIETNAM, show_day
from schemas.view.page import Cell

LONGEST = 2000
"""Characters of a value that are printed."""
_LONGEST_BASE64, _BASE64_FROM = 40, 200
_NUMBER = re.compile(r"(-?)(0|[1-9][0-9]{0,17})(?:\.([0-9]{1,6}))?")
_BASE64 = re.compile(r"\s*[A-Za-z0-9+/=]{60}")  # as it is written, in lines of 64 or 76 or in one
_KEPT = "\t\n"
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})")


def clean(text: str) -> str:
    """Without controls and direction overrides (each becomes U+FFFD); line breaks and tabs stay."""
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] in _KEPT else "�", text.replace("\r\n", "\n"))


def cell_of(text: str, kind: Kind) -> Cell:
    """The value by the kind of its field; as it stands where it does not read so."""
    if kind == "tick" and text in TICKED | CLEAR:
        return Cell("☑" if text in TICKED else "☐", "tick", ticked=text in TICKED)
    if kind in ("integer", "decimal"):
        grouped = group_digits(text)
        return _cut(text) if grouped is None else Cell(grouped, "number")
    if kind == "date" and (day := read_date(text)) is not None:
        return Cell(show_day(day))
    if kind == "text" and _TIME.fullmatch(text):
        return Cell(_show_written_time(text))
    return _cut(text)


def group_digits(text: str) -> str | None:
    """1234567.5 as 1.234.567,5; None for what is no number of the forms."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    sign, whole, decimals = found.groups()
    grouped = f"{int(whole):,}".replace(",", ".")
    return f"{sign}{grouped},{decimals}" if decimals else f"{sign}{grouped}"


def show_time(at: datetime) -> str:
    """31/12/2026 23:59:59, Vietnam time."""
    there = at.astimezone(VIETNAM)
    return f"{show_day(there.date())} {there:%H:%M:%S}"


def _show_written_time(text: str) -> str:
    try:
        return show_time(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return text


def _cut(text: str) -> Cell:
    longest = _LONGEST_BASE64 if len(text) > _BASE64_FROM and _BASE64.match(text) else LONGEST
    return Cell(clean(text[:longest]), cut=max(0, len(text) - longest))
