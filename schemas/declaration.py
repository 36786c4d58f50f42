"""The summary of a declaration that receipts, routes and lists need.

It is read from the header, whatever the form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from lxml import etree

from schemas.families import TAX, Family
from schemas.period import Period, read_iso_day, read_period
from schemas.reading import Reading, UnreadableError, parse, read

HEADER = "TTinChung/TTinTKhaiThue"
FORM = f"{HEADER}/TKhaiThue"
PERIOD = f"{FORM}/KyKKhaiThue"
TAXPAYER = f"{HEADER}/NNT"
AGENT = f"{HEADER}/DLyThue"


_SUBMISSION_NO = re.compile(r"0|[1-9][0-9]{0,2}")
_MAX_ELEMENTS = 100_000  # for reading a header alone; a form sets its own, lower limit


@dataclass(frozen=True, slots=True)
class Party:
    """A taxpayer, tax agent or notice recipient."""

    tax_code: str
    name: str
    address: str = ""


@dataclass(frozen=True, slots=True)
class Declaration:
    """What a tax declaration says of itself.

    Texts are as filed; amounts are dong, None where the form has none or they do not read.

    `form_label` and `tax_name` come from the catalogue and are "" for a form it does not know.
    """

    form_code: str
    form_version: str
    kind: str
    submission_no: int
    form_name: str
    period: Period | None
    taxpayer: Party
    agent: Party | None
    tax_office_code: str
    tax_office_name: str
    signer_name: str
    signed_on: date | None
    element_id: str
    family: str = "tax-declaration"
    form_label: str = ""
    tax_name: str = ""
    payable: int | None = None
    carried_forward: int | None = None
    places: tuple[str, ...] = ()
    """Official codes of the place that it is about, the smallest first; none for a family that names no place."""
    papers: tuple[str, ...] = ()
    """What a dossier brought: each file's kind, in words where the catalogue knows it, and name."""

    @property
    def kind_name(self) -> str:
        """The kind in the words of the notices: Chính thức (first) or Bổ sung (supplementary)."""
        return "Bổ sung" if self.kind == "B" else "Chính thức"


def read_declaration(source: bytes | etree._Element) -> Declaration | None:
    """The summary of a HSoKhaiThue element, whatever its form; None where the header does not read.

    For steps before the examination (whose certificate may sign?): catalogue.examine gives the same, with the faults.
    """
    try:
        root = parse(source) if isinstance(source, bytes) else source
        if root.tag != TAX.body_tag:
            return None
        return declaration_of(read(root, TAX.naming, max_elements=_MAX_ELEMENTS), TAX)
    except UnreadableError:
        return None


def declaration_of(reading: Reading, family: Family) -> Declaration | None:
    """None where form, kind, number, period or the taxpayer's code do not read.

    Without them there is nothing to file under.
    """
    text = reading.text
    period = read_period(text(f"{PERIOD}/kieuKy"), text(f"{PERIOD}/kyKKhai"))
    number = text(f"{FORM}/soLan")
    vital = [text(f"{FORM}/{name}") for name in ("maTKhai", "pbanTKhaiXML", "loaiTKhai")]
    tax_code = text(f"{TAXPAYER}/mst")
    if period is None or not _SUBMISSION_NO.fullmatch(number) or not all(vital) or not tax_code:
        return None
    return Declaration(
        form_code=vital[0],
        form_version=vital[1],
        kind=vital[2],
        submission_no=int(number),
        form_name=text(f"{FORM}/tenTKhai"),
        period=period,
        taxpayer=Party(tax_code, text(f"{TAXPAYER}/tenNNT"), _address(reading)),
        agent=_agent(reading),
        tax_office_code=text(f"{FORM}/maCQTNoiNop"),
        tax_office_name=text(f"{FORM}/tenCQTNoiNop"),
        signer_name=text(f"{FORM}/nguoiKy"),
        signed_on=read_iso_day(text(f"{FORM}/ngayKy")),
        element_id=reading.root.get("id") or "",
        family=family.name,
    )


def _address(reading: Reading) -> str:
    parts = (
        reading.text(f"{TAXPAYER}/{name}") for name in ("dchiNNT", "phuongXa", "tenHuyenNNT", "tenTinhNNT")
    )
    address: list[str] = []
    for part in parts:
        if part and not any(part in said for said in address):  # dchiNNT often repeats ward and province
            address.append(part)
    return ", ".join(address)


def _agent(reading: Reading) -> Party | None:
    code = reading.text(f"{AGENT}/mstDLyThue")
    if not code:
        return None
    return Party(code, reading.text(f"{AGENT}/tenDLyThue"), reading.text(f"{AGENT}/dchiDLyThue"))
