"""The register's changes: each a move from one state to another, in one transaction with its audit entry.

Whoever moves an entry names the version that he saw: one that has been changed meanwhile is not moved.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import datetime, timedelta

from gateway.filing.findings import Text
from gateway.register.entry import (
    IN_FORCE,
    KEPT,
    MOVES,
    NEVER_NONE,
    SINGLE,
    STATE_WORDS,
    Entry,
    NewEntry,
    Proposal,
    Purpose,
    RegisterConflict,
    RegisterRefused,
    State,
)
from gateway.store.audit import HOLD_AUDIT, append_audit
from gateway.store.people import PERSON_WITH, require_another, require_one_in_charge, switch_certificate
from gateway.store.register import (
    COLUMNS,
    Addition,
    Adoption,
    Approval,
    Due,
    Hand,
    Move,
    Overlaps,
    Rehearsed,
    entry_of,
)
from gateway.store.rows import Row, json_text, time_text
from gateway.store.statements import Part, Statement, Steps

CLOCK = "clock"
"""The actor of what was scheduled."""
_ACTS = {
    State.NEXT: "certificate.next",
    State.ACTIVE: "certificate.activate",
    State.RETIRING: "certificate.retiring",
    State.RETIRED: "certificate.retire",
    State.REVOKED: "certificate.revoke",
}
_RAISE_EPOCH = Statement("UPDATE epoch SET value = value + 1", [()])
Found = Generator[Statement, list[list[Row]], Entry]


def adopt(batch: Sequence[Adoption]) -> Steps:
    """Answers how many entries are new or changed."""
    results = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        changed = 0
        for new in one.beside:
            changed += yield from _adopt_one(new, one, State.RETIRING)
        for new in one.entries:
            changed += yield from _adopt_one(new, one, State.ACTIVE)
        changed += yield from _as_switched(one.at)
        if changed:
            yield _RAISE_EPOCH
        results.append(changed)
    return results


def _adopt_one(new: NewEntry, one: Adoption, state: State) -> Generator[Statement, list[list[Row]], int]:
    (known,) = yield Statement("SELECT 1 FROM certificate WHERE id = ?", [(new.id,)], fetch=True)
    if known or (yield from _named_already(new)):
        return 0
    if state is State.ACTIVE and new.purpose in SINGLE:
        yield from _make_room(new, Hand(one.actor, one.at), one.overlaps)
    yield from _insert(new, state, Hand(one.actor, one.at))
    return 1


def _named_already(new: NewEntry) -> Generator[Statement, list[list[Row]], bool]:
    """Whether another key of bodies has this name, which what it sealed is known by for ever."""
    if new.purpose is not Purpose.BODIES:
        return False
    (named,) = yield Statement(
        "SELECT 1 FROM certificate WHERE purpose = ? AND subject = ? AND id <> ?",
        [(new.purpose.value, new.subject, new.id)],
        fetch=True,
    )
    return bool(named)


_SWITCHED = """
SELECT c.id, c.state FROM certificate c JOIN person_certificate t ON t.fingerprint = c.fingerprint
WHERE c.purpose = 'admin' AND ((c.state IN ('active', 'retiring') AND t.active = 0)
    OR (c.state = 'retired' AND t.active = 1))
UNION ALL
SELECT c.id, c.state FROM certificate c JOIN client_certificate t ON t.fingerprint = c.fingerprint
WHERE c.purpose = 'client' AND ((c.state IN ('active', 'retiring') AND t.active = 0)
    OR (c.state = 'retired' AND t.active = 1))
"""


def _as_switched(at: datetime) -> Generator[Statement, list[list[Row]], int]:
    """A client certificate that the settings file has switched off, or on, stands so in the register."""
    (rows,) = yield Statement(_SWITCHED, [()], fetch=True)
    yield Statement(
        "UPDATE certificate SET state = ?, version = version + 1, changed_at = ? WHERE id = ?",
        [("active" if state == "retired" else "retired", time_text(at), id) for id, state in rows],
    )
    return len(rows)


def add(batch: Sequence[Addition]) -> Steps:
    """Answers the entry. What is there already is refused, but a retired one may come next again."""
    results: list[Entry | RegisterRefused] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        (rows,) = yield Statement(
            f"SELECT {COLUMNS} FROM certificate WHERE id = ?", [(one.entry.id,)], fetch=True
        )
        before = entry_of(rows[0]) if rows else None
        if before is not None and before.state is not State.RETIRED:
            vi, en = STATE_WORDS[before.state].vi, STATE_WORDS[before.state].en
            results.append(
                RegisterRefused(
                    Text(f"{before.id} đã có trong sổ: {vi}.", f"{before.id} is there already: {en}.")
                )
            )
            continue
        if (yield from _named_already(one.entry)):
            name = one.entry.subject
            results.append(
                RegisterRefused(
                    Text(f"Đã có khóa khác tên là {name}.", f"Another key has the name {name} already.")
                )
            )
            continue
        if one.entry.purpose is Purpose.ADMIN:
            (known,) = yield Statement(PERSON_WITH, [(one.entry.fingerprint,)], fetch=True)
            if known and one.entry.party != f"admin {known[0][0]}":
                text = Text(f"Chứng thư là của {known[0][0]}.", f"The certificate is {known[0][0]}'s.")
                results.append(RegisterRefused(text))
                continue
        if before is None:
            yield from _insert(one.entry, State.NEXT, Hand(one.actor, one.at, one.why))
        else:
            yield Statement(
                "UPDATE certificate SET party = ?, location = ?, rehearsal = NULL WHERE id = ?",
                [(one.entry.party, json_text(one.entry.location), before.id)],
            )
            yield from _into(before, State.NEXT, Hand(one.actor, one.at, one.why))
        yield _RAISE_EPOCH
        results.append((yield from _read(one.entry.id)))
    return results


def _insert(new: NewEntry, state: State, hand: Hand) -> Part:
    row = (
        new.id, new.purpose.value, new.party, new.subject, new.issuer, new.serial, new.fingerprint,
        time_text(new.valid_from), time_text(new.valid_to), new.octets, json_text(new.location),
        state.value, 1, None, None, None, None, hand.actor, time_text(hand.at), hand.why,
    )  # fmt: skip
    yield Statement(f"INSERT INTO certificate ({COLUMNS}) VALUES ({', '.join('?' * len(row))})", [row])
    said = {
        "subject": new.subject, "fingerprint": new.fingerprint, "until": time_text(new.valid_to),
        "party": new.party, "location": new.location, "state": state.value, "why": hand.why,
    }  # fmt: skip
    yield from append_audit(hand.at, hand.actor, "certificate.add", new.id, json_text(said))


def move(batch: Sequence[Move]) -> Steps:
    """Answers the entry as it stands then."""
    results: list[Entry | RegisterRefused] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        try:
            results.append((yield from _move(one)))
        except RegisterRefused as refused:  # before anything is written
            results.append(refused)
    return results


def approve(batch: Sequence[Approval]) -> Steps:
    """Answers the entry as it stands then."""
    results: list[Entry | RegisterRefused] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        try:
            results.append((yield from _approve(one)))
        except RegisterRefused as refused:
            results.append(refused)
    return results


def _approve(one: Approval) -> Found:
    entry = yield from _seen(one.id, one.version)
    proposed = entry.proposal
    if proposed is None:
        raise RegisterRefused(Text(f"{entry.id}: không có đề nghị nào.", f"{entry.id}: nothing is proposed."))
    undeclared = yield from require_another(entry.id, proposed.by, one.actor)
    move = Move(
        entry.id, entry.version, proposed.to, proposed.by, one.at, proposed.why, proposed.starts_at, proposed.ends_at,
        rehearsed_since=one.rehearsed_since, overlaps=one.overlaps,
    )  # fmt: skip
    yield from _require_possible(entry, move)
    said = {"proposedBy": proposed.by, "to": proposed.to.value, "why": proposed.why, **undeclared}
    detail = json_text(said)
    yield from append_audit(one.at, one.actor, "certificate.approve", entry.id, detail)
    return (yield from _move(move))


def _move(one: Move) -> Found:
    entry = yield from _seen(one.id, one.version)
    successor = yield from _require_possible(entry, one)
    hand = Hand(one.actor, one.at, one.why)
    if one.four_eyes:
        proposal = Proposal(one.to, one.actor, one.at, one.why, one.starts_at, one.ends_at)
        yield from _change(entry.id, one, "proposal = ?", json_text(proposal))
        yield from append_audit(one.at, one.actor, "certificate.propose", entry.id, json_text(proposal))
    elif one.to is State.ACTIVE and one.starts_at is not None and one.starts_at > one.at:
        yield from _change(entry.id, one, "starts_at = ?, proposal = NULL", time_text(one.starts_at))
        detail = json_text({"startsAt": time_text(one.starts_at), "why": one.why})
        yield from append_audit(one.at, one.actor, "certificate.schedule", entry.id, detail)
    elif one.to is State.RETIRED and one.ends_at is not None and one.ends_at > one.at:
        yield from _change(entry.id, one, "ends_at = ?, proposal = NULL", time_text(one.ends_at))
        detail = json_text({"endsAt": time_text(one.ends_at), "why": one.why})
        yield from append_audit(one.at, one.actor, "certificate.schedule", entry.id, detail)
    else:
        if successor is not None:
            yield from _activate(successor, hand, one.overlaps)
            entry = yield from _read(entry.id)
        if one.to is State.ACTIVE:
            yield from _activate(entry, hand, one.overlaps)
        else:
            yield from _into(entry, one.to, hand)
    yield _RAISE_EPOCH
    return (yield from _read(one.id))


def _require_possible(entry: Entry, one: Move) -> Generator[Statement, list[list[Row]], Entry | None]:
    """Answers the entry that takes over, where one must. Raises RegisterRefused, before anything is written."""
    if one.to not in MOVES[entry.state]:
        now, then = STATE_WORDS[entry.state], STATE_WORDS[one.to]
        raise RegisterRefused(
            Text(
                f"{entry.id}: {now.vi}, không thể chuyển thành “{then.vi}”.",
                f"{entry.id} is {entry.state.value} and cannot become {one.to.value}.",
            )
        )
    if one.to is State.RETIRED and (one.ends_at is None or one.ends_at <= one.at):
        yield from _require_empty(entry)
    if entry.purpose is Purpose.ADMIN and one.to in (State.RETIRED, State.REVOKED):
        yield from require_one_in_charge(entry.party.partition(" ")[2], one.actor, entry.fingerprint)
    coming: Entry | None = entry if one.to is State.ACTIVE else None
    successor: Entry | None = None
    if entry.purpose in SINGLE and entry.state is State.ACTIVE and one.to is not State.ACTIVE:
        takes_over = one.successor is not None and one.ends_at is None
        if not takes_over and entry.purpose in NEVER_NONE:
            raise RegisterRefused(
                Text(
                    f"{entry.id} đang dùng: phải có mục kế tiếp thay thế (`efile certs add`, `activate`).",
                    f"{entry.id} is in use: another one has to take over first (`efile certs add`, `activate`).",
                )
            )
        if takes_over and one.successor is not None:
            coming = successor = yield from _read(one.successor)
    needed = one.rehearsed_since
    if coming is not None and needed is not None:
        last = coming.rehearsal
        if not coming.rehearsed or last is None or last.at < needed:
            raise RegisterRefused(
                Text(
                    f"{coming.id}: chưa có lần diễn tập đạt (`efile certs rehearse {coming.id}`).",
                    f"{coming.id}: no green rehearsal that still counts (`efile certs rehearse {coming.id}`).",
                )
            )
    return successor


def _require_empty(entry: Entry) -> Part:
    """Nothing in the store is under a key of bodies that is given up. Raises RegisterRefused."""
    if (yield from _seals(entry)):
        raise RegisterRefused(
            Text(
                f"{entry.id}: kho dữ liệu còn nội dung mã hóa bằng khóa này (`efile certs reseal`).",
                f"{entry.id}: bodies in the store are, or may be, sealed with it (`efile certs reseal`).",
            )
        )


def _seals(entry: Entry) -> Generator[Statement, list[list[Row]], bool]:
    """Whether anything in the store is sealed with this key, or has not been looked at yet."""
    if entry.purpose is not Purpose.BODIES or entry.state is State.NEXT:
        return False
    for table in ("body", "paper"):
        for condition, row in (("= ?", (entry.subject,)), ("IS NULL", ())):
            (found,) = yield Statement(
                f"SELECT 1 FROM {table} WHERE sealed_by {condition} LIMIT 1", [row], fetch=True
            )
            if found:
                return True
    return False


def record_rehearsal(batch: Sequence[Rehearsed]) -> Steps:
    """Answers the entry. The version stays: what was found changes nothing that somebody decides by."""
    results: list[Entry | RegisterRefused] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        try:
            entry = yield from _read(one.id)
        except RegisterRefused as refused:
            results.append(refused)
            continue
        found = one.rehearsal
        yield Statement("UPDATE certificate SET rehearsal = ? WHERE id = ?", [(json_text(found), entry.id)])
        detail = json_text({"faults": [fault.en for fault in found.faults]})
        yield from append_audit(found.at, found.by, "certificate.rehearse", entry.id, detail)
        results.append((yield from _read(one.id)))
    return results


def carry_out_due(batch: Sequence[Due]) -> Steps:
    """What was scheduled, by whichever process comes first; answers how many entries moved."""
    results = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        now = time_text(one.at)
        (starting,) = yield Statement(
            f"SELECT {COLUMNS} FROM certificate WHERE state = 'next' AND starts_at <= ? ORDER BY starts_at, id",
            [(now,)],
            fetch=True,
        )
        for row in starting:
            entry = entry_of(row)
            yield from _activate(entry, Hand(CLOCK, one.at, entry.why), one.overlaps)
        (ending,) = yield Statement(
            f"SELECT {COLUMNS} FROM certificate WHERE state IN ('active', 'retiring') AND ends_at <= ? ORDER BY id",
            [(now,)],
            fetch=True,
        )
        for row in ending:
            entry = entry_of(row)
            hand = Hand(CLOCK, one.at, entry.why)
            if (yield from _seals(entry)):
                yield from _put_off(entry, hand)
            else:
                yield from _into(entry, State.RETIRED, hand)
        if starting or ending:
            yield _RAISE_EPOCH
        results.append(len(starting) + len(ending))
    return results


def _activate(entry: Entry, hand: Hand, overlaps: Overlaps) -> Part:
    if entry.purpose in SINGLE:
        yield from _make_room(entry, hand, overlaps)
    yield from _into(entry, State.ACTIVE, hand)


def _make_room(new: NewEntry, hand: Hand, overlaps: Overlaps) -> Part:
    (rows,) = yield Statement(
        f"SELECT {COLUMNS} FROM certificate WHERE purpose = ? AND party = ? AND state = 'active'",
        [(new.purpose.value, new.party)],
        fetch=True,
    )
    for row in rows:
        before = entry_of(row)
        ends = min(hand.at + overlaps.get(new.purpose, timedelta()), max(hand.at, before.valid_to))
        yield from _into(before, State.RETIRING, hand, None if new.purpose in KEPT else ends)


def _into(entry: Entry, state: State, hand: Hand, ends_at: datetime | None = None) -> Part:
    ends = None if ends_at is None else time_text(ends_at)
    yield Statement(
        """UPDATE certificate SET state = ?, version = version + 1, starts_at = NULL, ends_at = ?, proposal = NULL,
           changed_by = ?, changed_at = ?, why = ? WHERE id = ?""",
        [(state.value, ends, hand.actor, time_text(hand.at), hand.why, entry.id)],
    )
    detail = json_text({"from": entry.state.value, "why": hand.why, "fingerprint": entry.fingerprint})
    yield from append_audit(hand.at, hand.actor, _ACTS[state], entry.id, detail)
    if entry.purpose is Purpose.CLIENT and state is not State.NEXT:
        yield from _switch_client(entry, state, hand)
    if entry.purpose is Purpose.ADMIN and state is not State.NEXT:
        on = state in IN_FORCE
        yield from switch_certificate(entry.fingerprint, entry.party, hand.actor, active=on)


def _switch_client(entry: Entry, state: State, hand: Hand) -> Part:
    """The row by which the door knows the certificate, from its next request on."""
    kind, _, party = entry.party.partition(" ")
    on = int(state in IN_FORCE)
    yield Statement(
        """INSERT INTO client_certificate (fingerprint, kind, party, active, subject, not_after)
           VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (fingerprint) DO UPDATE SET active = ?, kind = ?, party = ?""",
        [
            (entry.fingerprint, kind, party, on, entry.subject, time_text(entry.valid_to), on, kind, party),
        ],
    )
    act = {State.REVOKED: "revoke", State.RETIRED: "retire"}.get(state, "restore")
    detail = json_text({"kind": kind, "party": party})
    yield from append_audit(hand.at, hand.actor, f"client_certificate.{act}", entry.fingerprint, detail)


def _put_off(entry: Entry, hand: Hand) -> Part:
    """It cannot be retired yet: that is told, and tried again a day later."""
    until = time_text(hand.at + timedelta(days=1))
    yield Statement(
        "UPDATE certificate SET ends_at = ?, version = version + 1, changed_by = ?, changed_at = ? WHERE id = ?",
        [(until, hand.actor, time_text(hand.at), entry.id)],
    )
    detail = json_text({"endsAt": until, "why": "bodies in the store are, or may be, sealed with it"})
    yield from append_audit(hand.at, hand.actor, "certificate.schedule", entry.id, detail)


def _change(id: str, one: Move, assignments: str, value: str) -> Part:
    yield Statement(
        f"""UPDATE certificate SET {assignments}, version = version + 1, changed_by = ?, changed_at = ?, why = ?
            WHERE id = ?""",
        [(value, one.actor, time_text(one.at), one.why, id)],
    )


def _seen(id: str, version: int) -> Found:
    entry = yield from _read(id)
    if entry.version != version:
        raise RegisterConflict(
            Text(
                f"{id} vừa được {entry.changed_by} thay đổi; hãy xem lại rồi quyết định.",
                f"{id} has been changed by {entry.changed_by} meanwhile: look again, then decide.",
            )
        )
    return entry


def _read(id: str) -> Found:
    (rows,) = yield Statement(f"SELECT {COLUMNS} FROM certificate WHERE id = ?", [(id,)], fetch=True)
    if not rows:
        raise RegisterRefused(Text(f"Không có mục {id}.", f"There is no entry {id}."))
    return entry_of(rows[0])
