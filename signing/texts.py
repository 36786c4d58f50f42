"""The one table of texts: every fault and check by its stable code, in Vietnamese and English, with what to do.

`texts.toml` also gives a check's clause, its outcome and the sub-indication (EN 319 102-1, table 6) that a failure
means, so that the verdict of a code is written in one place.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import resources

import msgspec


class FaultText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts of a reason why bytes are not taken as XML; `{name}` places are filled with facts of the case."""

    vi: str
    en: str
    remedy_vi: str
    remedy_en: str


class CheckText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Texts and meaning of a check; `outcome` and `sub_indication` are those of a failure."""

    clause: str
    outcome: str
    sub_indication: str
    passed_vi: str
    passed_en: str
    vi: str
    en: str
    remedy_vi: str
    remedy_en: str


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Both tables, keyed by code."""

    xml: dict[str, FaultText]
    check: dict[str, CheckText]


@lru_cache(maxsize=1)
def texts() -> Texts:
    """The table; read once."""
    return msgspec.toml.decode(resources.files("signing").joinpath("texts.toml").read_bytes(), type=Texts)


def text_of_fault(code: str) -> FaultText:
    """Texts of an `xml.*` fault. Raises KeyError for a code that is not in the table."""
    return texts().xml[code]


def text_of_check(code: str) -> CheckText:
    """Texts of a check. Raises KeyError for a code that is not in the table."""
    return texts().check[code]
