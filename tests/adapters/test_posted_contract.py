"""What every adapter must do over whose wire nobody answers at once: filings are put down, verdicts are fetched."""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager, suppress

import pytest

from adapters import Pending, Unavailable, Unknown, Verdict
from tests.adapters.families import FAMILIES, POSTED
from tests.adapters.waiting import fetched, until

FAMILIES_HERE = [name for name, family in FAMILIES.items() if "answer" in family.lacks]
each_way_to_spoil = pytest.mark.parametrize(
    ("family", "spoilt"),
    [
        (name, spoilt)
        for name in FAMILIES_HERE
        for spoilt in ("garbage", "mistyped", "bomb", "huge")
        if spoilt not in FAMILIES[name].lacks
    ],
    indirect=["family"],
)


class Heard:
    """The gateway's side: keeps what it hears; `refuses` so many first; knows no key of `strangers`."""

    def __init__(self, refuses=0, strangers=()):
        self.verdicts = []
        self.refuses = refuses
        self.strangers = strangers

    async def __call__(self, key, verdict):
        if self.refuses:
            self.refuses -= 1
            raise OSError("the store is full")
        if key in self.strangers:
            return False
        self.verdicts.append((key, verdict))
        return True

    @property
    def outcomes(self):
        return [(key, verdict.outcome) for key, verdict in self.verdicts]


@asynccontextmanager
async def listening(adapter, heard):
    async def listen():
        while True:
            with suppress(Unavailable, OSError):
                await adapter.listen(heard)
            await asyncio.sleep(0.05)

    task = asyncio.create_task(listen())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


def behaves(authority, **changes):
    authority.behaviour = authority.behaviour.changed(changes)


def test_what_these_families_lack_elsewhere_is_tested_here():
    assert POSTED["answer"].endswith("test_posted_contract.py")


async def test_a_parcel_arrives_once_with_its_bytes_however_often_it_is_sent(agency, parcel):
    adapter, authority = agency
    for _ in range(3):
        await adapter.submit(parcel())
        await fetched(adapter, "f-1", Verdict)
    (entry,) = authority.books.values()
    assert (entry.key, entry.number, entry.agency) == ("f-1", "EF-260715-000001-4", "tax")
    assert entry.digest == hashlib.sha256(parcel().document).hexdigest()


async def test_many_at_once_each_once(agency, parcel):
    adapter, authority = agency
    await asyncio.gather(*(adapter.submit(parcel(key=f"f-{n % 20}")) for n in range(60)))
    await until(lambda: len(authority.books) == 20)
    assert set(authority.books) == {f"f-{n}" for n in range(20)}


async def test_unknown_pending_decided(agency, parcel):
    adapter, authority = agency
    assert await adapter.fetch("f-1") == Unknown()
    behaves(authority, verdict_delay_s=3600)
    await adapter.submit(parcel())
    await until(lambda: authority.books)
    reference = authority.books["f-1"].reference
    async with asyncio.timeout(20):
        while await adapter.fetch("f-1") != Pending(reference):
            await asyncio.sleep(0.02)
    behaves(authority, verdict_delay_s=0)
    await adapter.submit(parcel(key="f-2"))
    verdict = await fetched(adapter, "f-2", Verdict)
    assert (verdict.outcome, verdict.reference) == ("accepted", authority.books["f-2"].reference)
    assert verdict.decided_at.tzinfo is not None
    assert [(p.amount, p.currency) for p in verdict.payables] == [(98_500_000, "VND")]


async def test_the_verdict_is_heard_and_put_away(agency, parcel):
    adapter, _ = agency
    heard = Heard()
    async with listening(adapter, heard):
        await adapter.submit(parcel())
        await until(lambda: heard.verdicts)
        assert heard.verdicts == [("f-1", await fetched(adapter, "f-1", Verdict))]
    again = Heard()
    async with listening(adapter, again):
        await adapter.submit(parcel(key="f-2"))
        await until(lambda: again.verdicts)
    assert again.outcomes == [("f-2", "accepted")]


async def test_a_verdict_that_could_not_be_written_down_comes_again(agency, parcel):
    adapter, _ = agency
    heard = Heard(refuses=3)
    async with listening(adapter, heard):
        await adapter.submit(parcel())
        await until(lambda: heard.verdicts)
    assert (heard.refuses, heard.outcomes) == (0, [("f-1", "accepted")])


async def test_repeated_and_contradicting_verdicts_are_all_heard(agency, parcel):
    adapter, authority = agency
    behaves(authority, answer_twice=True, contradict=True)
    heard = Heard()
    async with listening(adapter, heard):
        await adapter.submit(parcel())
        await until(lambda: len(heard.verdicts) >= 3)
    assert [outcome for _, outcome in heard.outcomes[:3]] == ["accepted", "accepted", "rejected"]


async def test_a_verdict_about_no_filing_of_ours_is_put_aside_with_the_reason(agency, parcel):
    adapter, authority = agency
    heard = Heard(strangers=("f-1",))
    async with listening(adapter, heard):
        await adapter.submit(parcel())
        await adapter.submit(parcel(key="f-2"))
        await until(lambda: heard.verdicts)
        await until_aside(authority, "no filing of this agency")
    assert heard.outcomes == [("f-2", "accepted")]


async def until_aside(authority, words):
    async with asyncio.timeout(30):
        while not any(words in reason for reason, _ in await authority.put_aside()):
            await asyncio.sleep(0.05)


@each_way_to_spoil
async def test_what_is_no_verdict_is_put_aside_and_stops_nothing(agency, parcel, spoilt):
    adapter, authority = agency
    behaves(authority, **{spoilt: True})
    heard = Heard()
    async with listening(adapter, heard):
        await adapter.submit(parcel())
        await until_aside(authority, "larger than" if spoilt == "huge" else "agreed form")
        behaves(authority, **{spoilt: False})
        await adapter.submit(parcel(key="f-2"))
        await until(lambda: heard.verdicts)
    assert ("f-2", "accepted") in heard.outcomes


@each_way_to_spoil
async def test_a_spoilt_answer_to_a_question_is_none(agency, parcel, spoilt):
    adapter, authority = agency
    behaves(authority, **{spoilt: True})
    await adapter.submit(parcel())
    await until(lambda: authority.books)
    caught = []
    async with asyncio.timeout(20):
        while not caught:
            try:
                assert not isinstance(await adapter.fetch("f-1"), Unknown | Verdict)
            except Unavailable as error:
                caught.append(error.reason)
    assert ("larger than" if spoilt == "huge" else "agreed form") in caught[0]
    assert caught[0].isprintable()
    assert len(caught[0]) < 300


async def test_an_outage_delays_and_loses_nothing(hurried_agency, parcel):
    adapter, authority = hurried_agency
    behaves(authority, down=True)
    await adapter.submit(parcel())
    with suppress(Unavailable):
        assert isinstance(await adapter.fetch("f-1"), Pending)
    assert authority.books == {}
    heard = Heard()
    async with listening(adapter, heard):
        behaves(authority, down=False)
        await until(lambda: heard.verdicts)
    assert len(authority.books) == 1


async def test_an_answer_that_is_lost_is_asked_for(agency, parcel):
    adapter, authority = agency
    behaves(authority, lose_answer=1)
    await adapter.submit(parcel())
    await until(lambda: authority.books)
    await adapter.submit(parcel())
    await fetched(adapter, "f-1", Verdict)
    assert len(authority.books) == 1


async def test_nobody_calls_back(agency):
    adapter, _ = agency
    with pytest.raises(Exception, match="answers through"):
        adapter.read_callback(b"{}", {})
