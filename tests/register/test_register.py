"""The register in the store, over both engines: states, versions, four eyes, the clock, the audit record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway.errors import NotFound
from gateway.register.entry import (
    MOVES,
    NewEntry,
    Purpose,
    RegisterConflict,
    RegisterRefused,
    Rehearsal,
    State,
)
from gateway.store import opening
from gateway.store.looking import AuditFilter
from gateway.store.register import Addition, Adoption, Approval, Move
from gateway.store.seeds import Seed
from gateway.store.store import Store
from gateway.store.taken_over import TakenOver
from tests.gateway.builders import AT

DAY = timedelta(days=1)
OVERLAPS = {Purpose.NOTICES: 30 * DAY}


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await opening.open_store(place, lambda: AT)
    yield opened
    await opened.close()


def new(letter: str, purpose: Purpose = Purpose.NOTICES, party: str = "") -> NewEntry:
    return NewEntry(
        purpose=purpose, subject=f"CN={letter}", issuer="CN=ca", serial="1", fingerprint=letter * 64, party=party,
        valid_from=AT - 100 * DAY, valid_to=AT + 400 * DAY, octets=letter.encode(), location={"key": f"/{letter}.pem"},
    )  # fmt: skip


async def added(store: Store, one: NewEntry, *, green: bool = True) -> str:
    await store.add_entry(Addition(one, "lan", AT, "renewal"))
    if green:
        await store.record_rehearsal(one.id, Rehearsal(one.fingerprint, AT, "lan"))
    return one.id


async def move(store: Store, id: str, to: State, by: str = "lan", **said: Any) -> None:
    entry = next(e for e in await store.entries() if e.id == id)
    one = Move(
        id,
        said.pop("version", entry.version),
        to,
        by,
        said.pop("at", AT),
        "because",
        overlaps=OVERLAPS,
        **said,
    )
    await store.move_entry(one)


async def states(store: Store) -> dict[str, str]:
    return {entry.subject[3:]: entry.state.value for entry in await store.entries()}


async def acts(store: Store) -> list[str]:
    return [entry.act for entry in reversed(await store.audit(AuditFilter()))]


async def in_use(store: Store) -> str:
    """The key of the settings file is in use."""
    await store.adopt(Adoption((new("a"),), "settings file", AT, OVERLAPS))
    return new("a").id


class TestMoves:
    async def test_an_entry_is_read_back_as_it_was_put(self, store: Store) -> None:
        id = await added(store, new("a"), green=False)
        (entry,) = await store.entries()
        assert (entry.id, entry.state, entry.version, entry.location) == (
            id,
            State.NEXT,
            1,
            {"key": "/a.pem"},
        )
        assert (entry.octets, entry.valid_to, entry.changed_by, entry.why) == (
            b"a",
            AT + 400 * DAY,
            "lan",
            "renewal",
        )

    async def test_the_next_key_takes_over_and_the_one_before_stays_for_the_overlap(
        self, store: Store
    ) -> None:
        await in_use(store)
        before = await store.epoch()
        await move(store, await added(store, new("b")), State.ACTIVE, rehearsed_since=AT - DAY)
        assert await states(store) == {"a": "retiring", "b": "active"}
        a = next(e for e in await store.entries() if e.subject == "CN=a")
        assert a.ends_at == AT + 30 * DAY
        assert await store.epoch() > before
        assert await acts(store) == [
            "certificate.add", "certificate.add", "certificate.rehearse", "certificate.retiring",
            "certificate.activate",
        ]  # fmt: skip

    async def test_a_key_of_bodies_stays_until_it_is_retired_by_hand(self, store: Store) -> None:
        await store.adopt(Adoption((new("a", Purpose.BODIES),), "settings file", AT, OVERLAPS))
        await move(
            store, await added(store, new("b", Purpose.BODIES)), State.ACTIVE, rehearsed_since=AT - DAY
        )
        assert await states(store) == {"a": "retiring", "b": "active"}
        assert [entry.ends_at for entry in await store.entries()] == [None, None]
        assert await store.carry_out_due(AT + 1000 * DAY, OVERLAPS) == 0

    @pytest.mark.parametrize("state", State)
    async def test_only_moves_of_the_table_are_made(self, store: Store, state: State) -> None:
        """Of a purpose of which several may be in use."""
        one = new("a", Purpose.ANCHOR)
        id = await added(store, one)
        way = {State.RETIRING: [State.ACTIVE, State.RETIRING], State.NEXT: []}.get(state, [state])
        for step in way:
            await move(store, id, step)
        before = len(await store.audit(AuditFilter()))
        for to in set(State) - MOVES[state]:
            with pytest.raises(RegisterRefused):
                await move(store, id, to)
        assert await states(store) == {"a": state.value}
        assert len(await store.audit(AuditFilter())) == before

    async def test_what_is_in_use_alone_is_neither_retired_nor_revoked(self, store: Store) -> None:
        a = await in_use(store)
        for to in (State.RETIRING, State.RETIRED, State.REVOKED):
            with pytest.raises(RegisterRefused, match="another one has to take over first"):
                await move(store, a, to)

    async def test_a_compromised_key_is_revoked_as_its_successor_takes_over(self, store: Store) -> None:
        a = await in_use(store)
        b = await added(store, new("b"), green=False)
        with pytest.raises(RegisterRefused, match="no green rehearsal"):
            await move(store, a, State.REVOKED, successor=b, rehearsed_since=AT - DAY)
        assert await states(store) == {"a": "active", "b": "next"}
        await move(store, a, State.REVOKED, successor=b)
        assert await states(store) == {"a": "revoked", "b": "active"}

    async def test_a_rehearsal_counts_for_its_certificate_and_its_time_alone(self, store: Store) -> None:
        await in_use(store)
        b = await added(store, new("b"))
        with pytest.raises(RegisterRefused, match="no green rehearsal"):
            await move(store, b, State.ACTIVE, rehearsed_since=AT + timedelta(seconds=1))
        await store.record_rehearsal(b, Rehearsal("another", AT, "lan"))
        with pytest.raises(RegisterRefused, match="no green rehearsal"):
            await move(store, b, State.ACTIVE, rehearsed_since=AT - DAY)

    async def test_what_is_there_is_not_added_twice_but_a_retired_one_may_come_again(
        self, store: Store
    ) -> None:
        id = await added(store, new("a", Purpose.ANCHOR))
        with pytest.raises(RegisterRefused, match="is there already"):
            await added(store, new("a", Purpose.ANCHOR))
        await move(store, id, State.RETIRED)
        await added(store, replace(new("a", Purpose.ANCHOR), location={}), green=False)
        (entry,) = await store.entries()
        assert (entry.state, entry.rehearsal, entry.location) == (State.NEXT, None, {})


class TestTwoAdmins:
    async def test_the_second_of_two_overlapping_changes_is_refused_and_told_by_whom(
        self, store: Store
    ) -> None:
        await in_use(store)
        b = await added(store, new("b"))
        await move(store, b, State.ACTIVE, by="lan", version=1, starts_at=AT + DAY)
        with pytest.raises(RegisterConflict, match="changed by lan meanwhile") as refused:
            await move(store, b, State.RETIRED, by="minh", version=1)
        assert "vừa được lan thay đổi" in refused.value.texts[0].vi

    async def test_of_two_at_once_one_wins(self, store: Store) -> None:
        id = await added(store, new("a", Purpose.ANCHOR))
        both = [move(store, id, to, version=1) for to in (State.ACTIVE, State.RETIRED)]
        done = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(one).__name__ for one in done) == ["NoneType", "RegisterConflict"]

    async def test_one_proposes_and_another_approves(self, store: Store) -> None:
        await in_use(store)
        b = await added(store, new("b"))
        await move(store, b, State.ACTIVE, by="lan", four_eyes=True, rehearsed_since=AT - DAY)
        assert await states(store) == {"a": "active", "b": "next"}
        approval = Approval(b, 2, "lan", AT, AT - DAY, OVERLAPS)
        with pytest.raises(RegisterRefused, match="who proposed it"):
            await store.approve_entry(approval)
        await store.approve_entry(replace(approval, actor="minh"))
        assert await states(store) == {"a": "retiring", "b": "active"}
        record = [(entry.act, entry.actor) for entry in reversed(await store.audit(AuditFilter()))][-4:]
        assert record == [
            ("certificate.propose", "lan"), ("certificate.approve", "minh"), ("certificate.retiring", "lan"),
            ("certificate.activate", "lan"),
        ]  # fmt: skip
        with pytest.raises(RegisterRefused, match="nothing is proposed"):
            await store.approve_entry(Approval(b, 3, "minh", AT))


class TestClock:
    async def test_what_is_scheduled_happens_at_its_time_once_over_all_processes(self, store: Store) -> None:
        await in_use(store)
        await move(store, await added(store, new("b")), State.ACTIVE, starts_at=AT + DAY)
        assert await store.carry_out_due(AT + DAY / 2, OVERLAPS) == 0
        at_once = [store.carry_out_due(AT + DAY, OVERLAPS) for _ in range(4)]
        assert sorted(await asyncio.gather(*at_once)) == [0, 0, 0, 1]
        assert await states(store) == {"a": "retiring", "b": "active"}
        await store.carry_out_due(AT + 40 * DAY, OVERLAPS)
        assert await states(store) == {"a": "retired", "b": "active"}
        assert {entry.actor for entry in await store.audit(AuditFilter(limit=3))} == {"clock"}


class TestSettingsFile:
    async def test_a_key_that_the_file_names_newly_takes_over_and_a_known_one_changes_nothing(
        self, store: Store
    ) -> None:
        await in_use(store)
        await store.adopt(Adoption((new("b"),), "settings file", AT, OVERLAPS))
        assert await states(store) == {"a": "retiring", "b": "active"}
        assert await store.adopt(Adoption((new("a"), new("b")), "settings file", AT, OVERLAPS)) == 0
        assert await states(store) == {"a": "retiring", "b": "active"}

    async def test_a_client_certificate_stands_as_the_door_knows_it(self, store: Store) -> None:
        one = new("c", Purpose.CLIENT, "provider beta")
        row = {
            "fingerprint": one.fingerprint,
            "kind": "provider",
            "party": "beta",
            "subject": "s",
            "not_after": "2030",
        }
        await store.seed([Seed("client_certificate", row, {"active": 1})], "settings file")
        await store.adopt(Adoption((one,), "settings file", AT))
        await store.seed(
            [Seed("client_certificate", {"fingerprint": one.fingerprint, "active": 0})], "somebody"
        )
        await store.adopt(Adoption((one,), "settings file", AT))
        assert await states(store) == {"c": "retired"}


class TestClients:
    async def test_a_second_certificate_is_known_at_the_door_and_a_revoked_one_is_out(
        self, store: Store
    ) -> None:
        one = new("c", Purpose.CLIENT, "provider beta")
        id = await added(store, one)
        assert await store.client(one.fingerprint) is None
        await move(store, id, State.ACTIVE)
        identity = await store.client(one.fingerprint)
        assert identity is not None
        assert (identity.kind, identity.party, identity.active) == ("provider", "beta", True)
        await move(store, id, State.REVOKED)
        identity = await store.client(one.fingerprint)
        assert identity is not None
        assert not identity.active

    async def test_a_suspension_stands_over_the_settings_file(self, store: Store) -> None:
        row = {"id": "beta", "name": "b", "tax_code": "1", "active": 1, "signs_filings": 0}
        await store.seed([Seed("provider", row)], "settings file")
        await store.suspend_provider("beta", "lan", "unpaid")
        await store.seed([Seed("provider", row)], "settings file")
        ((provider, why),) = await store.providers()
        assert (provider.active, why) == (False, "unpaid")
        with pytest.raises(RegisterRefused, match="suspended already"):
            await store.suspend_provider("beta", "lan", "unpaid")
        with pytest.raises(NotFound):
            await store.suspend_provider("gamma", "lan", "unpaid")
        await store.suspend_provider("beta", "lan", "paid", suspended=False)
        ((provider, why),) = await store.providers()
        assert (provider.active, why) == (True, None)


class TestRecord:
    async def test_the_chain_shows_what_was_changed_taken_out_or_put_in(
        self, store: Store, place: str
    ) -> None:
        for letter in "abcd":
            await added(store, new(letter, Purpose.ANCHOR))
        count, broken = await store.broken_audit()
        assert (count, broken) == (8, [])
        newest = await store.audit(AuditFilter())
        for sql, place_of_break in (
            ("UPDATE audit SET actor = 'nobody' WHERE seq = ?", newest[4].seq),
            ("DELETE FROM audit WHERE seq = ?", newest[5].seq),
        ):
            await change(place, sql, place_of_break)
        _, broken = await store.broken_audit()
        assert broken == [newest[4].seq]

    async def test_processes_say_what_they_have_taken_over_and_leave(self, store: Store) -> None:
        await store.report_taken_over(TakenOver("n:1", 3))
        await store.report_taken_over(TakenOver("n:1", 4, ("no such file",)))
        (one,) = await store.taken_over()
        assert (one.process, one.epoch, one.faults) == ("n:1", 4, ("no such file",))
        await store.leave("n:1")
        assert await store.taken_over() == []


async def change(place: str, sql: str, seq: int) -> None:
    """As somebody would who has the database in his hands."""
    if opening.is_url(place):
        import asyncpg

        connection = await asyncpg.connect(place)
        await connection.execute(sql.replace("?", str(seq)))
        await connection.close()
        return
    import sqlite3

    with sqlite3.connect(place) as embedded:
        embedded.execute(sql, (seq,))
