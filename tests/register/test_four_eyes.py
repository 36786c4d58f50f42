"""Four eyes are two people's: an account of the machine and a certificate may be one person's; on both engines."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from gateway.admin.people import Wanted
from gateway.admin.roles import Role
from gateway.errors import NotFound
from gateway.register.entry import NewEntry, Purpose, RegisterConflict, RegisterRefused, State
from gateway.store.looking import AuditFilter
from gateway.store.opening import open_store
from gateway.store.people import Change, ListedPerson, Listing, PersonApproval
from gateway.store.register import Addition, Approval, Move
from gateway.store.store import Store
from tests.gateway.builders import AT

LISTED = (
    ListedPerson("Lan", (Role.CERTIFICATE_ADMIN,), "lan", ("a" * 64,)),
    ListedPerson("Minh", (Role.CERTIFICATE_ADMIN,), "minh", ("b" * 64,)),
    ListedPerson("Hoa", (Role.CERTIFICATE_ADMIN,), None, ("c" * 64,)),
)


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT)
    assert await opened.list_people(Listing(LISTED, "settings file", AT)) == 3
    assert await opened.list_people(Listing(LISTED, "settings file", AT)) == 0
    yield opened
    await opened.close()


async def proposed(store: Store, by: str) -> tuple[str, int]:
    new = NewEntry(
        purpose=Purpose.ANCHOR, subject="CN=a", issuer="CN=a", serial="1", fingerprint="d" * 64,
        valid_from=AT, valid_to=AT + timedelta(days=400), octets=b"x",
    )  # fmt: skip
    entry = await store.add_entry(Addition(new, by, AT, "x"))
    entry = await store.move_entry(Move(entry.id, entry.version, State.ACTIVE, by, AT, "x", four_eyes=True))
    return entry.id, entry.version


async def said(store: Store, act: str) -> Any:
    (entry,) = await store.audit(AuditFilter(act=act, limit=1))
    return json.loads(entry.detail)


@pytest.mark.parametrize(
    ("proposer", "approver"),
    [("lan", "lan"), ("admin:Lan", "admin:Lan"), ("lan", "admin:Lan"), ("admin:Lan", "lan")],
)
async def test_one_person_is_no_two(store: Store, proposer: str, approver: str) -> None:
    id, version = await proposed(store, proposer)
    with pytest.raises(RegisterRefused, match="does not approve it"):
        await store.approve_entry(Approval(id, version, approver, AT))
    wanted = Wanted(roles=(Role.VIEWER,))
    await store.change_person(Change("Hoa", wanted, proposer, AT, "x", four_eyes=True))
    with pytest.raises(RegisterRefused, match="does not approve it"):
        await store.approve_person(PersonApproval("Hoa", approver, AT))
    assert (await store.broken_audit())[1] == []


@pytest.mark.parametrize(
    ("proposer", "approver", "undeclared"),
    [
        ("lan", "admin:Minh", None),
        ("admin:Lan", "minh", None),
        ("lan", "minh", None),
        ("lan", "admin:Hoa", ["admin:Hoa"]),
        ("root", "admin:Minh", ["root"]),
        ("root", "admin:Hoa", ["root", "admin:Hoa"]),
    ],
)
async def test_two_people_are_and_the_record_says_where_that_is_not_known(
    store: Store, proposer: str, approver: str, undeclared: list[str] | None
) -> None:
    id, version = await proposed(store, proposer)
    assert (await store.approve_entry(Approval(id, version, approver, AT))).state is State.ACTIVE
    assert (await said(store, "certificate.approve")).get("undeclared") == undeclared


async def test_somebody_who_is_suspended_approves_nothing_by_the_account_either(store: Store) -> None:
    await store.change_person(Change("Minh", Wanted(suspended=True), "root", AT, "left"))
    id, version = await proposed(store, "admin:Lan")
    with pytest.raises(RegisterRefused, match="suspended"):
        await store.approve_entry(Approval(id, version, "minh", AT))


async def test_an_account_that_was_declared_here_stays_when_the_file_says_newly_what_somebody_may(
    store: Store,
) -> None:
    await store.change_person(Change("Hoa", Wanted(account="hoa"), "root", AT, "x"))
    newly = ListedPerson("Hoa", (Role.AUDITOR,), None, ("c" * 64,))
    assert await store.list_people(Listing((*LISTED[:2], newly), "settings file", AT)) == 1
    person = await store.person("Hoa")
    assert person is not None
    assert (person.roles, person.account) == (frozenset({Role.AUDITOR}), "hoa")


async def test_a_change_of_people_waits_for_a_second_one(store: Store) -> None:
    new = Change("Bình", Wanted((Role.AUDITOR,), "binh"), "lan", AT, "new", new=True, four_eyes=True)
    person = await store.change_person(new)
    assert (person.roles, person.account) == (frozenset(), None)
    with pytest.raises(RegisterConflict):
        await store.approve_person(PersonApproval("Bình", "admin:Minh", AT, version=person.version + 1))
    person = await store.approve_person(PersonApproval("Bình", "admin:Minh", AT, version=person.version))
    assert (person.roles, person.account, person.proposal) == (frozenset({Role.AUDITOR}), "binh", None)
    assert (await said(store, "person.approve"))["proposedBy"] == "lan"
    with pytest.raises(RegisterRefused, match="nothing is proposed"):
        await store.approve_person(PersonApproval("Bình", "admin:Minh", AT))
    with pytest.raises(RegisterRefused, match="there already"):
        await store.change_person(new)
    with pytest.raises(NotFound):
        await store.approve_person(PersonApproval("nobody", "admin:Minh", AT))
    assert [person.name for person in await store.people()] == ["Bình", "Hoa", "Lan", "Minh"]
    assert (await store.broken_audit())[1] == []


async def test_the_approval_takes_the_last_certificate_administrator_away_no_more_than_the_act(
    store: Store,
) -> None:
    for name in ("Lan", "Hoa"):
        await store.change_person(Change(name, Wanted(suspended=True), "root", AT, "x"))
    await store.change_person(Change("Minh", Wanted(roles=(Role.VIEWER,)), "root", AT, "x", four_eyes=True))
    await store.change_person(Change("Hoa", Wanted(suspended=False), "root", AT, "x"))
    await store.change_person(Change("Hoa", Wanted(roles=(Role.VIEWER,)), "root", AT, "x"))
    with pytest.raises(RegisterRefused, match="last certificate administrator"):
        await store.approve_person(PersonApproval("Minh", "admin:Hoa", AT))
