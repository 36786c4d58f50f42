"""The status words of a filing, whose move each one is, and which word may follow which."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Where a filing stands. The words are public: API, CLI, notices, logs."""

    PROVISIONAL = "provisional"
    ACKNOWLEDGED = "acknowledged"
    DELIVERING = "delivering"
    DELIVERED = "delivered"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REFUSED = "refused"
    STUCK = "stuck"


FOLLOWS: dict[Status, frozenset[Status]] = {
    Status.PROVISIONAL: frozenset({Status.ACKNOWLEDGED, Status.REFUSED, Status.STUCK}),
    Status.ACKNOWLEDGED: frozenset({Status.DELIVERING, Status.STUCK}),
    Status.DELIVERING: frozenset({Status.DELIVERED, Status.STUCK, Status.ACCEPTED, Status.REJECTED}),
    Status.DELIVERED: frozenset({Status.ACCEPTED, Status.REJECTED, Status.DELIVERING, Status.STUCK}),
    Status.STUCK: frozenset({Status.ACKNOWLEDGED, Status.PROVISIONAL, Status.ACCEPTED, Status.REJECTED}),
    Status.ACCEPTED: frozenset(),
    Status.REJECTED: frozenset(),
    Status.REFUSED: frozenset(),
}
"""Allowed moves. A verdict may overtake our own knowledge of the delivery (its answer was lost): hence the
moves from `delivering` and `stuck` straight to a verdict. `delivered` returns to `delivering` when the
agency says that it has never seen the filing. What got stuck `provisional` returns there, and nowhere else."""

FINAL = frozenset(status for status, following in FOLLOWS.items() if not following)

WORDS: dict[Status, tuple[str, str]] = {
    Status.PROVISIONAL: (
        "Đã ghi nhận tạm thời: chưa tra cứu được trạng thái chứng thư số, hệ thống sẽ tự kiểm tra lại",
        "Recorded provisionally: the certificate's status cannot be had now and will be checked again",
    ),
    Status.ACKNOWLEDGED: (
        "Đã tiếp nhận, đang chờ chuyển đến cơ quan giải quyết",
        "Received and acknowledged; about to be forwarded to the agency",
    ),
    Status.DELIVERING: ("Đang chuyển đến cơ quan giải quyết", "Being forwarded to the agency"),
    Status.DELIVERED: (
        "Cơ quan giải quyết đã nhận, đang chờ kết quả",
        "The agency has it; its verdict is awaited",
    ),
    Status.ACCEPTED: ("Cơ quan giải quyết chấp nhận hồ sơ", "Accepted by the agency"),
    Status.REJECTED: ("Cơ quan giải quyết không chấp nhận hồ sơ", "Rejected by the agency"),
    Status.REFUSED: ("Cổng tiếp nhận từ chối hồ sơ", "Refused by the gateway's checks"),
    Status.STUCK: (
        "Chưa chuyển được đến cơ quan giải quyết, cán bộ vận hành đang xử lý; hồ sơ không bị mất",
        "Could not be forwarded yet; an operator is dealing with it and nothing is lost",
    ),
}
"""Each status in words a filer understands: (Vietnamese, English)."""
