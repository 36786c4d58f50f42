"""What people are to be warned of now. A pure function of what a process sees; the same for everybody who asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import signing
from gateway.filing.findings import Text
from gateway.filing.identifiers import VIETNAM
from gateway.register.entry import OUR_KEYS, Entry, State
from gateway.register.plan import list_level, warning_level
from gateway.register.policy import RegisterPolicy
from gateway.warning.matter import Kind, Matter, matter, plain
from signing.holdings import WORDS
from signing.holdings import Kind as HeldKind
from signing.holdings import State as HeldState

_LATE = timedelta(minutes=5)
"""What is scheduled is done within a look of the register; after so long nobody does it."""
_MOST_NAME = 200
_RENEW = Text(
    "`efile certs csr`, `add`, `rehearse`, `activate` trước ngày đó.",
    "`efile certs csr`, then `add`, `rehearse`, `activate` before that day.",
)
_THEIRS = Text(
    "Xin chủ sở hữu chứng thư kế tiếp: `efile certs provider renew`, `agency renew`, `trust add`.",
    "Ask its owner for the next one: `efile certs provider renew`, `agency renew`, `trust add`.",
)
_TRUST = Text("Thay tệp, hoặc `efile certs trust add`.", "Replace the file, or `efile certs trust add`.")
_DOCTOR = Text("Xem `efile doctor`.", "See `efile doctor`.")
_DEADLINES = Text("Xem `efile deadlines`.", "See `efile deadlines`.")
_MILESTONES = {
    "forwarding": Text("quá hạn chuyển đến cơ quan giải quyết", "overdue to be forwarded to their agencies"),
    "verdict": Text("quá hạn chờ kết quả của cơ quan", "overdue for their agency's verdict"),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a process sees: the register, what is trusted and all revocation lists as holdings, what processes could
    not take over, and how many filings are overdue, by milestone."""

    entries: Sequence[Entry]
    held: Sequence[signing.Holding] = ()
    faults: Sequence[str] = ()
    overdue: Mapping[str, int] = field(default_factory=dict)


def due_matters(seen: Seen, policy: RegisterPolicy, at: datetime) -> list[Matter]:
    """All of them, those of the past included; who tells them remembers which were told."""
    return [*_entries(seen.entries, policy, at), *_held(seen, policy, at), *_rest(seen, at)]


def _entries(entries: Sequence[Entry], policy: RegisterPolicy, at: datetime) -> Iterator[Matter]:
    for entry in entries:
        level = warning_level(entry, policy, at)
        if level is not None:
            kind = Kind.CERTIFICATE_ENDS if level else Kind.CERTIFICATE_ENDED
            whose = f" ({entry.party})" if entry.party else ""
            mend = _RENEW if entry.purpose in OUR_KEYS else _THEIRS
            text = _ends(f"{entry.id}{whose}, {entry.subject},", entry.valid_to, ended=not level)
            yield matter(kind, entry.id, level, text, mend, until=entry.valid_to)
        if entry.state is State.NEXT and entry.starts_at is not None and entry.starts_at < at - _LATE:
            text = Text(
                f"{entry.id} lẽ ra được dùng từ {_time(entry.starts_at)} nhưng chưa được dùng.",
                f"{entry.id} was to take over at {_time(entry.starts_at)}, and has not.",
            )
            yield matter(Kind.CHANGE_LATE, entry.id, entry.starts_at, text, _DOCTOR)


def _held(seen: Seen, policy: RegisterPolicy, at: datetime) -> Iterator[Matter]:
    """What an entry of the register tells already is not told again."""
    told = {(entry.subject, entry.valid_to) for entry in seen.entries}
    for one in dict.fromkeys(seen.held):
        vi, en = WORDS[one.kind]
        if one.kind is HeldKind.CRL:
            level = list_level(one.start, one.until, policy, at)
            if level is not None:
                kind = Kind.LIST_ENDS if level else Kind.LIST_ENDED
                text = _ends(Text(f"{vi} của {one.name}", f"{en} of {one.name}"), one.until, ended=not level)
                yield matter(kind, one.name, one.until, text, _TRUST, until=one.until)
        elif (one.name, one.until) not in told and one.state(at) in (HeldState.SOON, HeldState.ENDED):
            ended = one.state(at) is HeldState.ENDED
            kind = Kind.TRUST_ENDED if ended else Kind.TRUST_ENDS
            text = _ends(Text(f"{vi} {one.name}", f"{en} {one.name}"), one.until, ended=ended)
            yield matter(kind, f"{one.kind.value} {one.name}", one.until, text, _TRUST, until=one.until)


def _rest(seen: Seen, at: datetime) -> Iterator[Matter]:
    """What a process could not take over: once for all of them. Overdue filings: once a day of Vietnam's."""
    for fault in dict.fromkeys(seen.faults):
        text = Text(f"Có tiến trình chưa theo sổ: {fault}", f"A process could not take over: {fault}")
        yield matter(Kind.NOT_TAKEN_OVER, "register", fault, text, _DOCTOR)
    for milestone, count in seen.overdue.items():
        if count:
            words = _MILESTONES[milestone]
            text = Text(f"{count} hồ sơ {words.vi}.", f"{count} filings are {words.en}.")
            day = at.astimezone(VIETNAM).date()
            yield matter(Kind.FILINGS_OVERDUE, milestone, day, text, _DEADLINES)


def _ends(what: str | Text, until: datetime, *, ended: bool) -> Text:
    """A long name leaves room for the day."""
    name = Text(what, what) if isinstance(what, str) else what
    name = Text(plain(name.vi, _MOST_NAME), plain(name.en, _MOST_NAME))
    if ended:
        return Text(f"{name.vi} đã hết hạn lúc {_time(until)}.", f"{name.en} ended at {_time(until)}.")
    return Text(f"{name.vi} hết hạn lúc {_time(until)}.", f"{name.en} ends at {_time(until)}.")


def _time(at: datetime) -> str:
    return f"{at.astimezone(VIETNAM):%Y-%m-%d %H:%M} (+07:00)"
