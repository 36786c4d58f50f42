"""Dossier codes (mã số hồ sơ): agency, day, and the dossier's number on that day, without a gap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.identifiers import VIETNAM

_OLD_AGENCY = re.compile(r"[0-9]{3}\.[0-9]{2}\.[0-9]{2}\.[A-Z][0-9]{2}", re.ASCII)
_NEW_AGENCY = re.compile(r"[0-9A-Z][0-9A-Z.]{0,34}", re.ASCII)
_CODE = re.compile(
    rf"(?:{_OLD_AGENCY.pattern}-[0-9]{{6}}-[0-9]{{4,7}}|{_NEW_AGENCY.pattern}-[0-9]{{8}}-[0-9]{{7,9}})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class DossierCodes:
    """Makes the codes of one agency, in the form that its own code has.

    An agency code of QCVN 102:2016 (`000.00.00.H52`) gives `000.00.00.H52-261123-0001` (TT 01/2018/TT-VPCP, art. 19);
    one of Quyết định 20/2020/QĐ-TTg (`H52`, `G09.20`) gives `H52-20261123-0000001`. The ten thousandth dossier of a day
    has a digit more than the circular foresees: a number is never used twice.

    Raises:
        ValueError: `agency` is neither.
    """

    agency: str

    def __post_init__(self) -> None:
        if not is_agency_code(self.agency):
            raise ValueError(f"{self.agency!r} is no agency code: H52, G09.20 or 000.00.00.H52")

    def day(self, at: datetime) -> str:
        """The Vietnam day that is counted in, as the code writes it."""
        return at.astimezone(VIETNAM).strftime("%y%m%d" if self._old else "%Y%m%d")

    def code(self, day: str, number: int) -> str:
        """The code of the dossier that is `number`th (from 1) on this day."""
        return f"{self.agency}-{day}-{number:0{4 if self._old else 7}d}"

    @property
    def _old(self) -> bool:
        return _OLD_AGENCY.fullmatch(self.agency) is not None


def is_agency_code(text: str) -> bool:
    return _NEW_AGENCY.fullmatch(text) is not None


def is_dossier_code(text: str) -> bool:
    """Whether `text` has either form of a dossier code."""
    return _CODE.fullmatch(text) is not None
