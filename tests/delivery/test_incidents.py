"""The authority down on the last day: what is filed then, or on the day after it is back, counts as in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

import schemas
from gateway.calendar import OWN_CALENDAR, in_time_by, load_deadlines
from gateway.errors import NotFound
from gateway.filing.identifiers import VIETNAM
from gateway.filing.incident import Incident
from gateway.store.incidents import IncidentRefused
from gateway.store.opening import open_store
from gateway.store.seeds import Seed
from gateway.store.store import Store
from tests.documents import signed
from tests.gateway.builders import AT
from tests.house import house_at

DAYS = load_deadlines(OWN_CALENDAR).days
FRIDAY = date(2026, 11, 20)  # the last day of October's declaration


def vn(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


def down(first: str, until: str | None, agency: str = "tax") -> Incident:
    return Incident("SC-1", agency, vn(first), vn(until) if until else None, "mất điện", "me", AT)


@pytest.mark.parametrize(
    ("received", "first", "until", "counts"),
    [
        ("2026-11-20T23:59", "2026-11-20T08:00", "2026-11-20T20:00", True),  # on the day itself
        (
            "2026-11-23T23:59",
            "2026-11-20T08:00",
            "2026-11-20T20:00",
            True,
        ),  # back on Friday: Monday is the day after
        ("2026-11-25T00:00", "2026-11-20T08:00", "2026-11-20T20:00", False),
        (
            "2026-11-25T23:00",
            "2026-11-19T08:00",
            "2026-11-23T20:00",
            True,
        ),  # back on Monday; Tuesday is a day off
        ("2026-11-26T00:00", "2026-11-19T08:00", "2026-11-23T20:00", False),
        ("2026-11-20T10:00", "2026-11-19T08:00", "2026-11-19T20:00", False),  # it was back on the last day
        ("2026-11-23T10:00", "2026-11-21T08:00", "2026-11-22T20:00", False),  # it went down the day after
        (
            "2026-11-19T23:59",
            "2026-11-20T00:00",
            "2026-11-20T20:00",
            False,
        ),  # filed before it went down
        ("2026-12-20T10:00", "2026-11-20T08:00", None, True),  # it goes on
    ],
)
def test_which_filings_count(received: str, first: str, until: str | None, counts: bool) -> None:
    found = in_time_by([down(first, until)], DAYS, agency="tax", due=FRIDAY, received=vn(received))
    assert (found is not None) is counts


def test_a_last_day_that_is_off_is_the_next_working_day() -> None:
    sunday = date(2026, 11, 29)
    monday = down("2026-11-30T08:00", "2026-11-30T20:00")
    found = in_time_by([monday], DAYS, agency="tax", due=sunday, received=vn("2026-12-01T10:00"))
    assert found is not None
    assert found.last_day == date(2026, 11, 30)


def test_another_agencys_incident_is_none() -> None:
    incident = down("2026-11-20T08:00", None, "customs")
    assert in_time_by([incident], DAYS, agency="tax", due=FRIDAY, received=vn("2026-11-20T10:00")) is None


class TestStore:
    @pytest.fixture
    async def store(self, place: str) -> AsyncIterator[Store]:
        opened = await open_store(place, lambda: AT)
        plain = {"name": "x", "adapter": "rest", "config": "{}", "serves": "[]", "poll_seconds": 1.0}
        await opened.seed([Seed("agency", {"id": "tax", **plain})], "test")
        yield opened
        await opened.close()

    async def test_an_incident_is_declared_ended_and_audited(self, store: Store) -> None:
        first = vn("2026-11-20T00:30")
        one = await store.declare_incident("tax", first, None, "power cut", "me")
        two = await store.declare_incident("tax", first, first + timedelta(hours=1), "again", "me")
        assert (one.id, two.id) == ("SC-20261120-1", "SC-20261120-2")
        with pytest.raises(IncidentRefused):
            await store.end_incident(one.id, first, "back", "me")
        await store.end_incident(one.id, first + timedelta(hours=3), "back", "me")
        with pytest.raises(IncidentRefused):
            await store.end_incident(one.id, first + timedelta(hours=4), "back", "me")
        assert [found.until for found in await store.incidents()] == [
            first + timedelta(hours=3),
            first + timedelta(hours=1),
        ]
        for what in (
            store.end_incident("SC-0", first, "x", "me"),
            store.declare_incident("x", first, None, "x", "me"),
        ):
            with pytest.raises(NotFound):
                await what
        acts = await store._driver.read("SELECT act, subject FROM audit ORDER BY seq")
        assert [tuple(row) for row in acts][1:] == [
            ("incident.declare", "tax"),
            ("incident.declare", "tax"),
            ("incident.end", "SC-20261120-1"),
        ]


async def test_answer_receipt_and_status_say_so(tmp_path: Path, pki_home: Path) -> None:
    """Q2/2026 was due on Friday 31 July; the authority has been down ever since."""
    async with (
        house_at(tmp_path, pki_home, calendar={"refresh_seconds": 0.05}) as house,
        house.client() as client,
    ):
        filed = await client.submit(signed(house.pki, period="Q2/2026"))
        assert filed.body["summary"]["due"] == "2026-07-31"
        assert "filedInTimeBy" not in filed.body
        one = await house.gateway.store.declare_incident(
            "tax", vn("2026-07-31T08:00"), None, "mất điện", "me"
        )
        async with asyncio.timeout(20):
            while "filedInTimeBy" not in (shown := (await client.status(filed.body["number"])).body):
                await asyncio.sleep(0.02)
        assert shown["filedInTimeBy"] == {
            "incident": one.id,
            "agency": "tax",
            "lastDay": "2026-07-31",
            "from": "2026-07-31T08:00:00+07:00",
            "until": None,
            "why": "mất điện",
        }
        other_period = await client.submit(signed(house.pki, period="Q1/2026"))
        assert "filedInTimeBy" not in other_period.body, "its last day was long before"
        again = await client.submit(signed(house.pki, period="Q2/2026"))
        assert again.body["filedInTimeBy"]["incident"] == one.id
        notice = schemas.read_notice((await client.part(again.body["number"], "receipt")).octets)
        (reason,) = [r for r in notice.reasons if r.code == "filing.in-time-by-incident"]
        assert one.id in reason.error
        assert "hạn cuối 31/07/2026" in reason.error
