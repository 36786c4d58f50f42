"""What a receipt says of a filing that counts as in time by an incident."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import InTime
from gateway.filing.stages import Stage
from gateway.intake.validate import Refusal, Validated

CODE = "filing.in-time-by-incident"


def marked(examined: Validated | Refusal, found: InTime | None) -> Validated | Refusal:
    """The same, with the finding that it counts as in time, where it does."""
    if found is None:
        return examined
    return replace(examined, findings=(*examined.findings, _finding(found)))


def _finding(found: InTime) -> Finding:
    one, last = found.incident, f"{found.last_day:%d/%m/%Y}"
    first, until = _show(one.first), _show(one.until) if one.until else None
    return Finding(
        CODE,
        Severity.INFO,
        Stage.VALIDATE,
        Text(
            f"Được tính là nộp trong hạn (hạn cuối {last}) theo sự cố {one.id}: {one.why} "
            f"(từ {first}{f' đến {until}' if until else ', đang tiếp diễn'})",
            f"Counts as filed in time (last day {last}) by incident {one.id}: {one.why} "
            f"(from {first}{f' until {until}' if until else ', going on'})",
        ),
        Text(
            "Không phải làm gì thêm; hãy giữ thông báo này làm căn cứ.",
            "Nothing to do; keep this notice as evidence.",
        ),
    )


def _show(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%H:%M %d/%m/%Y}"
