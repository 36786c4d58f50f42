"""Notices as XML, ready to be signed. Reading and judging them is notice_read.py."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from lxml import etree

from schemas.notices import Notice, NoticeError, NoticeForm, Payable, Reason, notice_form
from schemas.period import VIETNAM, show_day

EXTENSION_NAMESPACE = "urn:efile:thong-bao:1"
NOTICE_ID = "_NODE_TO_SIGN"

EX = f"{{{EXTENSION_NAMESPACE}}}"
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LONG, _SHORT = 2000, 500  # characters, as in the schemas
_DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{96}|[0-9a-f]{128}")
_STATUS = re.compile(r"[a-z-]{1,32}")


def build_notice(notice: Notice) -> bytes:
    """The unsigned document, UTF-8 with declaration. Raises NoticeError as build_notice_element does."""
    return etree.tostring(build_notice_element(notice), encoding="UTF-8", xml_declaration=True)


def build_notice_element(notice: Notice) -> etree._Element:
    """TBaoThueDTu or, of a dossier, ThongBaoHoSo: the body with id _NODE_TO_SIGN, then an empty CKyDTu.

    The form follows the family and the day of `recorded_at`. Texts are cut to the schema's lengths. Raises
    NoticeError where no form is in force, a number, digest, status or name that the notice cannot do without is
    empty or malformed, or something has no place in it.
    """
    form = notice_form(notice.kind, _aware(notice.recorded_at, "recorded_at"), notice.family)
    _require_place(notice, form)
    envelope = form.envelope
    nsmap: Any = {None: envelope.namespace}  # the stubs know no default namespace
    root = etree.Element(envelope.root_tag, nsmap=nsmap)
    body = etree.SubElement(root, envelope.body_tag, id=NOTICE_ID)
    general, content = _group(body, envelope.general), _group(body, envelope.content)
    if form.layout == "dossier":
        _dossier_general(general, notice, form)
        _dossier_content(content, notice, form)
    else:
        _tax_general(general, notice, form)
        _tax_content(content, notice, form)
    _extension(etree.SubElement(content, f"{EX}TTinBoSung", nsmap={"tb": EXTENSION_NAMESPACE}), notice)
    _group(root, "CKyDTu")
    return root


def _require_place(notice: Notice, form: NoticeForm) -> None:
    strays: dict[str, object] = {}
    if not form.kind.startswith("verdict"):
        strays |= {"completed_at": notice.completed_at, "payables": notice.payables}
    if form.layout == "dossier":
        strays |= {"period_label": notice.period_label, "tax_name": notice.tax_name}
    else:
        strays |= {
            name: getattr(notice, name) for name in ("dossier_code", "procedure", "reception", "papers")
        }
    for name, value in strays.items():
        if value:
            raise NoticeError(f"{name} has no place in a notice of kind {notice.kind} ({notice.family})")


def _tax_general(general: etree._Element, notice: Notice, form: NoticeForm) -> None:
    office = _group(general, "CQT")
    _put(office, "maCQT", notice.authority.code)
    _put(office, "tenCQT", _needed(notice.authority.name, "authority.name"))
    recipient = _group(general, "NNhanTBaoThue")
    _put(recipient, "maNNhan", notice.recipient.tax_code)
    _put(recipient, "tenNNhan", notice.recipient.name)
    _put(recipient, "diaChiNNhan", notice.recipient.address)
    about = _group(general, "TTinTBaoThue")
    _put(about, "maTBao", form.code)
    _put(about, "tenTBao", form.name)
    _put(about, "pbanTBao", form.version)
    _put(about, "soTBao", _needed(notice.number, "number"))
    _put(about, "ngayTBao", _day(notice))
    _put(_group(general, "DaiLyThue"), "tenDLT", notice.agent_name or "")


def _tax_content(content: etree._Element, notice: Notice, form: NoticeForm) -> None:
    verdict = form.layout == "verdict"
    _put(content, "trangThai", form.state)
    _put(content, "ngayNopThucTe" if verdict else "ngayHoSo", printed(notice.recorded_at, "recorded_at"))
    _completed(content, notice)
    _put(content, "maGiaoDichDTu", _needed(notice.filing_number, "filing_number"))
    dossier = _group(_group(content, "HoSoThue"), "CTietHoSoThue")
    _put(dossier, "tokhai-phuluc", notice.form_label)
    _put(dossier, "loaiToKhai", notice.form_kind)
    _put(dossier, "kyTinhThue", notice.period_label)
    _put(dossier, "lanNop", str(notice.submission_no))
    _put(dossier, "loaiThue", notice.tax_name)
    _reasons(content, notice.reasons)
    if verdict:
        _payables(content, notice.payables)


def _dossier_general(general: etree._Element, notice: Notice, form: NoticeForm) -> None:
    office = _group(general, "CoQuanThongBao")
    _put(office, "maCoQuan", notice.authority.code)
    _put(office, "tenCoQuan", _needed(notice.authority.name, "authority.name"))
    applicant = _group(general, "NguoiNop")
    _put(applicant, "soDinhDanh", notice.recipient.tax_code)
    _put(applicant, "hoTen", notice.recipient.name)
    _put(applicant, "diaChi", notice.recipient.address)
    if notice.agent_name is not None:
        _put(_group(general, "NguoiDuocUyQuyen"), "hoTen", notice.agent_name)
    about = _group(general, "MauThongBao")
    _put(about, "maMau", form.code)
    _put(about, "tenMau", form.name)
    _put(about, "phienBan", form.version)
    _put(about, "soThongBao", _needed(notice.number, "number"))
    _put(about, "ngayThongBao", _day(notice))


def _dossier_content(content: etree._Element, notice: Notice, form: NoticeForm) -> None:
    _put(content, "trangThai", form.state)
    if notice.dossier_code is not None:
        _put(content, "maHoSo", _needed(notice.dossier_code, "dossier_code"))
    _put(content, "ngayTiepNhan", printed(notice.recorded_at, "recorded_at"))
    _completed(content, notice)
    procedure = _group(content, "ThuTuc")
    _put(procedure, "tenThuTuc", notice.procedure)
    _put(procedure, "mauDon", notice.form_label)
    _put(procedure, "mucDich", notice.form_kind)
    _put(procedure, "coQuanTiepNhan", notice.reception)
    papers = _group(content, "ThanhPhanHoSo")
    for paper in notice.papers:
        _put(papers, "giayTo", paper)
    _reasons(content, notice.reasons)
    _payables(content, notice.payables)


def _completed(content: etree._Element, notice: Notice) -> None:
    if notice.completed_at is not None:
        _put(content, "ngayHoanThanh", printed(notice.completed_at, "completed_at"))


def _reasons(content: etree._Element, rows: tuple[Reason, ...]) -> None:
    reasons = _group(content, "LyDo")
    for reason in rows:
        line = _group(reasons, "CTietLyDo")
        _put(line, "tenNhomLoi", reason.group)
        _put(line, "tenLoi", reason.error)
        _put(line, "huongDanXuLy", reason.remedy)
        _put(line, "ghiChu", reason.note)


def _payables(content: etree._Element, rows: tuple[Payable, ...]) -> None:
    payables = _group(content, "IDKhoanNop")
    for row in rows:
        line = _group(payables, "CTietIDKhoanNop")
        _put(line, "maDinhDanh", _needed(row.id, "payables.id"))
        _put(line, "soTienPNop", str(row.amount))
        _put(line, "tenLoaiTien", row.currency)


def _extension(extension: etree._Element, notice: Notice) -> None:
    if not _DIGEST.fullmatch(notice.digest_hex):
        raise NoticeError("digest_hex is not a digest in lower-case hexadecimal")
    if not _STATUS.fullmatch(notice.status):
        raise NoticeError(f"status is no status word: {notice.status!r}")

    def put(name: str, text: str) -> etree._Element:
        return _put(extension, name, text, limit=_SHORT)

    put("loaiThongBao", notice.kind)
    put("soHoSo", _needed(notice.filing_number, "filing_number"))
    put("trangThaiHoSo", notice.status)
    put("thoiDiemGhiNhan", _vietnam(notice.recorded_at, "recorded_at").isoformat())
    put("thoiDiemThongBao", _vietnam(notice.issued_at, "issued_at").isoformat())
    put("giaTriBam", notice.digest_hex).set("thuatToan", notice.digest_algorithm)
    put("nhaCungCap", notice.provider)
    if notice.agency_reference is not None:
        put("maThamChieuCQT", notice.agency_reference)
    if notice.answers is not None:
        put("soTBaoDoiChieu", notice.answers)
    if notice.replaces is not None:
        put("thayTheThongBaoLuc", _vietnam(notice.replaces, "replaces").isoformat())
    for reason in notice.reasons:
        put("maLoi", reason.code)


def _group(parent: etree._Element, name: str) -> etree._Element:
    """A child in its parent's namespace."""
    return etree.SubElement(parent, parent.tag[: parent.tag.rindex("}") + 1] + name)


def _put(parent: etree._Element, name: str, text: str, *, limit: int = _LONG) -> etree._Element:
    element = _group(parent, name)
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


def _day(notice: Notice) -> str:
    return show_day(_vietnam(notice.issued_at, "issued_at").date())


def printed(at: datetime, name: str) -> str:
    there = _vietnam(at, name)
    return f"{show_day(there.date())} {there:%H:%M:%S}"
