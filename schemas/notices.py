"""Notices back to the filer: what they say, and which form says it, by family of documents and day.

Building the XML is notice_build.py, reading it notice_read.py; the dated table is notice_forms/notices.toml.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import Party
from schemas.families import PERMIT, TAX
from schemas.faults import Fault
from schemas.period import vietnam_day

NoticeKind = Literal["receipt", "refusal", "verdict-accepted", "verdict-rejected"]
Layout = Literal["receipt", "verdict", "dossier"]
NOTICE_FORMS = Path(__file__).parent / "notice_forms"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A notice's file is `root`, holding the signed `body` (its `general` part, its `content`), then CKyDTu."""

    namespace: str
    root: str
    body: str
    general: str
    content: str

    def tag(self, name: str) -> str:
        """The qualified name of a local one."""
        return f"{{{self.namespace}}}{name}"

    @property
    def root_tag(self) -> str:
        return self.tag(self.root)

    @property
    def body_tag(self) -> str:
        return self.tag(self.body)


TAX_NOTICE = Envelope(
    "http://kekhaithue.gdt.gov.vn/TBaoThue", "TBaoThueDTu", "TBaoThue", "TTinChung", "NDungTBao"
)
DOSSIER_NOTICE = Envelope(PERMIT.namespace, "ThongBaoHoSo", "ThongBao", "ThongTinChung", "NoiDung")
ENVELOPES: Mapping[Layout, Envelope] = {
    "receipt": TAX_NOTICE, "verdict": TAX_NOTICE, "dossier": DOSSIER_NOTICE,
}  # fmt: skip
_BY_ROOT = {envelope.root_tag: envelope for envelope in ENVELOPES.values()}
_BY_BODY = {envelope.body_tag: envelope for envelope in ENVELOPES.values()}


def envelope_of_root(tag: str) -> Envelope | None:
    """The envelope whose files have this root element (qualified name)."""
    return _BY_ROOT.get(tag)


def envelope_of_body(tag: str) -> Envelope | None:
    """The envelope whose signed element this is (qualified name)."""
    return _BY_BODY.get(tag)


class NoticeError(Exception):
    """A notice that cannot be built or read; the message says why."""


@dataclass(frozen=True, slots=True)
class Office:
    """Who issues the notice: a tax office, or the gateway's operator."""

    code: str
    name: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One line of LyDo.

    Why a filing was not taken in, and how to mend it. `code` is the fault's stable code, "" for none.
    """

    group: str
    error: str
    remedy: str = ""
    note: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Payable:
    """An amount to pay and the identifier under which to pay it (mã định danh khoản phải nộp).

    Whole units of `currency`.
    """

    id: str
    amount: int
    currency: str = "VND"


@dataclass(frozen=True, slots=True)
class Notice:
    """All that a notice says.

    Times are aware, microseconds are dropped; `digest_hex` is of the octets as filed, lower case.

    `recorded_at` is the filing time and decides which form the notice takes; `completed_at` is for verdicts
    only; `answers` is the number of the receipt notice that a verdict follows; `replaces`, when the notice of the
    same number was issued whose key has been revoked since. Texts may hold anything: what
    XML cannot hold is replaced by U+FFFD.

    Of a dossier `form_kind` is the purpose, and it has what stands from `dossier_code` on: the code, the procedure,
    who takes it in, the papers that came with it. A declaration alone has period, submission number and tax.
    """

    kind: NoticeKind
    number: str
    filing_number: str
    status: str
    recorded_at: datetime
    issued_at: datetime
    authority: Office
    recipient: Party
    provider: str
    form_label: str
    form_kind: str
    period_label: str
    submission_no: int
    tax_name: str
    digest_hex: str
    digest_algorithm: str = "SHA-256"
    agent_name: str | None = None
    completed_at: datetime | None = None
    reasons: tuple[Reason, ...] = ()
    payables: tuple[Payable, ...] = ()
    agency_reference: str | None = None
    answers: str | None = None
    replaces: datetime | None = None
    family: str = TAX.name
    dossier_code: str | None = None
    procedure: str = ""
    reception: str = ""
    papers: tuple[str, ...] = ()


_GROUPS = {
    "xml": "Lỗi định dạng XML",
    "xsd": "Lỗi cấu trúc dữ liệu",
    "form": "Lỗi mã, phiên bản hoặc kỳ của hồ sơ",
    "header": "Lỗi thông tin chung của tờ khai",
}


def reason_of_fault(fault: Fault) -> Reason:
    """A fault as a notice tells it, in Vietnamese: group, what is wrong, how to mend it, where, and its code."""
    group = _GROUPS.get(fault.code.partition(".")[0], "Lỗi số liệu trên tờ khai")
    where = f"dòng {fault.line}, {fault.path}" if fault.line is not None and fault.path else fault.path
    return Reason(group, fault.message_vi, fault.remedy_vi, where, fault.code)


class NoticeForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of notices.toml.

    In force for filings received from the first to the last Vietnam day, no last day = until further notice.
    """

    kind: NoticeKind
    code: str
    version: str
    label: str
    name: str
    state: Literal["Y", "N"]
    layout: Layout
    received_from: date
    law: str
    received_until: date | None = None
    family: str = TAX.name

    @property
    def envelope(self) -> Envelope:
        return ENVELOPES[self.layout]


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    notice: tuple[NoticeForm, ...]


@cache
def notice_forms() -> tuple[NoticeForm, ...]:
    return msgspec.convert(tomllib.loads((NOTICE_FORMS / "notices.toml").read_text("utf-8")), _Table).notice


def notice_form(kind: NoticeKind, received_at: datetime, family: str = TAX.name) -> NoticeForm:
    """The form in force for a filing received at the aware time `received_at`. Raises NoticeError where none is."""
    day = vietnam_day(received_at)
    for form in notice_forms():
        if (form.kind, form.family) != (kind, family):
            continue
        if form.received_from <= day <= (form.received_until or date.max):
            return form
    raise NoticeError(
        f"no notice of kind {kind} is in force for filings ({family}) received on {day.isoformat()}"
    )
