"""What is past its term goes, with a record of it; what has none, has not ended, or is kept, stays: on both engines."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError, NotFound
from gateway.filing.filing import NewFiling, NoticeKind, SignedNotice
from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.retention import Part, Rule, before, rules_of
from gateway.filing.status import Status
from gateway.ports import Outcome
from gateway.settings import RetentionSettings
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.orders import NotHeld, NotStuck
from gateway.store.reissues import Reissue, Reissues
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing, prepared, verdict, verdict_notice

DAYS = timedelta(days=1)
BODY = Rule("tax-declaration", Part.BODY, "10 days")
PAPERS = Rule("tax-declaration", Part.PAPERS, "10 days")
RECORD = Rule("tax-declaration", Part.RECORD, "30 days")


class Clock:
    """Business time, which tests move; AT lies before the database's own."""

    def __init__(self) -> None:
        self.now = AT

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The store's clock is a year ahead: what is over is the business clock's to say, unless a test says otherwise."""
    monkeypatch.setattr(
        "gateway.store.operator_side.time_of_seconds", lambda seconds: AT + 365 * DAYS if seconds else AT
    )
    return Clock()


@pytest.fixture
async def store(place: str, clock: Clock) -> AsyncIterator[Store]:
    opened = await open_store(place, clock)
    yield opened
    await opened.close()


async def accepted(store: Store, new: NewFiling, handovers: tuple[Handover, ...] = ()) -> str:
    number = (await store.add(store.prepare(new))).filing.number
    (claim,) = [c for c in await store.claim_due("w", 100, 60) if c.filing.number == number]
    await store.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=0.0))
    await store.record_verdict(number, verdict(), verdict_notice(), store._clock(), handovers)
    return number


async def audit(store: Store) -> list[tuple[str, str, str]]:
    rows = await store._driver.read(
        "SELECT act, subject, detail FROM audit WHERE actor = 'retention' ORDER BY seq"
    )
    return [tuple(row) for row in rows]  # type: ignore[misc]


async def test_a_body_goes_after_its_term_and_leaves_its_record(store: Store, clock: Clock) -> None:
    number = await accepted(store, new_filing(b"<a/>", key="k", papers=(b"paper",)))
    clock.now = AT + 10 * DAYS
    assert await store.remove_ended(BODY, 10) == 0, "its last day is not over"
    clock.now += timedelta(seconds=1)
    assert await store.remove_ended(BODY, 10) == 1
    assert await store.remove_ended(BODY, 10) == 0
    assert await store.document(number) is None
    assert len(await store.papers(number)) == 1
    assert (await store.events(number))[-1].name == "body-removed"
    assert (await store.events(number))[-1].detail == str(BODY)
    assert await store.notice(number, [NoticeKind.RECEIPT]) is not None
    ((act, subject, detail),) = await audit(store)
    assert (act, subject, json.loads(detail)) == ("retention.body", str(BODY), [number])


async def test_papers_have_a_term_of_their_own(store: Store, clock: Clock) -> None:
    number = await accepted(store, new_filing(b"<a/>", papers=(b"paper",)))
    bare = await accepted(store, new_filing(b"<b/>", period="Q3/2026"))
    clock.now = AT + 11 * DAYS
    assert await store.remove_ended(PAPERS, 10) == 1, "what has none loses none"
    assert await store.papers(number) == []
    assert await store.document(number) == b"<a/>"
    assert [event.name for event in await store.events(bare)][-1] != "papers-removed"
    assert await store.remove_ended(BODY, 10) == 2
    assert await store.document(number) is None


async def test_a_whole_filing_leaves_its_hashes_and_frees_its_keys(store: Store, clock: Clock) -> None:
    number = await accepted(store, new_filing(b"<a/>", key="k", papers=(b"paper",)))
    receipt = await store.notice(number, [NoticeKind.RECEIPT])
    digest, papers = hashlib.sha256(b"<a/>").digest(), hashlib.sha256(b"paper").digest()
    assert await store.find_repeat("alpha", "another", digest, papers) is not None
    clock.now = AT + 31 * DAYS
    assert await store.remove_ended(BODY, 10) == 1
    assert await store.remove_ended(RECORD, 10) == 1
    assert await store.filing(number) is None
    assert receipt is not None
    gone = await store.removed(number)
    assert gone is not None
    assert gone.digest == digest.hex()
    assert gone.notices["receipt"] == hashlib.sha256(receipt.document).hexdigest()
    assert gone.notices["verdict"] == hashlib.sha256(verdict_notice().document).hexdigest()
    assert gone.rule == str(RECORD)
    for table in ("body", "paper", "evidence", "notice", "attempt", "event", "verdict", "repeat_key"):
        assert not await store._driver.read(f"SELECT 1 FROM {table}"), table
    again = await store.add(store.prepare(new_filing(b"<a/>", key="another", papers=(b"paper",))))
    assert not again.repeat
    assert [act for act, _, _ in await audit(store)] == ["retention.body", "retention.record"]


async def test_of_a_notice_that_was_signed_anew_both_digests_stay(store: Store, clock: Clock) -> None:
    number = await accepted(store, new_filing(b"<a/>"))
    old = next(g for g in await store.signed_since(AT, None, 10) if g.notice.kind is NoticeKind.RECEIPT)
    new = SignedNotice(NoticeKind.RECEIPT, AT + DAYS, b"<anew/>")
    assert await store.reissue(Reissues((Reissue(old, new),), "notices-1", "lan", "stolen", AT + DAYS)) == 1
    clock.now = AT + 31 * DAYS
    assert await store.remove_ended(RECORD, 10) == 1
    gone = await store.removed(number)
    assert gone is not None
    assert gone.notices["receipt"] == hashlib.sha256(new.document).hexdigest()
    (before,) = [digest for kind, digest in gone.notices.items() if kind.startswith("receipt of ")]
    assert before == hashlib.sha256(old.notice.document).hexdigest()
    assert not await store._driver.read("SELECT 1 FROM superseded_notice")


async def test_nothing_goes_before_it_has_ended_nor_of_another_family(store: Store, clock: Clock) -> None:
    waiting = (await store.add(prepared(b"<waits/>"))).filing.number
    clock.now = AT + 20 * DAYS
    late = await accepted(store, new_filing(b"<late/>", period="Q3/2026"))
    clock.now = AT + 25 * DAYS
    assert await store.remove_ended(BODY, 10) == 0, "one has not ended, one ended five days ago"
    assert await store.remove_ended(Rule("permit", Part.BODY, "1 day"), 10) == 0
    clock.now = AT + 31 * DAYS
    assert await store.remove_ended(BODY, 10) == 1
    assert await store.document(late) is None
    assert await store.document(waiting) == b"<waits/>"


async def test_what_still_goes_to_a_cooperating_agency_stays(store: Store, clock: Clock) -> None:
    handover = Handover("police", "commune-police", "Công an", HandoverStatus.WAITING, "", "", "")
    number = await accepted(store, new_filing(b"<a/>"), (handover,))
    clock.now = AT + 31 * DAYS
    assert await store.remove_ended(RECORD, 10) == await store.remove_ended(BODY, 10) == 0
    assert await store.document(number) == b"<a/>"


async def test_what_had_nowhere_to_go_is_not_sent_once_its_body_is_gone(store: Store, clock: Clock) -> None:
    handover = Handover("police", "commune-police", "Công an", HandoverStatus.NOT_JOINED, "", "", "")
    number = await accepted(store, new_filing(b"<a/>"), (handover,))
    clock.now = AT + 11 * DAYS
    assert await store.remove_ended(BODY, 10) == 1
    with pytest.raises(NotStuck, match="no longer kept"):
        await store.replay(number, "operator", "they have joined", "police")
    assert not await store.claim_handovers("w", 9, 60)


async def test_what_is_kept_stays_until_it_is_released(store: Store, clock: Clock) -> None:
    number = await accepted(store, new_filing(b"<a/>"))
    await store.keep(number, "operator", "án số 12")
    with pytest.raises(NotHeld, match="án số 12"):
        await store.keep(number, "operator", "again")
    with pytest.raises(NotFound):
        await store.keep("SLA-none", "operator", "why")
    assert [(one.number, one.why) for one in await store.kept()] == [(number, "án số 12")]
    clock.now = AT + 31 * DAYS
    assert await store.remove_ended(RECORD, 10) == await store.remove_ended(BODY, 10) == 0
    await store.let_go(number, "operator", "closed")
    with pytest.raises(NotHeld):
        await store.let_go(number, "operator", "closed")
    assert await store.remove_ended(BODY, 10) == 1
    acts = await store._driver.read("SELECT act FROM audit WHERE subject = ? ORDER BY seq", (number,))
    assert [row[0] for row in acts] == ["filing.keep", "filing.unkeep"]


async def test_many_go_page_by_page(store: Store, clock: Clock) -> None:
    refused = [new_filing(b"<r%d/>" % n, status=Status.REFUSED) for n in range(7)]
    for one in refused:
        await store.add(store.prepare(one))
    clock.now = AT + 11 * DAYS
    assert await store.remove_ended(BODY, 3) == 7
    assert [len(json.loads(detail)) for _, _, detail in await audit(store)] == [3, 3, 1]


async def test_one_clock_alone_ends_no_term(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accepted(store, new_filing(b"<a/>"))
    clock.now = AT + 3650 * DAYS
    monkeypatch.setattr("gateway.store.operator_side.time_of_seconds", lambda _: AT + DAYS)
    assert await store.remove_ended(BODY, 10) == 0


async def test_a_large_body_leaves_the_folder_once_no_filing_names_it(
    place: str, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FolderBlobs(tmp_path / "bodies", over_bytes=1)
    store = await open_store(place, clock, bodies=Bodies(folder))
    number = await accepted(store, new_filing(b"<large/>"))
    clock.now = AT + 11 * DAYS
    monkeypatch.setattr("gateway.store.blobs.ORPHANED_SECONDS", -1.0)
    monkeypatch.setattr("gateway.store.bodies._SEEN_SECONDS", 0.0)
    await store.sweep()
    time.sleep(0.01)
    assert await store.sweep() == 0
    assert await store.remove_ended(BODY, 10) == 1
    assert await store.sweep() == 1
    assert await store.document(number) is None
    await store.close()


@pytest.mark.parametrize(
    ("term", "at", "expected"),
    [
        ("10 years", datetime(2036, 11, 24, 8, tzinfo=UTC), AT),
        ("1 year", datetime(2028, 2, 29, tzinfo=UTC), datetime(2027, 2, 28, tzinfo=UTC)),
        ("1 month", datetime(2026, 3, 31, tzinfo=UTC), datetime(2026, 2, 28, tzinfo=UTC)),
        ("18 months", datetime(2026, 5, 1, tzinfo=UTC), datetime(2024, 11, 1, tzinfo=UTC)),
        ("12 months", datetime(2026, 12, 31, tzinfo=UTC), datetime(2025, 12, 31, tzinfo=UTC)),
        ("90 days", datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_terms_are_of_the_calendar(term: str, at: datetime, expected: datetime) -> None:
    assert before(term, at) == expected


@pytest.mark.parametrize("term", ["0 days", "ten years", "10", "10 years ", "9999 years", "-1 day", "١ day"])
def test_what_is_no_term_is_said(term: str) -> None:
    with pytest.raises(ValueError, match="term"):
        before(term, AT)


def test_a_record_does_not_go_before_its_parts() -> None:
    assert rules_of("permit", {"body": "1 year", "record": "12 months"})
    with pytest.raises(ValueError, match="may not go before"):
        rules_of("permit", {"body": "10 years", "record": "5 years"})
    assert rules_of("permit", {}) == []


def test_settings_go_before_the_family_and_name_a_known_one() -> None:
    from msgspec.structs import replace

    import schemas
    from gateway.upkeep import retention_rules

    families = dict(schemas.load_catalogue().families)
    families["permit"] = replace(families["permit"], retention={"body": "5 years", "papers": "5 years"})

    class Said:
        retention = (RetentionSettings(family="permit", body="7 years"),)

    assert [str(rule) for rule in retention_rules(Said, families)] == [  # type: ignore[arg-type]
        "permit body: 7 years",
        "permit papers: 5 years",
    ]
    Said.retention = (RetentionSettings(family="permits", body="7 years"),)
    with pytest.raises(ConfigurationError, match="permits"):
        retention_rules(Said, families)  # type: ignore[arg-type]


def test_no_family_of_ours_removes_anything_unasked() -> None:
    import schemas

    assert not any(family.retention for family in schemas.load_catalogue().families.values())
