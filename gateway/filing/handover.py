"""An accepted filing goes on to the agencies that cooperate (liên thông): one handover for each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class HandoverStatus(StrEnum):
    """Where a handover stands. NOT_JOINED (no back-end serves the agency) and STUCK move by an operator only."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    NOT_JOINED = "not-joined"
    STUCK = "stuck"


HANDOVER_WORDS: dict[HandoverStatus, tuple[str, str]] = {
    HandoverStatus.WAITING: ("Đang chuyển tiếp", "On its way"),
    HandoverStatus.DELIVERED: ("Cơ quan phối hợp đã nhận", "The cooperating agency has it"),
    HandoverStatus.NOT_JOINED: ("Cơ quan phối hợp chưa kết nối", "The cooperating agency has not joined"),
    HandoverStatus.STUCK: (
        "Chưa chuyển tiếp được, cán bộ vận hành đang xử lý",
        "An operator is dealing with it",
    ),
}
"""Each status in words a filer understands: (Vietnamese, English)."""


@dataclass(frozen=True, slots=True)
class Handover:
    """`agency` and `office` are the directory's, `name` is the agency's in Vietnamese.

    `detail`: why it has not joined or is stuck, or the agency's own reference. `answer`: what it made of the filing,
    where it told us by itself; nobody asks for it. `backend`: by which it is reached, as of the last look.
    """

    agency: str
    office: str
    name: str
    status: HandoverStatus
    detail: str = ""
    answer: str = ""
    backend: str = field(default="", compare=False)
