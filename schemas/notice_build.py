"""Notices as XML, ready to be signed. Reading and judging them is notice_read.py."""

from __future__ import annotations

import re
from datetime import datetime
from functools import partial
from typing import Any

from lxml import etree

from schemas.notices import Notice, NoticeError, NoticeForm, Payable, notice_form
from schemas.period import VIETNAM, show_day

NOTICE_NAMESPACE = "http://kekhaithue.gdt.gov.vn/TBaoThue"
EXTENSION_NAMESPACE = "urn:efile:thong-bao:1"
NOTICE_ID = "_NODE_TO_SIGN"

TB = f"{{{NOTICE_NAMESPACE}}}"
EX = f"{{{EXTENSION_NAMESPACE}}}"
_NSMAP: Any = {None: NOTICE_NAMESPACE}  # the stubs know no default namespace
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONG, _SHORT = 2000, 500  # characters, as in the schemas
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}")
_STATUS = re.compile(r"[a-z-]{1,32}")


def build_notice(notice: Notice) -> bytes:
    """The unsigned TBaoThueDTu document, UTF-8 with declaration. Raises NoticeError as build_notice_element does."""
    return etree.tostring(build_notice_element(notice), encoding="UTF-8", xml_declaration=True)


def build_notice_element(notice: Notice) -> etree._Element:
    """The TBaoThueDTu root: TBaoThue with id _NODE_TO_SIGN, then an empty CKyDTu for the signature.

    The form follows the day of `recorded_at`. Texts are cut to the schema's lengths. Raises NoticeError where
    no form is in force or a number, digest, status or name that the notice cannot do without is empty or
    malformed.
    """
    form = notice_form(notice.kind, _aware(notice.recorded_at, "recorded_at"))
    root = etree.Element(f"{TB}TBaoThueDTu", nsmap=_NSMAP)
    body = etree.SubElement(root, f"{TB}TBaoThue", id=NOTICE_ID)
    _general(etree.SubElement(body, f"{TB}TTinChung"), notice, form)
    content = etree.SubElement(body, f"{TB}NDungTBao")
    _content(content, notice, form)
    _extension(etree.SubElement(content, f"{EX}TTinBoSung", nsmap={"tb": EXTENSION_NAMESPACE}), notice)
    etree.SubElement(root, f"{TB}CKyDTu")
    return root


def _general(general: etree._Element, notice: Notice, form: NoticeForm) -> None:
    office = etree.SubElement(general, f"{TB}CQT")
    _put(office, "maCQT", notice.authority.code)
    _put(office, "tenCQT", _needed(notice.authority.name, "authority.name"))
    recipient = etree.SubElement(general, f"{TB}NNhanTBaoThue")
    _put(recipient, "maNNhan", notice.recipient.tax_code)
    _put(recipient, "tenNNhan", notice.recipient.name)
    _put(recipient, "diaChiNNhan", notice.recipient.address)
    about = etree.SubElement(general, f"{TB}TTinTBaoThue")
    _put(about, "maTBao", form.code)
    _put(about, "tenTBao", form.name)
    _put(about, "pbanTBao", form.version)
    _put(about, "soTBao", _needed(notice.number, "number"))
    _put(about, "ngayTBao", show_day(_vietnam(notice.issued_at, "issued_at").date()))
    _put(etree.SubElement(general, f"{TB}DaiLyThue"), "tenDLT", notice.agent_name or "")


def _content(content: etree._Element, notice: Notice, form: NoticeForm) -> None:
    verdict = form.layout == "verdict"
    _put(content, "trangThai", form.state)
    _put(content, "ngayNopThucTe" if verdict else "ngayHoSo", printed(notice.recorded_at, "recorded_at"))
    if verdict and notice.completed_at is not None:
        _put(content, "ngayHoanThanh", printed(notice.completed_at, "completed_at"))
    elif notice.completed_at is not None:
        raise NoticeError(f"completed_at has no place in a notice of kind {notice.kind}")
    _put(content, "maGiaoDichDTu", _needed(notice.filing_number, "filing_number"))
    dossier = etree.SubElement(etree.SubElement(content, f"{TB}HoSoThue"), f"{TB}CTietHoSoThue")
    _put(dossier, "tokhai-phuluc", notice.form_label)
    _put(dossier, "loaiToKhai", notice.form_kind)
    _put(dossier, "kyTinhThue", notice.period_label)
    _put(dossier, "lanNop", str(notice.submission_no))
    _put(dossier, "loaiThue", notice.tax_name)
    reasons = etree.SubElement(content, f"{TB}LyDo")
    for reason in notice.reasons:
        line = etree.SubElement(reasons, f"{TB}CTietLyDo")
        _put(line, "tenNhomLoi", reason.group)
        _put(line, "tenLoi", reason.error)
        _put(line, "huongDanXuLy", reason.remedy)
        _put(line, "ghiChu", reason.note)
    if verdict:
        _payables(etree.SubElement(content, f"{TB}IDKhoanNop"), notice.payables)
    elif notice.payables:
        raise NoticeError(f"payables have no place in a notice of kind {notice.kind}")


def _payables(payables: etree._Element, rows: tuple[Payable, ...]) -> None:
    for row in rows:
        line = etree.SubElement(payables, f"{TB}CTietIDKhoanNop")
        _put(line, "maDinhDanh", _needed(row.id, "payables.id"))
        _put(line, "soTienPNop", str(row.amount))
        _put(line, "tenLoaiTien", row.currency)


def _extension(extension: etree._Element, notice: Notice) -> None:
    if not _DIGEST.fullmatch(notice.digest_hex):
        raise NoticeError("digest_hex is not a digest in lower-case hexadecimal")
    if not _STATUS.fullmatch(notice.status):
        raise NoticeError(f"status is no status word: {notice.status!r}")
    put = partial(_put, extension, namespace=EX, limit=_SHORT)
    put("loaiThongBao", notice.kind)
    put("soHoSo", notice.filing_number)
    if notice.dossier_code is not None:
        put("maHoSo", notice.dossier_code)
    put("trangThaiHoSo", notice.status)
    put("thoiDiemGhiNhan", _vietnam(notice.recorded_at, "recorded_at").isoformat())
    put("thoiDiemThongBao", _vietnam(notice.issued_at, "issued_at").isoformat())
    put("giaTriBam", notice.digest_hex).set("thuatToan", notice.digest_algorithm)
    put("nhaCungCap", notice.provider)
    if notice.agency_reference is not None:
        put("maThamChieuCQT", notice.agency_reference)
    if notice.answers is not None:
        put("soTBaoDoiChieu", notice.answers)
    for reason in notice.reasons:
        put("maLoi", reason.code)


def _put(
    parent: etree._Element, name: str, text: str, *, namespace: str = TB, limit: int = _LONG
) -> etree._Element:
    element = etree.SubElement(parent, f"{namespace}{name}")
    element.text = _FORBIDDEN.sub("�", text)[:limit] or None
    return element


def _needed(text: str, name: str) -> str:
    if not text.strip() or len(text) > _SHORT:
        raise NoticeError(f"{name} must hold 1 to {_SHORT} characters")
    return text


def _aware(at: datetime, name: str) -> datetime:
    if at.tzinfo is None:
        raise NoticeError(f"{name} must be an aware datetime")
    return at


def _vietnam(at: datetime, name: str) -> datetime:
    return _aware(at, name).astimezone(VIETNAM).replace(microsecond=0)


def printed(at: datetime, name: str) -> str:
    there = _vietnam(at, name)
    return f"{show_day(there.date())} {there:%H:%M:%S}"
