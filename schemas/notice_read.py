"""Reading notices back, and judging them by the schemas in notice_forms/."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from functools import partial
from typing import Any, get_args

from lxml import etree

from schemas.declaration import Party
from schemas.families import PERMIT
from schemas.faults import Fault, Place, make_fault
from schemas.forms import ThreadSchema, log_of
from schemas.notice_build import EX, printed
from schemas.notices import (
    DOSSIER_NOTICE,
    ENVELOPES,
    NOTICE_FORMS,
    TAX_NOTICE,
    Envelope,
    Layout,
    Notice,
    NoticeError,
    NoticeForm,
    NoticeKind,
    Office,
    Payable,
    Reason,
    envelope_of_body,
    envelope_of_root,
    notice_form,
    notice_forms,
)
from schemas.period import VIETNAM, show_day
from schemas.reading import UnreadableError, local_name, parse

_MAX_FAULTS = 50


def _compile(layout: Layout) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(str(NOTICE_FORMS / f"{layout}.xsd")))


_SCHEMAS: dict[Layout, ThreadSchema] = {
    layout: ThreadSchema(partial(_compile, layout)) for layout in ENVELOPES
}
_FORM_CODE: dict[Envelope, str] = {
    TAX_NOTICE: "TTinChung/TTinTBaoThue/maTBao",
    DOSSIER_NOTICE: "ThongTinChung/MauThongBao/maMau",
}


def notice_schema(form: NoticeForm) -> etree.XMLSchema:
    """The schema of a notice, this thread's own object."""
    return _SCHEMAS[form.layout].get()


def form_of_notice(body: etree._Element, envelope: Envelope) -> NoticeForm | None:
    """The form that a notice's body names, if it is one of ours."""
    code = body.findtext("/".join(envelope.tag(step) for step in _FORM_CODE[envelope].split("/")))
    return next((form for form in notice_forms() if (form.code, form.envelope) == (code, envelope)), None)


def validate_notice(octets: bytes) -> tuple[Fault, ...]:
    """Judge a notice, signed or not, by its schema.

    No fault means valid. Signatures are not looked at.
    """
    try:
        return _validate(parse(octets))
    except UnreadableError as error:
        return (error.fault,)


def _validate(root: etree._Element) -> tuple[Fault, ...]:
    envelope = envelope_of_root(str(root.tag))
    body = root.find(envelope.body_tag) if envelope is not None else None
    form = form_of_notice(body, envelope) if envelope is not None and body is not None else None
    if envelope is None or form is None:
        path = local_name(root)
        return (
            make_fault(
                "notice.invalid", Place(path=path), reason=f"root {path}: no notice of a form of ours"
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
        reason = str(entry.message).replace(envelope.tag(""), "").replace(EX, "tb:")
        faults.append(make_fault("notice.invalid", place, reason=reason))
    return tuple(faults)


def read_notice(octets: bytes) -> Notice:
    """The notice in a document (TBaoThueDTu, ThongBaoHoSo) or in its lone body (as the signature covers it).

    Valid by its schema, and of one story: form, state, number and times must agree with the extension's.
    Raises NoticeError. Read what the signature covers: a whole document is read as it lies, whoever signed
    it.
    """
    try:
        root = parse(octets)
    except UnreadableError as error:
        raise NoticeError(error.fault.message_en) from error
    document = root
    if (alone := envelope_of_body(str(root.tag))) is not None:
        document = etree.Element(alone.root_tag)
        document.append(deepcopy(root))
        etree.SubElement(document, alone.tag("CKyDTu"))
    faults = _validate(document)
    if faults:
        raise NoticeError("; ".join(fault.message_en for fault in faults))
    envelope = envelope_of_root(str(document.tag))
    assert envelope is not None  # it is valid
    said = _Said(document[0], envelope)
    notice = said.notice()
    said.require_one_story(notice)
    return notice


class _Said:
    """What the valid body of a notice says."""

    def __init__(self, body: etree._Element, envelope: Envelope) -> None:
        self._envelope = envelope
        general, content = (
            body.find(envelope.tag(envelope.general)),
            body.find(envelope.tag(envelope.content)),
        )
        assert general is not None  # the schema requires both, and the extension
        assert content is not None
        extension = content.find(f"{EX}TTinBoSung")
        assert extension is not None
        self._general, self._content, self._extension = general, content, extension

    def notice(self) -> Notice:
        own = self._extension.findtext
        completed, digest = self._text(self._content, "ngayHoanThanh"), self._extension.find(f"{EX}giaTriBam")
        replaced = own(f"{EX}thayTheThongBaoLuc")
        assert digest is not None
        return Notice(
            kind=_kind(own(f"{EX}loaiThongBao") or ""),
            filing_number=own(f"{EX}soHoSo") or "",
            status=own(f"{EX}trangThaiHoSo") or "",
            recorded_at=_instant(own(f"{EX}thoiDiemGhiNhan") or ""),
            issued_at=_instant(own(f"{EX}thoiDiemThongBao") or ""),
            provider=own(f"{EX}nhaCungCap") or "",
            digest_hex=digest.text or "",
            digest_algorithm=str(digest.get("thuatToan")),
            completed_at=_clock(completed) if completed else None,
            reasons=self._reasons(),
            payables=self._payables(),
            agency_reference=own(f"{EX}maThamChieuCQT"),
            answers=own(f"{EX}soTBaoDoiChieu"),
            replaces=_instant(replaced) if replaced else None,
            **(self._dossier() if self._envelope is DOSSIER_NOTICE else self._filing()),
        )

    def _filing(self) -> dict[str, Any]:
        general, filed = partial(self._text, self._general), "HoSoThue/CTietHoSoThue"
        content = partial(self._text, self._content)
        return {
            "number": general("TTinTBaoThue/soTBao"),
            "authority": Office(general("CQT/maCQT"), general("CQT/tenCQT")),
            "recipient": Party(
                *(general(f"NNhanTBaoThue/{name}") for name in ("maNNhan", "tenNNhan", "diaChiNNhan"))
            ),
            "agent_name": general("DaiLyThue/tenDLT") or None,
            "form_label": content(f"{filed}/tokhai-phuluc"),
            "form_kind": content(f"{filed}/loaiToKhai"),
            "period_label": content(f"{filed}/kyTinhThue"),
            "submission_no": int(content(f"{filed}/lanNop")),
            "tax_name": content(f"{filed}/loaiThue"),
        }

    def _dossier(self) -> dict[str, Any]:
        general, content = partial(self._text, self._general), partial(self._text, self._content)
        return {
            "family": PERMIT.name,
            "number": general("MauThongBao/soThongBao"),
            "authority": Office(general("CoQuanThongBao/maCoQuan"), general("CoQuanThongBao/tenCoQuan")),
            "recipient": Party(*(general(f"NguoiNop/{name}") for name in ("soDinhDanh", "hoTen", "diaChi"))),
            "agent_name": general("NguoiDuocUyQuyen/hoTen") or None,
            "form_label": content("ThuTuc/mauDon"),
            "form_kind": content("ThuTuc/mucDich"),
            "period_label": "",
            "submission_no": 1,
            "tax_name": "",
            "dossier_code": content("maHoSo") or None,
            "procedure": content("ThuTuc/tenThuTuc"),
            "reception": content("ThuTuc/coQuanTiepNhan"),
            "papers": tuple(paper.text or "" for paper in self._all("ThanhPhanHoSo/giayTo")),
        }

    def _reasons(self) -> tuple[Reason, ...]:
        lines = self._all("LyDo/CTietLyDo")
        codes = [element.text or "" for element in self._extension.findall(f"{EX}maLoi")]
        if len(codes) != len(lines):
            raise NoticeError(f"{len(lines)} reasons, but {len(codes)} codes for them")
        return tuple(
            Reason(
                group=self._text(line, "tenNhomLoi"),
                error=self._text(line, "tenLoi"),
                remedy=self._text(line, "huongDanXuLy"),
                note=self._text(line, "ghiChu"),
                code=code,
            )
            for line, code in zip(lines, codes, strict=True)
        )

    def _payables(self) -> tuple[Payable, ...]:
        return tuple(
            Payable(
                self._text(line, "maDinhDanh"),
                int(self._text(line, "soTienPNop")),
                self._text(line, "tenLoaiTien"),
            )
            for line in self._all("IDKhoanNop/CTietIDKhoanNop")
        )

    def require_one_story(self, notice: Notice) -> None:
        """The fields of the form and the extension must tell one story; a notice that tells two is refused."""
        form = notice_form(notice.kind, notice.recorded_at, notice.family)
        day, recorded = show_day(notice.issued_at.date()), printed(notice.recorded_at, "recorded_at")
        if self._envelope is DOSSIER_NOTICE:
            general = {"MauThongBao/maMau": form.code, "MauThongBao/ngayThongBao": day}
            content = {"trangThai": form.state, "ngayTiepNhan": recorded}
        else:
            general = {"TTinTBaoThue/maTBao": form.code, "TTinTBaoThue/ngayTBao": day}
            filed = "ngayNopThucTe" if form.layout == "verdict" else "ngayHoSo"
            content = {"trangThai": form.state, "maGiaoDichDTu": notice.filing_number, filed: recorded}
        for part, told in ((self._general, general), (self._content, content)):
            for path, expected in told.items():
                if (found := self._text(part, path)) != expected:
                    raise NoticeError(f"{path} is {found!r}, but the notice's extension says {expected!r}")

    def _text(self, part: etree._Element, path: str) -> str:
        return part.findtext(self._path(path)) or ""

    def _all(self, path: str) -> list[etree._Element]:
        return self._content.findall(self._path(path))

    def _path(self, path: str) -> str:
        return "/".join(self._envelope.tag(step) for step in path.split("/"))


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
