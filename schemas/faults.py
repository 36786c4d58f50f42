"""Faults: what is wrong, where, and what to do about it.

In Vietnamese and English, from one source of texts (faults.toml).
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Literal

import msgspec

Severity = Literal["ERROR", "WARNING", "INFO"]

_SHOWN_LENGTH = 80
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True, slots=True)
class Words:
    """One thing said in both languages."""

    vi: str
    en: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the examined document.

    `indexes` counts child elements from 0, level by level, from the examined root: () is the root itself,
    (1, 3) the fourth child element of its second one. Comments, instructions and text do not count, so the same
    path leads to the same element in the file as it was sent. `line` is the line in the examined octets, None
    where there is none.
    """

    line: int | None = None
    path: str = ""
    indexes: tuple[int, ...] = ()
    indicator: str | None = None
    label: Words | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One finding.

    `code` is stable; `path` names the elements from the examined root, e.g. HSoKhaiThue/CTieuTKhaiChinh/ct36.
    """

    code: str
    severity: Severity
    line: int | None
    path: str
    indexes: tuple[int, ...]
    indicator: str | None
    value: str | None
    message_vi: str
    message_en: str
    remedy_vi: str
    remedy_en: str
    label_vi: str | None = None
    label_en: str | None = None


class FaultText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    severity: Severity
    message_vi: str
    message_en: str
    remedy_vi: str
    remedy_en: str


def text_faults(texts: Mapping[str, FaultText]) -> list[str]:
    """What is wrong with the table of texts itself: both languages of a text must name the same words."""
    wrong = []
    for code, text in texts.items():
        for vi, en in ((text.message_vi, text.message_en), (text.remedy_vi, text.remedy_en)):
            if not vi.strip() or not en.strip():
                wrong.append(f"faults.toml: {code}: an empty text")
            if _named(vi) != _named(en):
                wrong.append(f"faults.toml: {code}: the Vietnamese and the English text name different words")
    return wrong


def _named(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name}


@cache
def fault_texts() -> Mapping[str, FaultText]:
    raw = tomllib.loads((Path(__file__).parent / "faults.toml").read_text("utf-8"))
    return msgspec.convert(raw, dict[str, FaultText])


def shown(value: str) -> str:
    """A value fit to be shown: cut to 80 characters, controls and direction overrides replaced."""
    cut = value if len(value) <= _SHOWN_LENGTH else value[:_SHOWN_LENGTH] + "…"
    return UNPRINTABLE.sub("�", cut)


def make_fault(code: str, place: Place, /, *, value: str | None = None, **words: str | Words) -> Fault:
    """The fault `code` of faults.toml at `place`.

    `words` fill its texts, {field} is the place's label, {value} the value.
    """
    text = fault_texts()[code]
    label = place.label or Words(place.path.rpartition("/")[2], place.path.rpartition("/")[2])
    field = Words(
        *(f"{place.indicator} {name}" if place.indicator else name for name in (label.vi, label.en))
    )
    if value is not None:
        value = shown(value)
    said = {"field": field, "indicator": place.indicator or "", "value": value or "", **words}
    vi = {name: word.vi if isinstance(word, Words) else shown(word) for name, word in said.items()}
    en = {name: word.en if isinstance(word, Words) else shown(word) for name, word in said.items()}
    return Fault(
        code=code,
        severity=text.severity,
        line=place.line,
        path=place.path,
        indexes=place.indexes,
        indicator=place.indicator,
        value=value,
        message_vi=text.message_vi.format_map(vi),
        message_en=text.message_en.format_map(en),
        remedy_vi=text.remedy_vi.format_map(vi),
        remedy_en=text.remedy_en.format_map(en),
        label_vi=place.label.vi if place.label else None,
        label_en=place.label.en if place.label else None,
    )
