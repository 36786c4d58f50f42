"""What agencies tell, whatever they speak, within bounds: verdicts, reasons, amounts due.

Every family reads its messages into these types, so that a bound holds for all. As JSON (kind "rest", the simulator's
books) the names are camelCase. Readers ignore fields they do not know, so that either side may add some.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

import msgspec

from adapters import base

Key = Annotated[str, msgspec.Meta(pattern=base.KEY_PATTERN)]
Hex256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Short = Annotated[str, msgspec.Meta(max_length=200)]
Text = Annotated[str, msgspec.Meta(max_length=4000)]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Amount = Annotated[int, msgspec.Meta(gt=-(10**18), lt=10**18)]  # 18 digits, as the notices have room for
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
_FIRST_YEAR, _LAST_YEAR = 1900, 9000


class Reason(msgspec.Struct, frozen=True, rename="camel"):
    """One row of a rejection."""

    code: Short
    error: Text
    group: Text = ""
    remedy: Text = ""
    note: Text = ""


class Payable(msgspec.Struct, frozen=True, rename="camel"):
    """One amount due."""

    id: Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S")]
    amount: Amount
    currency: Currency
    name: Text = ""


class Verdict(msgspec.Struct, frozen=True, rename="camel"):
    """The decision, wherever it appears."""

    outcome: Literal["accepted", "rejected"]
    decided_at: Moment
    reference: Short | None = None
    reasons: Annotated[tuple[Reason, ...], msgspec.Meta(max_length=1000)] = ()
    payables: Annotated[tuple[Payable, ...], msgspec.Meta(max_length=1000)] = ()

    def __post_init__(self) -> None:
        if not _FIRST_YEAR <= self.decided_at.year <= _LAST_YEAR:  # beyond, no time zone could be applied
            raise ValueError("`decidedAt` is not of our time")


def read_verdict(told: Verdict) -> base.Verdict:
    """The verdict as the gateway knows it."""
    return base.Verdict(
        outcome=told.outcome,
        reference=told.reference,
        decided_at=told.decided_at,
        reasons=tuple(base.Reason(r.code, r.group, r.error, r.remedy, r.note) for r in told.reasons),
        payables=tuple(base.Payable(p.id, p.amount, p.currency, p.name) for p in told.payables),
    )


def printable(text: str, limit: int = 200) -> str:
    """One line for a log, of what somebody else wrote: no control characters, at most `limit` and an ellipsis."""
    clean = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[:limit] + "…"
