"""The national portal's statuses of a dossier, and which of ours is which: one table."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.filing.filing import Event
from gateway.filing.status import Status

PORTAL: dict[int, tuple[str, str]] = {
    1: ("Mới đăng ký", "Newly filed"),
    2: ("Được tiếp nhận", "Received"),
    3: ("Không được tiếp nhận", "Not received"),
    4: ("Đang xử lý", "Being dealt with"),
    5: ("Yêu cầu bổ sung giấy tờ", "Papers asked for"),
    6: ("Yêu cầu thực hiện nghĩa vụ tài chính", "Payment asked for"),
    7: ("Công dân yêu cầu rút hồ sơ", "Withdrawal asked for by the applicant"),
    8: ("Dừng xử lý", "Stopped"),
    9: ("Đã xử lý xong", "Dealt with"),
    10: ("Đã trả kết quả", "Result handed out"),
}
"""By the portal's number: (Vietnamese, English). Papers or money asked for, a withdrawal and the handing out of the
result are the agency's to tell: this gateway knows of them where the agency's back-end tells its progress."""

AGENCY_PROGRESS = "agency-progress"
"""The event by which it does: the portal's number, and the agency's words."""

PORTAL_STATUS: dict[Status, int] = {
    Status.PROVISIONAL: 1,
    Status.ACKNOWLEDGED: 2,
    Status.STUCK: 2,
    Status.DELIVERING: 2,
    Status.DELIVERED: 4,
    Status.ACCEPTED: 9,
    Status.REJECTED: 8,
    Status.REFUSED: 3,
}


def portal_status(status: Status, story: Sequence[Event]) -> tuple[int, str]:
    """Where a dossier stands in the portal's terms, and the agency's words on it: what its agency said last, while the
    filing is with it; else what follows from our own status."""
    said = [event.detail for event in story if event.name == AGENCY_PROGRESS]
    if status is Status.DELIVERED and said:
        number, _, note = said[-1].partition(" ")
        return int(number), note
    return PORTAL_STATUS[status], ""
