"""The XML that a queue agency and the gateway exchange: the ESB envelope of the tax sector, as its public messages have
it (`DATA/HEADER/BODY/ROW`). The transactions and the rows are this project's; adapters/README.md shows each once.

Times are ISO 8601 with an offset; `SEND_DATE` is dd/MM/yyyy HH:mm:ss in Vietnam's time.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Literal

import msgspec
from lxml import etree

from adapters import base, told

CONTENT_TYPE = "application/xml"
_VIETNAM = timezone(timedelta(hours=7))
_OUTCOMES = {"CHAP_NHAN": "accepted", "KHONG_CHAP_NHAN": "rejected"}
_STATES = ("CHUA_NHAN", "DANG_XU_LY", "DA_CO_KET_QUA")

Transaction = Literal["NOP_HO_SO", "TRA_CUU", "TRANG_THAI", "KET_QUA", "TU_CHOI"]
"""A filing; a question about one, and the answer; a verdict; a message that can never be taken."""


class NotOfTheForm(ValueError):
    """Not a message of the agreed form. The words are not fit for a log as they are."""


@dataclass(frozen=True, slots=True)
class Parties:
    """Who speaks to whom, in the ESB's own codes."""

    sender_code: str
    sender_name: str
    receiver_code: str
    receiver_name: str


@dataclass(frozen=True, slots=True)
class State:
    """Answer to a question: `verdict` exactly where the state is DA_CO_KET_QUA."""

    key: str
    state: str
    reference: str | None = None
    verdict: told.Verdict | None = None


def filing(parcel: base.Parcel, parties: Parties) -> bytes:
    """NOP_HO_SO. The same parcel is the same message, octet for octet, however often it is sent."""
    root, row = _message("NOP_HO_SO", parcel.key, parties)
    header = root[0]
    sent = parcel.received_at.astimezone(_VIETNAM)
    _put(header, "SEND_DATE", f"{sent:%d/%m/%Y %H:%M:%S}")
    fields = {
        "MA_GIAO_DICH": parcel.key,
        "SO_HO_SO": parcel.filing_number,
        "CO_QUAN": parcel.agency,
        "LINH_VUC": parcel.family,
        "MA_TKHAI": parcel.form_code,
        "PHIEN_BAN": parcel.form_version,
        "LOAI": parcel.kind,
        "KY": parcel.period,
        "MA_NGUOI_NOP": parcel.taxpayer_code,
        "MA_CQ_QUAN_LY": parcel.tax_office_code,
        "THOI_DIEM_TIEP_NHAN": parcel.received_at.isoformat(),
        "KIEU_NOI_DUNG": parcel.media_type,
        "SHA256": parcel.digest_hex,
        "NOI_DUNG": base64.b64encode(parcel.document).decode("ascii"),
    }
    for name, value in fields.items():
        _put(row, name, value)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def question(key: str, parties: Parties) -> bytes:
    """TRA_CUU."""
    root, row = _message("TRA_CUU", key, parties)
    _put(row, "MA_GIAO_DICH", key)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def read(octets: bytes, *, large: bool = False) -> tuple[str, etree._Element]:
    """The transaction and the row of a message; `large`: a text in it may be longer than 10 MB. Raises NotOfTheForm."""
    if b"<!DOCTYPE" in octets:
        raise NotOfTheForm("a document type declaration")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=large, remove_comments=True
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotOfTheForm(str(error)) from error
    if root.getroottree().docinfo.internalDTD is not None:  # in another encoding
        raise NotOfTheForm("a document type declaration")
    transaction, row = root.findtext("HEADER/TRAN_CODE"), root.find("BODY/ROW")
    if root.tag != "DATA" or transaction is None or row is None:
        raise NotOfTheForm("no DATA with HEADER/TRAN_CODE and BODY/ROW")
    return transaction, row


def read_state(octets: bytes) -> State:
    """A TRANG_THAI. Raises NotOfTheForm."""
    transaction, row = read(octets)
    state = row.findtext("TRANG_THAI")
    if transaction != "TRANG_THAI" or state not in _STATES:
        raise NotOfTheForm("no TRANG_THAI")
    decided = state == "DA_CO_KET_QUA"
    key, verdict = read_verdict(row) if decided else (_text(row, "MA_GIAO_DICH"), None)
    return State(key, state, row.findtext("SO_THAM_CHIEU") or None, verdict)


def read_verdict(row: etree._Element) -> tuple[str, told.Verdict]:
    """The key and the verdict in a row. Raises NotOfTheForm."""
    outcome = row.findtext("KET_LUAN") or ""
    values = {
        "outcome": _OUTCOMES.get(outcome, outcome),
        "decidedAt": row.findtext("THOI_GIAN"),
        "reference": row.findtext("SO_THAM_CHIEU") or None,
        "reasons": [
            {
                "code": _text(reason, "MA"),
                "group": reason.findtext("NHOM") or "",
                "error": _text(reason, "NOI_DUNG"),
                "remedy": reason.findtext("HUONG_XU_LY") or "",
                "note": reason.findtext("GHI_CHU") or "",
            }
            for reason in row.iterfind("LY_DO")
        ],
        "payables": [
            {
                "id": _text(payable, "MA"),
                "amount": _number(_text(payable, "SO_TIEN")),
                "currency": _text(payable, "LOAI_TIEN"),
                "name": payable.findtext("TEN") or "",
            }
            for payable in row.iterfind("KHOAN_NOP")
        ],
    }
    try:
        key = msgspec.convert(_text(row, "MA_GIAO_DICH"), told.Key)
        return key, msgspec.convert(values, told.Verdict)
    except msgspec.ValidationError as error:
        raise NotOfTheForm(str(error)) from error


def state_message(state: State, parties: Parties) -> bytes:
    """TRANG_THAI, as the agency writes it."""
    root, row = _message("TRANG_THAI", state.key, parties)
    _put(row, "MA_GIAO_DICH", state.key)
    _put(row, "TRANG_THAI", state.state)
    if state.verdict is None:
        _put(row, "SO_THAM_CHIEU", state.reference or "")
    else:
        _put_verdict(row, state.verdict)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def verdict_message(key: str, verdict: told.Verdict, parties: Parties) -> bytes:
    """KET_QUA, as the agency writes it."""
    root, row = _message("KET_QUA", key, parties)
    _put(row, "MA_GIAO_DICH", key)
    _put_verdict(row, verdict)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def refusal_message(key: str, words: str, parties: Parties) -> bytes:
    """TU_CHOI, as the agency writes it: this very message can never be taken in."""
    root, row = _message("TU_CHOI", key, parties)
    _put(root[0], "ERROR_CODE", "01")
    _put(root[0], "ERROR_DESC", words)
    _put(row, "MA_GIAO_DICH", key)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _put_verdict(row: etree._Element, verdict: told.Verdict) -> None:
    _put(row, "SO_THAM_CHIEU", verdict.reference or "")
    _put(row, "KET_LUAN", next(name for name, outcome in _OUTCOMES.items() if outcome == verdict.outcome))
    _put(row, "THOI_GIAN", verdict.decided_at.isoformat())
    for reason in verdict.reasons:
        _put_all(
            etree.SubElement(row, "LY_DO"),
            MA=reason.code,
            NHOM=reason.group,
            NOI_DUNG=reason.error,
            HUONG_XU_LY=reason.remedy,
            GHI_CHU=reason.note,
        )
    for payable in verdict.payables:
        _put_all(
            etree.SubElement(row, "KHOAN_NOP"),
            MA=payable.id,
            SO_TIEN=str(payable.amount),
            LOAI_TIEN=payable.currency,
            TEN=payable.name,
        )


def _message(transaction: Transaction, key: str, parties: Parties) -> tuple[etree._Element, etree._Element]:
    root = etree.Element("DATA")
    header = etree.SubElement(root, "HEADER")
    _put_all(
        header,
        VERSION="1.0",
        SENDER_CODE=parties.sender_code,
        SENDER_NAME=parties.sender_name,
        RECEIVER_CODE=parties.receiver_code,
        RECEIVER_NAME=parties.receiver_name,
        TRAN_CODE=transaction,
        MSG_ID=key,
        MSG_REFID="",
        ID_LINK=key,
    )
    row = etree.SubElement(etree.SubElement(root, "BODY"), "ROW")
    _put(row, "TYPE", transaction)
    return root, row


def _put_all(parent: etree._Element, **values: str) -> None:
    for name, value in values.items():
        _put(parent, name, value)


def _put(parent: etree._Element, name: str, value: str) -> None:
    etree.SubElement(parent, name).text = value


def _text(row: etree._Element, name: str) -> str:
    found = row.findtext(name)
    if not found:
        raise NotOfTheForm(f"no {name}")
    return found


def _number(text: str) -> int:
    if len(text) > 20 or not (text.isascii() and text.removeprefix("-").isdigit()):
        raise NotOfTheForm("an amount that is no number")
    return int(text)
