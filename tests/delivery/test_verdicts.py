"""Verdicts early, late, twice and against each other: what the paper's table says is what happens, on both engines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

import adapters
from gateway.delivery.agencies import KnownAgencies
from gateway.delivery.room import Room
from gateway.delivery.world import Backoff, DeliveryWorld
from gateway.directory import OWN_DIRECTORY, load_directory
from gateway.errors import BadRequest
from gateway.filing.filing import Filing, NoticeKind, SignedNotice
from gateway.filing.status import Status
from gateway.filing.verdict import Verdict
from gateway.journey import carry_on
from gateway.ports import Outcome
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.docs.papers import DOCS, section, table
from tests.gateway.builders import AT, prepared, verdict, verdict_notice

ROWS = [
    tuple(row)
    for row in table(
        section(
            (DOCS / "delivery.md").read_text(encoding="utf-8"),
            "## Verdicts that come early, late, twice, or against each other",
        ),
        "stands",
    )
]
VERDICTS = (Status.ACCEPTED, Status.REJECTED)


@pytest.fixture
async def store(place: str) -> AsyncIterator[Store]:
    opened = await open_store(place, lambda: AT + timedelta(days=30))
    yield opened
    await opened.close()


async def standing(store: Store, stands: str) -> str:
    """A filing that stands so."""
    first = {"provisional": Status.PROVISIONAL, "refused": Status.REFUSED}.get(stands, Status.ACKNOWLEDGED)
    number = (await store.add(prepared(status=first))).filing.number
    if stands in ("provisional", "refused", "acknowledged"):
        return number
    (claim,) = await store.claim_due("w", 9, 30)
    status = Status.DELIVERING if stands in ("held", "overdue") else Status(stands)
    due = None if status in (Status.STUCK, *VERDICTS) else 0.0
    ends = {"verdict": verdict(status), "notice": verdict_notice("<first/>")} if status in VERDICTS else {}
    await store.record_outcome(Outcome(claim, status, status.value, due_seconds=due, **ends))  # type: ignore[arg-type]
    if stands == "held":
        await store.hold(number, "me", "asked")
    return number


@pytest.mark.parametrize(
    ("stands", "comes", "becomes", "answer", "told"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS]
)
async def test_what_the_table_says_happens(
    store: Store, stands: str, comes: str, becomes: str, answer: str, told: str
) -> None:
    number = await standing(store, stands)
    before = len(await store.events(number))
    try:
        concluded = await store.record_verdict(
            number, verdict(Status(comes)), verdict_notice("<second/>"), AT
        )
    except BadRequest:
        got = "400"
    else:
        got = "first" if concluded.first else "409" if concluded.contradicts else "repeat"
    assert got == answer
    filing = await store.filing(number)
    assert filing is not None
    assert filing.status == becomes
    assert [event.name for event in await store.events(number)][before:] == ([told] if told != "–" else [])
    notice = await store.notice(number, [NoticeKind.VERDICT])
    if stands in VERDICTS:
        assert notice is not None
        assert notice.document == b"<first/>", "signed once"
    assert (await store.queue_length(9)) == (0 if becomes in (*VERDICTS, "refused") else 1)


def test_the_table_knows_every_status() -> None:
    assert {row[0] for row in ROWS} == set(Status) | {"held", "overdue"}


class Overtaken:
    """An agency that calls back "accepted" while it answers our question with `says`."""

    def __init__(self, store: Store, says: str) -> None:
        self._store = store
        self._says = says

    async def fetch(self, key: str) -> adapters.Verdict:
        assert (await self._store.record_verdict(key, verdict(), verdict_notice("<first/>"), AT)).first
        return adapters.Verdict(self._says, None, AT)  # type: ignore[arg-type]


class PlainNotary:
    """Signs nothing; only verdicts are asked of it here."""

    async def issued(self, make: Callable[[], SignedNotice]) -> SignedNotice:
        return make()

    def verdict_notice(self, filing: Filing, verdict: Verdict, at: datetime) -> SignedNotice:
        return verdict_notice("<second/>")


@pytest.mark.parametrize(
    ("says", "told"), [("accepted", "verdict-repeated"), ("rejected", "verdict-contradicted")]
)
async def test_a_verdict_whose_call_was_overtaken_is_kept(store: Store, says: str, told: str) -> None:
    number = await standing(store, "delivered")
    (claim,) = await store.claim_due("w", 9, 30)
    claim = replace(claim, filing=replace(claim.filing, agency="tax"))
    world = DeliveryWorld(
        store,
        KnownAgencies(store.agencies),
        {"tax": Overtaken(store, says)},  # type: ignore[dict-item]
        PlainNotary(),  # type: ignore[arg-type]
        lambda: None,  # type: ignore[arg-type, return-value]
        lambda: None,  # type: ignore[arg-type, return-value]
        lambda: load_directory(OWN_DIRECTORY),
        Backoff(),
        lambda: AT,
        store.events,
        Room(10**9),
    )
    await carry_on(claim, world)
    events = [event.name for event in await store.events(number)]
    assert events[-1] == told
    assert events.count("accepted") == 1
    filing = await store.filing(number)
    assert filing is not None
    assert filing.status is Status.ACCEPTED
