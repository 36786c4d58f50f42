"""Reading notices back, and judging them by the schemas in notice_forms/."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import Literal, get_args

from lxml import etree

from schemas.declaration import Party
from schemas.faults import Fault, Place, make_fault
from schemas.forms import ThreadSchema, log_of
from schemas.notice_build import EX, TB, printed
from schemas.notices import (
    NOTICE_FORMS,
    Notice,
    NoticeError,
    NoticeForm,
    NoticeKind,
    Office,
    Payable,
    Reason,
    notice_form,
    notice_forms,
)
from schemas.period import VIETNAM, show_day
from schemas.reading import UnreadableError, local_name, parse

_MAX_FAULTS = 50

_Layout = Literal["receipt", "verdict"]


def _compile(layout: _Layout) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(NOTICE_FORMS / f"{layout}.xsd")))


_SCHEMAS: dict[_Layout, ThreadSchema] = {
    "receipt": ThreadSchema(partial(_compile, "receipt")),
    "verdict": ThreadSchema(partial(_compile, "verdict")),
}


def notice_schema(form: NoticeForm) -> etree.XMLSchema:
    """The schema of a notice, this thread's own object."""
    return _SCHEMAS[form.layout].get()


def validate_notice(octets: bytes) -> tuple[Fault, ...]:
    """Judge a TBaoThueDTu document, signed or not, by its schema.

    No fault means valid. Signatures are not looked at.
    """
    try:
        return _validate(parse(octets))
    except UnreadableError as error:
        return (error.fault,)


def _validate(root: etree._Element) -> tuple[Fault, ...]:
    code = root.findtext(f"{TB}TBaoThue/{TB}TTinChung/{TB}TTinTBaoThue/{TB}maTBao")
    form = next((form for form in notice_forms() if form.code == code), None)
    if root.tag != f"{TB}TBaoThueDTu" or form is None:
        path = local_name(root)
        return (
            make_fault(
                "notice.invalid", Place(path=path), reason=f"root {path}, maTBao {code}: not a notice of ours"
            ),
        )
    schema = notice_schema(form)
    if schema.validate(root):
        return ()
    faults = []
    for entry in log_of(schema)[:_MAX_FAULTS]:
        found = root.getroottree().xpath(entry.path) if entry.path and ":" not in entry.path else ()
        element = (
            found[0] if isinstance(found, list) and found and isinstance(found[0], etree._Element) else root
        )
        place = Place(line=entry.line, path=local_name(element))
        reason = str(entry.message).replace(TB, "").replace(EX, "tb:")
        faults.append(make_fault("notice.invalid", place, reason=reason))
    return tuple(faults)


def read_notice(octets: bytes) -> Notice:
    """The notice in a TBaoThueDTu document or in a lone TBaoThue element (as the signature covers it).

    Valid by its schema, and of one story: form, state, number and times must agree with the extension's.
    Raises NoticeError. Read what the signature covers: a whole document is read as it lies, whoever signed
    it.
    """
    try:
        root = parse(octets)
    except UnreadableError as error:
        raise NoticeError(error.fault.message_en) from error
    document = root
    if root.tag == f"{TB}TBaoThue":
        document = etree.Element(f"{TB}TBaoThueDTu")
        document.append(deepcopy(root))
        etree.SubElement(document, f"{TB}CKyDTu")
    faults = _validate(document)
    if faults:
        raise NoticeError("; ".join(fault.message_en for fault in faults))
    body = document[0]
    notice = _read_body(body)
    _agree(notice, body)
    return notice


def _read_body(body: etree._Element) -> Notice:
    general, content = partial(_text, body, "TTinChung"), partial(_text, body, "NDungTBao")
    dossier = partial(_text, body, "NDungTBao/HoSoThue/CTietHoSoThue")
    extension = partial(_extension_text, body)
    digest = body.find(f"{TB}NDungTBao/{EX}TTinBoSung/{EX}giaTriBam")
    assert digest is not None  # the schema requires it
    completed = content("ngayHoanThanh")
    return Notice(
        kind=_kind(extension("loaiThongBao")),
        number=general("TTinTBaoThue/soTBao"),
        filing_number=extension("soHoSo"),
        status=extension("trangThaiHoSo"),
        recorded_at=_instant(extension("thoiDiemGhiNhan")),
        issued_at=_instant(extension("thoiDiemThongBao")),
        authority=Office(general("CQT/maCQT"), general("CQT/tenCQT")),
        recipient=Party(
            *(general(f"NNhanTBaoThue/{name}") for name in ("maNNhan", "tenNNhan", "diaChiNNhan"))
        ),
        provider=extension("nhaCungCap"),
        form_label=dossier("tokhai-phuluc"),
        form_kind=dossier("loaiToKhai"),
        period_label=dossier("kyTinhThue"),
        submission_no=int(dossier("lanNop")),
        tax_name=dossier("loaiThue"),
        digest_hex=digest.text or "",
        digest_algorithm=str(digest.get("thuatToan")),
        agent_name=general("DaiLyThue/tenDLT") or None,
        completed_at=_clock(completed) if completed else None,
        reasons=_reasons(body),
        payables=_payables(body),
        agency_reference=_optional(body, "maThamChieuCQT"),
        dossier_code=_optional(body, "maHoSo"),
        answers=_optional(body, "soTBaoDoiChieu"),
    )


def _reasons(body: etree._Element) -> tuple[Reason, ...]:
    lines = body.findall(f"{TB}NDungTBao/{TB}LyDo/{TB}CTietLyDo")
    codes = [element.text or "" for element in body.findall(f"{TB}NDungTBao/{EX}TTinBoSung/{EX}maLoi")]
    if len(codes) != len(lines):
        raise NoticeError(f"{len(lines)} reasons, but {len(codes)} codes for them")
    return tuple(
        Reason(
            group=_text(line, "", "tenNhomLoi"),
            error=_text(line, "", "tenLoi"),
            remedy=_text(line, "", "huongDanXuLy"),
            note=_text(line, "", "ghiChu"),
            code=code,
        )
        for line, code in zip(lines, codes, strict=True)
    )


def _payables(body: etree._Element) -> tuple[Payable, ...]:
    lines = body.findall(f"{TB}NDungTBao/{TB}IDKhoanNop/{TB}CTietIDKhoanNop")
    return tuple(
        Payable(
            _text(line, "", "maDinhDanh"), int(_text(line, "", "soTienPNop")), _text(line, "", "tenLoaiTien")
        )
        for line in lines
    )


def _agree(notice: Notice, body: etree._Element) -> None:
    """The published fields and the extension must tell one story; a notice that tells two is refused."""
    form = notice_form(notice.kind, notice.recorded_at)
    filed = "ngayNopThucTe" if form.layout == "verdict" else "ngayHoSo"
    told = {
        "TTinChung/TTinTBaoThue/maTBao": form.code,
        "TTinChung/TTinTBaoThue/ngayTBao": show_day(notice.issued_at.date()),
        "NDungTBao/trangThai": form.state,
        "NDungTBao/maGiaoDichDTu": notice.filing_number,
        f"NDungTBao/{filed}": printed(notice.recorded_at, "recorded_at"),
    }
    for path, expected in told.items():
        if (found := _text(body, "", path)) != expected:
            raise NoticeError(f"{path} is {found!r}, but the notice's extension says {expected!r}")


def _text(element: etree._Element, base: str, path: str) -> str:
    steps = f"{base}/{path}" if base else path
    return element.findtext("/".join(f"{TB}{step}" for step in steps.split("/"))) or ""


def _extension_text(body: etree._Element, name: str) -> str:
    return body.findtext(f"{TB}NDungTBao/{EX}TTinBoSung/{EX}{name}") or ""


def _optional(body: etree._Element, name: str) -> str | None:
    return body.findtext(f"{TB}NDungTBao/{EX}TTinBoSung/{EX}{name}")


def _kind(text: str) -> NoticeKind:
    kind: NoticeKind
    for kind in get_args(NoticeKind):
        if kind == text:
            return kind
    raise NoticeError(f"no kind of notice is called {text!r}")


def _instant(text: str) -> datetime:
    return _parsed(lambda: datetime.fromisoformat(text), text)


def _clock(text: str) -> datetime:
    return _parsed(lambda: datetime.strptime(text, "%d/%m/%Y %H:%M:%S").replace(tzinfo=VIETNAM), text)


def _parsed(read: Callable[[], datetime], text: str) -> datetime:
    try:
        return read().astimezone(VIETNAM)
    except (ValueError, OverflowError) as error:
        raise NoticeError(f"no such time: {text!r}") from error
