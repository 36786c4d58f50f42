"""Example declarations that pass, for demonstrations, tests and measurements.

A made-up building company in Sơn La.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from functools import cache
from pathlib import Path

from lxml import etree

from schemas.declaration import AGENT, FORM, HEADER, PERIOD, TAXPAYER
from schemas.families import TAX
from schemas.period import Period, read_period, show_day

EXAMPLE_TAX_CODE = "5500998804"
EXAMPLE_NAME = "CÔNG TY TNHH XÂY DỰNG VÀ THƯƠNG MẠI MƯỜNG LA"

_FILES = {"842": Path(__file__).parent / "tax" / "842-2.8.3" / "examples" / "passes.xml"}
_QUARTER = re.compile(r"Q([1-4]/[0-9]{4})")
_BOM = b"\xef\xbb\xbf"


def example_declaration(
    code: str = "842",
    *,
    tax_code: str = EXAMPLE_TAX_CODE,
    name: str = EXAMPLE_NAME,
    period: str = "Q2/2026",
    signed_on: date | None = None,
    agent_tax_code: str | None = None,
    agent_name: str = "CÔNG TY TNHH ĐẠI LÝ THUẾ TÂY BẮC",
    element_id: str = "_NODE_TO_SIGN",
    bom: bool = False,
    size_hint: int | None = None,
    overrides: Mapping[str, str | None] | None = None,
) -> bytes:
    """An unsigned HSoThueDTu document of some 5 KB whose sums agree, UTF-8, CKyDTu empty.

    `period` is Q2/2026 or 06/2026; `signed_on` defaults to 15 days after its end. `overrides` sets the text
    of elements by name (ct36, mst, kieuKy ...), None removes the element; sums are not worked out again.
    `size_hint` pads with white space between elements to about so many octets. Raises KeyError for an unknown
    form or element, ValueError for a period that is none.
    """
    root = etree.fromstring(_template(_FILES[code]))
    declaration = root[0]
    declaration.set("id", element_id)
    filed = _period(period)
    day = (signed_on or filed.end + timedelta(days=15)).isoformat()
    texts = {
        f"{PERIOD}/kieuKy": filed.kind,
        f"{PERIOD}/kyKKhai": filed.raw,
        f"{PERIOD}/kyKKhaiTuNgay": show_day(filed.start),
        f"{PERIOD}/kyKKhaiDenNgay": show_day(filed.end),
        f"{FORM}/ngayLapTKhai": day,
        f"{FORM}/ngayKy": day,
        f"{TAXPAYER}/mst": tax_code,
        f"{TAXPAYER}/tenNNT": name,
    }
    for path, text in texts.items():
        _at(declaration, path).text = text
    if agent_tax_code is not None:
        _add_agent(declaration, agent_tax_code, agent_name)
    for element_name, override in (overrides or {}).items():
        _override(declaration, element_name, override)
    if size_hint is not None:
        _pad(root, declaration, size_hint)
    octets = etree.tostring(root, encoding="UTF-8", xml_declaration=True)
    return _BOM + octets if bom else octets


@cache
def _template(file: Path) -> bytes:
    return file.read_bytes()


def _period(text: str) -> Period:
    quarter = _QUARTER.fullmatch(text)
    period = read_period("Q", quarter[1]) if quarter else read_period("M", text)
    if period is None:
        raise ValueError(f"neither a quarter (Q2/2026) nor a month (06/2026): {text!r}")
    return period


def _at(declaration: etree._Element, path: str) -> etree._Element:
    found = declaration.find(TAX.find(path))
    if found is None:
        raise KeyError(path)
    return found


def _override(declaration: etree._Element, name: str, text: str | None) -> None:
    found = next(declaration.iter(TAX.tag(name)), None)
    if found is None:
        raise KeyError(name)
    parent = found.getparent()
    if text is not None:
        found.text = text
    elif parent is not None:
        parent.remove(found)


def _add_agent(declaration: etree._Element, tax_code: str, name: str) -> None:
    agent = etree.SubElement(_at(declaration, HEADER), TAX.tag(AGENT.rpartition("/")[2]))
    for element_name, text in (
        ("mstDLyThue", tax_code),
        ("tenDLyThue", name),
        ("dchiDLyThue", "Phường Chiềng Sinh, tỉnh Sơn La"),
    ):
        etree.SubElement(agent, TAX.tag(element_name)).text = text


def _pad(root: etree._Element, declaration: etree._Element, size: int) -> None:
    lacking = size - len(etree.tostring(root, encoding="UTF-8", xml_declaration=True))
    tails = [element for element in declaration.iter("*") if element is not declaration]
    for number, element in enumerate(tails):
        share = lacking * (number + 1) // len(tails) - lacking * number // len(tails)
        if share > 0:
            element.tail = (element.tail or "") + " " * share
