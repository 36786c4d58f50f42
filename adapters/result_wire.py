"""`KetQua`: an agency's decision as XML, the same in every family that speaks XML (`wsdl/ket-qua.xsd`).

The element names are those of the authority's notices 843 and 844 (`TBaoThueDTu`); the namespace and the places of
`maLoi` and `maTienTe` are our choice, for no agency publishes this message.
"""

from __future__ import annotations

from typing import Any

import msgspec
from lxml import etree

from adapters import base
from adapters.told import Payable, Reason, Verdict, printable, read_verdict
from adapters.xml import NotOfTheForm, add, new, texts

NAMESPACE = "urn:efile:ket-qua:1"
NAME = f"{{{NAMESPACE}}}KetQua"
_OUTCOMES = {"Y": "accepted", "N": "rejected"}
_LETTERS = {outcome: letter for letter, outcome in _OUTCOMES.items()}


def read_result(element: etree._Element) -> base.Verdict:
    """The verdict in a `KetQua` that its schema allows.

    Raises:
        NotOfTheForm: beyond the bounds of `told.Verdict`, such as a time without zone.
    """
    said = texts(element)
    table: dict[str, Any] = {
        "outcome": _OUTCOMES.get(said.get("trangThai", "")),
        "decidedAt": said.get("thoiDiem"),
        "reference": said.get("soTiepNhan") or None,
        "reasons": [_reason(texts(row)) for row in element.iter(f"{{{NAMESPACE}}}CTietLyDo")],
        "payables": [_payable(texts(row)) for row in element.iter(f"{{{NAMESPACE}}}CTietIDKhoanNop")],
    }
    try:
        return read_verdict(msgspec.convert(table, Verdict, strict=False))
    except msgspec.ValidationError as error:
        raise NotOfTheForm(printable(f"KetQua: {error}")) from error


def write_result(verdict: Verdict) -> etree._Element:
    """The `KetQua` of a verdict, as an agency writes it."""
    result = new(NAMESPACE, "KetQua")
    add(result, "trangThai", _LETTERS[verdict.outcome])
    if verdict.reference is not None:
        add(result, "soTiepNhan", verdict.reference)
    add(result, "thoiDiem", verdict.decided_at.isoformat())
    if verdict.payables:
        rows = add(result, "IDKhoanNop")
        for payable in verdict.payables:
            _write(add(rows, "CTietIDKhoanNop"), _PAYABLE, payable)
    if verdict.reasons:
        rows = add(result, "LyDo")
        for reason in verdict.reasons:
            _write(add(rows, "CTietLyDo"), _REASON, reason)
    return result


_REASON = {
    "maLoi": "code",
    "tenNhomLoi": "group",
    "tenLoi": "error",
    "huongDanXuLy": "remedy",
    "ghiChu": "note",
}
_PAYABLE = {"maDinhDanh": "id", "soTienPNop": "amount", "maTienTe": "currency", "tenLoaiTien": "name"}


def _reason(said: dict[str, str]) -> dict[str, str]:
    return {field: said[name] for name, field in _REASON.items() if name in said}


def _payable(said: dict[str, str]) -> dict[str, str]:
    return {field: said[name] for name, field in _PAYABLE.items() if name in said}


def _write(row: etree._Element, names: dict[str, str], values: Reason | Payable) -> None:
    for name, field in names.items():
        add(row, name, str(getattr(values, field)))
