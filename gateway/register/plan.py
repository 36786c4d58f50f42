"""What happens when: a timeline out of register, policy and date. A pure function; the same for everybody who asks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from gateway.filing.findings import Text
from gateway.register.entry import CALLERS, IN_FORCE, KEPT, SINGLE, Entry, Purpose, State
from gateway.register.policy import RegisterPolicy


class Act(StrEnum):
    """What is done, or happens by itself, at a point of the timeline."""

    RENEW = "renew"
    REHEARSE = "rehearse"
    ACTIVATES = "activates"
    RETIRES = "retires"
    RESEAL = "reseal"
    ENDS = "ends"


@dataclass(frozen=True, slots=True)
class Step:
    """One point. `ours`: somebody has to do it; else it happens by itself. `late`: its time has passed undone."""

    at: datetime
    act: Act
    entry: str
    text: Text
    ours: bool = False
    late: bool = False


def plan(entries: Sequence[Entry], policy: RegisterPolicy, at: datetime) -> tuple[Step, ...]:
    """All steps from `at` on, and those that are late, in order of time."""
    steps: list[Step] = []
    for entry in entries:
        if entry.state in (State.RETIRED, State.REVOKED):
            continue
        steps += _of(entry, entries, policy, at)
    return tuple(sorted(steps, key=lambda step: (step.at, step.entry, step.act)))


def _of(entry: Entry, entries: Iterable[Entry], policy: RegisterPolicy, at: datetime) -> Iterator[Step]:
    if entry.state is State.NEXT and entry.starts_at is not None:
        yield Step(
            entry.starts_at,
            Act.ACTIVATES,
            entry.id,
            Text("bắt đầu được dùng", "takes over"),
            late=entry.starts_at < at,
        )
        if not entry.rehearsed:
            yield Step(
                max(at, entry.starts_at - timedelta(days=1)),
                Act.REHEARSE,
                entry.id,
                Text("cần diễn tập trước khi dùng", "is to be rehearsed before it takes over"),
                ours=True,
                late=entry.starts_at < at,
            )
    if entry.state in IN_FORCE and entry.ends_at is not None and entry.ends_at < entry.valid_to:
        yield Step(entry.ends_at, Act.RETIRES, entry.id, Text("ngừng dùng", "is retired"))
        return
    if entry.purpose in KEPT and entry.state is State.RETIRING:
        text = Text(
            "cần mã hóa lại nội dung, rồi ngừng dùng",
            "what it sealed is to be sealed anew, then it is retired",
        )
        yield Step(at, Act.RESEAL, entry.id, text, ours=True)
    if entry.endless:
        return
    if entry.state is State.ACTIVE and not _followed(entry, entries):
        due = entry.valid_to - timedelta(days=policy.plan_days)
        if entry.purpose is not Purpose.CRL:
            yield Step(
                due,
                Act.RENEW,
                entry.id,
                Text("cần có chứng thư kế tiếp đang dùng", "its next one should be in use"),
                ours=True,
                late=due < at,
            )
    if entry.state in IN_FORCE:
        yield Step(entry.valid_to, Act.ENDS, entry.id, Text("hết hạn", "ends"), late=entry.valid_to < at)


def _followed(entry: Entry, entries: Iterable[Entry]) -> bool:
    """Whether another one takes over: a planned next one, or, of a party's, another in force for longer."""
    for other in entries:
        if other.id == entry.id or (other.purpose, other.party) != (entry.purpose, entry.party):
            continue
        starts = other.starts_at
        if other.state is State.NEXT and starts is not None and starts < entry.valid_to < other.valid_to:
            return True
        by_side = entry.purpose in CALLERS and other.state is State.ACTIVE
        if by_side and other.purpose not in SINGLE and other.valid_to > entry.valid_to:
            return True
    return False


def warning_level(entry: Entry, policy: RegisterPolicy, at: datetime) -> int | None:
    """The smallest of the policy's numbers of days that is not below the days left; None while none is reached.

    0: it has ended.
    """
    if entry.state not in IN_FORCE or entry.endless or entry.purpose is Purpose.CRL:
        return None
    left = entry.valid_to - at
    if left <= timedelta(0):
        return 0
    return min((days for days in policy.warn_days if left <= timedelta(days=days)), default=None)


def list_level(start: datetime, until: datetime, policy: RegisterPolicy, at: datetime) -> int | None:
    """Of a revocation list: 0 once it has ended, the policy's hours while it is about to end, else None.

    One that lives shorter than twice those hours is about to end when less than half of its life is left.
    """
    if at >= until:
        return 0
    near = min(timedelta(hours=policy.stale_crl_hours), (until - start) / 2)
    return policy.stale_crl_hours if until - at < near else None
