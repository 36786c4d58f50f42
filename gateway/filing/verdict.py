"""The agency's verdict on a filing, as our side keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.filing.status import Status


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a filing was not accepted, on the pattern of the law's notice: group, error, how to mend it, note."""

    code: str
    group: str
    error: str
    remedy: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Payable:
    """An amount that the accepted filing makes due: identifier (mã định danh khoản phải nộp), amount, currency."""

    id: str
    amount: int
    currency: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` is ACCEPTED or REJECTED; `decided_at` is the agency's own time (aware)."""

    status: Status
    reference: str | None
    decided_at: datetime
    reasons: tuple[Reason, ...] = ()
    payables: tuple[Payable, ...] = ()
