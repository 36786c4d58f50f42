"""The XML that a queue agency and the gateway exchange: the ESB envelope of the tax sector, as its public messages have
it (`DATA/HEADER/BODY/ROW`). The transactions and the rows are this project's; adapters/README.md shows each once.

A file larger than PIECE_BYTES, and every paper, goes ahead of its filing in pieces, each a message of its own: brokers
bound messages (RabbitMQ 4: 16 MiB), and parsers a text (libxml2: 10 MB).

`SEND_DATE` is dd/MM/yyyy HH:mm:ss in Vietnam's time; other times are ISO 8601 with an offset.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta, timezone
from typing import Literal

import msgspec
from lxml import etree

from adapters import base, result_wire, told, xml
from adapters.xml import NotOfTheForm

CONTENT_TYPE = "application/xml"
PIECE_BYTES = 6 << 20
"""Octets; in base64 a third more."""
_VIETNAM = timezone(timedelta(hours=7))
_STATES = ("CHUA_NHAN", "DANG_XU_LY", "DA_CO_KET_QUA")
_RESULT = xml.Schema("ket-qua.xsd")

Transaction = Literal["PHAN_TEP", "NOP_HO_SO", "TRA_CUU", "TRANG_THAI", "KET_QUA", "TU_CHOI"]
"""A piece of a file; a filing; a question about one, and the answer; a verdict; a message that can never be taken."""


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
    verdict: base.Verdict | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Some octets of a file, the `number`th piece of `count`; `id` is its own, the same whenever it is sent."""

    id: str
    digest_hex: str
    number: int
    count: int
    octets: memoryview


def pieces(parcel: base.Parcel) -> Iterator[Piece]:
    """Of the papers, and of a document that is too large for its message, in the order in which they go ahead of it."""
    files = [(paper.digest_hex, paper.content) for paper in parcel.papers]
    if len(parcel.document) > PIECE_BYTES:
        files.append((parcel.digest_hex, parcel.document))
    for digest_hex, content in dict(files).items():
        count, view = _count(content), memoryview(content)
        for number in range(1, count + 1):
            octets = view[(number - 1) * PIECE_BYTES : number * PIECE_BYTES]
            yield Piece(f"{parcel.key}/{digest_hex}/{number}", digest_hex, number, count, octets)


def piece_message(key: str, piece: Piece, parties: Parties) -> bytes:
    """PHAN_TEP."""
    root, row = _message("PHAN_TEP", key, parties, piece.id)
    fields = {
        "SHA256": piece.digest_hex,
        "PHAN": str(piece.number),
        "SO_PHAN": str(piece.count),
        "NOI_DUNG": base64.b64encode(piece.octets).decode("ascii"),
    }
    for name, value in fields.items():
        xml.add(row, name, value)
    return xml.encoded(root)


def _count(content: bytes) -> int:
    return -(-len(content) // PIECE_BYTES)


def filing(parcel: base.Parcel, parties: Parties) -> bytes:
    """NOP_HO_SO. The same parcel is the same message, octet for octet, however often it is sent."""
    root, row = _message("NOP_HO_SO", parcel.key, parties)
    xml.add(root[0], "SEND_DATE", f"{parcel.received_at.astimezone(_VIETNAM):%d/%m/%Y %H:%M:%S}")
    fields = {
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
    }
    if len(parcel.document) > PIECE_BYTES:
        fields["SO_PHAN"] = str(_count(parcel.document))
    else:
        fields["NOI_DUNG"] = base64.b64encode(parcel.document).decode("ascii")
    for name, value in fields.items():
        xml.add(row, name, value)
    for paper in parcel.papers:
        beside = xml.add(row, "GIAY_TO")
        about = {
            "LOAI": paper.kind,
            "TEN_TEP": paper.name,
            "KIEU_NOI_DUNG": paper.media_type,
            "DUNG_LUONG": str(len(paper.content)),
            "SHA256": paper.digest_hex,
            "SO_PHAN": str(_count(paper.content)),
        }
        for name, value in about.items():
            xml.add(beside, name, value)
    return xml.encoded(root)


def question(key: str, parties: Parties) -> bytes:
    """TRA_CUU."""
    return xml.encoded(_message("TRA_CUU", key, parties)[0])


def read(octets: bytes, *, large: bool = False) -> tuple[str, etree._Element]:
    """The transaction and the row of a message; `large` as for `xml.parse`. Raises NotOfTheForm."""
    root = xml.parse(octets, large=large)
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
    if state == "DA_CO_KET_QUA":
        key, verdict = read_verdict(row)
        return State(key, state, verdict.reference, verdict)
    return State(_key(row), state, row.findtext("SO_THAM_CHIEU") or None)


def read_verdict(row: etree._Element) -> tuple[str, base.Verdict]:
    """The key and the verdict in a row. Raises NotOfTheForm."""
    result = row.find(result_wire.NAME)
    if result is None:
        raise NotOfTheForm("no KetQua")
    _RESULT.check(result)
    return _key(row), result_wire.read_result(result)


def state_message(
    key: str, state: str, reference: str | None, verdict: told.Verdict | None, parties: Parties
) -> bytes:
    """TRANG_THAI, as the agency writes it."""
    root, row = _message("TRANG_THAI", key, parties)
    xml.add(row, "TRANG_THAI", state)
    xml.add(row, "SO_THAM_CHIEU", reference or "")
    if verdict is not None:
        row.append(result_wire.write_result(verdict))
    return xml.encoded(root)


def verdict_message(key: str, verdict: told.Verdict, parties: Parties) -> bytes:
    """KET_QUA, as the agency writes it."""
    root, row = _message("KET_QUA", key, parties)
    row.append(result_wire.write_result(verdict))
    return xml.encoded(root)


def refusal_message(key: str, words: str, parties: Parties) -> bytes:
    """TU_CHOI, as the agency writes it: this very message can never be taken in."""
    root, _ = _message("TU_CHOI", key, parties)
    xml.add(root[0], "ERROR_CODE", "01")
    xml.add(root[0], "ERROR_DESC", words)
    return xml.encoded(root)


def _message(
    transaction: Transaction, key: str, parties: Parties, message: str | None = None
) -> tuple[etree._Element, etree._Element]:
    root = etree.Element("DATA")
    header = xml.add(root, "HEADER")
    fields = {
        "VERSION": "1.0",
        "SENDER_CODE": parties.sender_code,
        "SENDER_NAME": parties.sender_name,
        "RECEIVER_CODE": parties.receiver_code,
        "RECEIVER_NAME": parties.receiver_name,
        "TRAN_CODE": transaction,
        "MSG_ID": message or key,
        "MSG_REFID": "",
        "ID_LINK": key,
    }
    for name, value in fields.items():
        xml.add(header, name, value)
    row = xml.add(xml.add(root, "BODY"), "ROW")
    xml.add(row, "TYPE", transaction)
    xml.add(row, "MA_GIAO_DICH", key)
    return root, row


def _key(row: etree._Element) -> str:
    try:
        return msgspec.convert(row.findtext("MA_GIAO_DICH") or "", told.Key)
    except msgspec.ValidationError as error:
        raise NotOfTheForm(f"MA_GIAO_DICH: {error}") from error
