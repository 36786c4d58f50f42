"""Notices back to the filer (TBaoThueDTu): what they say, and which form says it on which day.

Building the XML is notice_build.py, reading it notice_read.py; the dated table is notice_forms/notices.toml.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from schemas.declaration import Party
from schemas.faults import Fault
from schemas.period import vietnam_day

NoticeKind = Literal["receipt", "refusal", "verdict-accepted", "verdict-rejected"]
NOTICE_FORMS = Path(__file__).parent / "notice_forms"


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
    only; `answers` is the number of the receipt notice that a verdict follows. Texts may hold anything: what
    XML cannot hold is replaced by U+FFFD.
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
    dossier_code: str | None = None
    answers: str | None = None


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
    layout: Literal["receipt", "verdict"]
    received_from: date
    law: str
    received_until: date | None = None


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    notice: tuple[NoticeForm, ...]


@cache
def notice_forms() -> tuple[NoticeForm, ...]:
    return msgspec.convert(tomllib.loads((NOTICE_FORMS / "notices.toml").read_text("utf-8")), _Table).notice


def notice_form(kind: NoticeKind, received_at: datetime) -> NoticeForm:
    """The form in force for a filing received at the aware time `received_at`. Raises NoticeError where none is."""
    day = vietnam_day(received_at)
    for form in notice_forms():
        if form.kind == kind and form.received_from <= day <= (form.received_until or date.max):
            return form
    raise NoticeError(f"no notice of kind {kind} is in force for filings received on {day.isoformat()}")
