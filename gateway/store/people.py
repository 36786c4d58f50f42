"""The people of the administrators' door, each change in one transaction with its audit entry; and who is who."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import msgspec

from gateway.admin.people import ACTOR, Person, PersonProposal, Wanted
from gateway.admin.roles import Role
from gateway.errors import NotFound
from gateway.filing.findings import Text
from gateway.register.entry import RegisterConflict, RegisterRefused
from gateway.store.audit import HOLD_AUDIT, append_audit
from gateway.store.rows import Row, json_text, time_text
from gateway.store.statements import Part, Statement, Steps

_COLUMNS = "name, roles, account, suspended, version, proposal, changed_by, changed_at, why"
READ_PEOPLE = f"SELECT {_COLUMNS} FROM person ORDER BY name"
READ_PERSON = f"SELECT {_COLUMNS} FROM person WHERE name = ?"
PERSON_WITH = "SELECT person, active FROM person_certificate WHERE fingerprint = ?"
_OTHERS_IN_CHARGE = """
SELECT count(*) FROM person p WHERE p.suspended IS NULL AND p.name <> ? AND p.roles LIKE ?
AND EXISTS (SELECT 1 FROM person_certificate c WHERE c.person = p.name AND c.active = 1)
"""
_RAISE_EPOCH = Statement("UPDATE epoch SET value = value + 1", [()])
_proposal = msgspec.json.Decoder(PersonProposal)
_roles = msgspec.json.Decoder(tuple[Role, ...])
Found = Generator[Statement, list[list[Row]], Person]
Known = Generator[Statement, list[list[Row]], Any]

_NOT_LISTED = "no longer in the settings file"


@dataclass(frozen=True, slots=True)
class ListedPerson:
    """As the settings file lists one."""

    name: str
    roles: tuple[Role, ...]
    account: str | None
    fingerprints: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """All whom the settings file lists."""

    people: tuple[ListedPerson, ...]
    actor: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """Of one person, seen at `version` (None: as it is now); `new`: there is none of that name yet.

    `four_eyes`: it is proposed only.
    """

    name: str
    wanted: Wanted
    actor: str
    at: datetime
    why: str
    version: int | None = None
    new: bool = False
    four_eyes: bool = False


@dataclass(frozen=True, slots=True)
class PersonApproval:
    """A second person's: what was proposed is done."""

    name: str
    actor: str
    at: datetime
    version: int | None = None


def person_of(row: Row) -> Person:
    """From a row in the order of the queries above."""
    return Person(
        row[0],
        frozenset(_roles.decode(row[1])),
        row[2],
        row[3],
        row[4],
        None if row[5] is None else _proposal.decode(row[5]),
        row[6],
        datetime.fromisoformat(row[7]),
        row[8],
    )


def change(batch: Sequence[Change]) -> Steps:
    """Answers the person as it stands then."""
    results: list[Person | Exception] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        try:
            results.append((yield from _change(one)))
        except (RegisterRefused, NotFound) as refused:  # before anything is written
            results.append(refused)
    return results


def approve(batch: Sequence[PersonApproval]) -> Steps:
    """Answers the person as it stands then."""
    results: list[Person | Exception] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for one in batch:
        try:
            results.append((yield from _approve(one)))
        except (RegisterRefused, NotFound) as refused:
            results.append(refused)
    return results


def _change(one: Change) -> Found:
    (rows,) = yield Statement(READ_PERSON, [(one.name,)], fetch=True)
    if one.new and rows:
        raise RegisterRefused(Text(f"{one.name} đã có rồi.", f"{one.name} is there already."))
    if not one.new:
        person = yield from _seen(one.name, one.version)
        yield from _require_possible(person, one)
    yield from _require_own_account(one.name, one.wanted.account)
    if one.new:
        yield Statement(
            "INSERT INTO person (name, roles, version, changed_by, changed_at, why) VALUES (?, '[]', 0, ?, ?, ?)",
            [(one.name, one.actor, time_text(one.at), one.why)],
        )
        yield from append_audit(one.at, one.actor, "person.add", one.name, json_text({"why": one.why}))
    if one.four_eyes:
        proposal = json_text(PersonProposal(one.wanted, one.actor, one.at, one.why))
        yield Statement(
            "UPDATE person SET proposal = ?, version = version + 1 WHERE name = ?", [(proposal, one.name)]
        )
        yield from append_audit(one.at, one.actor, "person.propose", one.name, proposal)
    else:
        yield from _apply(one)
    yield _RAISE_EPOCH
    return (yield from _seen(one.name, None))


def _approve(one: PersonApproval) -> Found:
    person = yield from _seen(one.name, one.version)
    proposed = person.proposal
    if proposed is None:
        raise RegisterRefused(Text(f"{one.name}: không có đề nghị nào.", f"{one.name}: nothing is proposed."))
    undeclared = yield from require_another(one.name, proposed.by, one.actor)
    done = Change(one.name, proposed.wanted, proposed.by, one.at, proposed.why)
    yield from _require_possible(person, replace(done, actor=one.actor))
    yield from _require_own_account(one.name, proposed.wanted.account)
    detail = json_text({"proposedBy": proposed.by, "why": proposed.why, **undeclared})
    yield from append_audit(one.at, one.actor, "person.approve", one.name, detail)
    yield from _apply(done)
    yield _RAISE_EPOCH
    return (yield from _seen(one.name, None))


def _apply(one: Change) -> Part:
    before = yield from _seen(one.name, None)
    wanted = one.wanted
    roles = sorted(before.roles if wanted.roles is None else wanted.roles)
    account = before.account if wanted.account is None else wanted.account or None
    suspended = before.suspended
    if wanted.suspended is not None:
        suspended = one.why if wanted.suspended else None
    yield Statement(
        """UPDATE person SET roles = ?, account = ?, suspended = ?, proposal = NULL, version = version + 1,
           changed_by = ?, changed_at = ?, why = ? WHERE name = ?""",
        [(json_text(roles), account, suspended, one.actor, time_text(one.at), one.why, one.name)],
    )
    act = {None: "person.change", True: "person.suspend", False: "person.resume"}[wanted.suspended]
    detail = json_text({"roles": roles, "account": account, "why": one.why})
    yield from append_audit(one.at, one.actor, act, one.name, detail)


def _require_possible(person: Person, one: Change) -> Part:
    """Raises RegisterRefused, before anything is written."""
    wanted = one.wanted
    if wanted.suspended is not None and (person.suspended is not None) is wanted.suspended:
        raise RegisterRefused(
            Text(f"{person.name} đã bị tạm ngừng.", f"{person.name} is suspended already.")
            if wanted.suspended
            else Text(f"{person.name} không bị tạm ngừng.", f"{person.name} is not suspended.")
        )
    goes = wanted.suspended or (wanted.roles is not None and Role.CERTIFICATE_ADMIN not in wanted.roles)
    if goes:
        yield from require_one_in_charge(person.name, one.actor)


def require_one_in_charge(name: str, actor: str, without: str | None = None) -> Part:
    """Nobody takes away, at the door, the last who could let somebody in again. `without`: of the person's certificates
    only this one goes. Raises RegisterRefused."""
    if not actor.startswith(ACTOR):
        return  # who has the machine can let somebody in again
    mark = f'%"{Role.CERTIFICATE_ADMIN.value}"%'
    (rows,) = yield Statement(READ_PERSON, [(name,)], fetch=True)
    if not rows or Role.CERTIFICATE_ADMIN not in person_of(rows[0]).roles:
        return
    if without is not None:
        (rest,) = yield Statement(
            "SELECT 1 FROM person_certificate WHERE person = ? AND active = 1 AND fingerprint <> ?",
            [(name, without)],
            fetch=True,
        )
        if rest:
            return
    (counted,) = yield Statement(_OTHERS_IN_CHARGE, [(name, mark)], fetch=True)
    if not counted[0][0]:
        raise RegisterRefused(
            Text(
                f"{name} là người quản trị chứng thư số cuối cùng; chỉ làm được bằng `efile certs` trên máy chủ.",
                f"{name} is the last certificate administrator; only `efile certs` on the machine does that.",
            )
        )


def _require_own_account(name: str, account: str | None) -> Part:
    if account:
        (rows,) = yield Statement(
            "SELECT name FROM person WHERE account = ? AND name <> ?", [(account, name)], fetch=True
        )
        if rows:
            raise RegisterRefused(
                Text(f"Tài khoản {account} là của {rows[0][0]}.", f"The account {account} is {rows[0][0]}'s.")
            )


def _seen(name: str, version: int | None) -> Found:
    (rows,) = yield Statement(READ_PERSON, [(name,)], fetch=True)
    if not rows:
        raise NotFound(f"no administrator {name}")
    person = person_of(rows[0])
    if version not in (None, person.version):
        raise RegisterConflict(
            Text(
                f"{name} vừa được {person.changed_by} thay đổi; hãy xem lại rồi quyết định.",
                f"{name} has been changed by {person.changed_by} meanwhile: look again, then decide.",
            )
        )
    return person


def require_another(about: str, proposer: str, approver: str) -> Known:
    """Four eyes are two people's. Answers what the audit record says where that is not known: `undeclared` actors, of
    whom nobody has declared both the account and the person at the door. Raises RegisterRefused."""
    behind = {}
    for actor in (proposer, approver):
        behind[actor] = yield from _behind(actor)
    first, second = behind[proposer], behind[approver]
    if second is not None and second.suspended is not None:
        raise RegisterRefused(Text(f"{second.name} đã bị tạm ngừng.", f"{second.name} is suspended."))
    if proposer == approver or (first is not None and second is not None and first.name == second.name):
        raise RegisterRefused(
            Text(
                f"{about}: người đề nghị ({proposer}) không được tự phê duyệt.",
                f"{about}: who proposed it ({proposer}) does not approve it.",
            )
        )
    undeclared = [actor for actor, person in behind.items() if person is None or person.account is None]
    return {"undeclared": undeclared} if undeclared else {}


def _behind(actor: str) -> Generator[Statement, list[list[Row]], Person | None]:
    if actor.startswith(ACTOR):
        (rows,) = yield Statement(READ_PERSON, [(actor.removeprefix(ACTOR),)], fetch=True)
    else:
        (rows,) = yield Statement(f"SELECT {_COLUMNS} FROM person WHERE account = ?", [(actor,)], fetch=True)
    return person_of(rows[0]) if rows else None


def switch_certificate(fingerprint: str, party: str, actor: str, *, active: bool) -> Part:
    """What the door knows of a certificate of the register, from its next request on. `party`: `admin` and the name."""
    yield Statement(
        """INSERT INTO person_certificate (fingerprint, person, active, switched_by) VALUES (?, ?, ?, ?)
           ON CONFLICT (fingerprint) DO UPDATE SET active = ?, person = ?, switched_by = ?""",
        [(fingerprint, name := party.partition(" ")[2], int(active), actor, int(active), name, actor)],
    )


def list_people(batch: Sequence[Listing]) -> Steps:
    """Whom the settings file lists enters; what it says newly of somebody counts, else what was changed here stays.

    Whom it has listed, and lists no more, is suspended, and served again once it is listed again. Answers how many
    people changed.
    """
    results: list[int | RegisterRefused] = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for listing in batch:
        changed = 0
        try:
            for one in listing.people:
                yield from _require_own_account(one.name, one.account)
        except RegisterRefused as refused:
            results.append(refused)
            continue
        for one in listing.people:
            changed += yield from _list_one(one, listing)
        (gone,) = yield Statement(
            "SELECT name FROM person WHERE said IS NOT NULL AND suspended IS NULL ORDER BY name",
            [()],
            fetch=True,
        )
        listed = {one.name for one in listing.people}
        for (name,) in gone:
            if name not in listed:
                yield from _apply(
                    Change(name, Wanted(suspended=True), listing.actor, listing.at, _NOT_LISTED)
                )
                changed += 1
        if changed:
            yield _RAISE_EPOCH
        results.append(changed)
    return results


def _list_one(one: ListedPerson, listing: Listing) -> Known:
    (rows,) = yield Statement(
        "SELECT said, suspended, changed_by FROM person WHERE name = ?", [(one.name,)], fetch=True
    )
    said = json_text({"roles": sorted(one.roles), "account": one.account})
    change = Change(one.name, Wanted(one.roles, one.account), listing.actor, listing.at, "", new=not rows)
    changed = 0
    if not rows or rows[0][0] != said:
        if not rows:
            yield Statement(
                "INSERT INTO person (name, roles, version, changed_by, changed_at, why) VALUES (?, '[]', 0, ?, ?, '')",
                [(one.name, listing.actor, time_text(listing.at))],
            )
            yield from append_audit(listing.at, listing.actor, "person.add", one.name, said)
        yield from _apply(change)
        yield Statement("UPDATE person SET said = ? WHERE name = ?", [(said, one.name)])
        changed = 1
    if rows and rows[0][1] == _NOT_LISTED and rows[0][2] == listing.actor:
        yield from _apply(replace(change, wanted=Wanted(suspended=False)))
        changed = 1
    rolled: int = yield from _call_roll(one, listing)
    return changed or rolled


def _call_roll(one: ListedPerson, listing: Listing) -> Known:
    """Certificates that the file switched on and lists no more are switched off, and on again once listed again. What
    somebody else switched stays; one that the file has under another name now is that person's.
    """
    sql = "SELECT fingerprint, person, active, switched_by FROM person_certificate WHERE "
    (own,) = yield Statement(f"{sql} person = ?", [(one.name,)], fetch=True)
    found = yield Statement(f"{sql} fingerprint = ?", [(p,) for p in sorted(one.fingerprints)], fetch=True)
    known = {row[0]: row for rows in found for row in rows}
    on, off = set(), {row[0] for row in own if row[2] and row[3] == listing.actor} - set(one.fingerprints)
    for print_ in one.fingerprints:
        _, person, active, by = known.get(print_, (print_, "", 0, listing.actor))
        if by == listing.actor and (not active or person != one.name):
            on.add(print_)
    for fingerprints, active in ((on, True), (off, False)):
        for fingerprint in sorted(fingerprints):
            yield from switch_certificate(fingerprint, f"admin {one.name}", listing.actor, active=active)
    if on or off:
        detail = json_text({"fingerprintsIn": sorted(on), "fingerprintsOut": sorted(off)})
        yield from append_audit(listing.at, listing.actor, "person.change", one.name, detail)
    return int(bool(on or off))
