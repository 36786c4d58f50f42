"""Deadlines: reckoned from the receipt, told once for each level over all processes, and visible, on both engines."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.calendar import OWN_CALENDAR, Deadlines, load_deadlines
from gateway.filing.status import Status
from gateway.jobs.watch import Watch
from gateway.ports import Outcome
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared

DEADLINES = load_deadlines(OWN_CALENDAR)
VERDICT_DUE = datetime.fromisoformat("2026-11-26T00:00:00+07:00")
"""Of what is received on 24 November (a day off) 2026: the end of the 25th."""


@dataclass
class Watched:
    """Two processes that watch one store; `at` is their time."""

    one: Store
    two: Store
    at: datetime
    deadlines: Deadlines = DEADLINES

    async def look(self) -> list[tuple[str, str]]:
        """Both look at once: the level and the milestone of every warning."""
        watches = [
            Watch(store, lambda: self.deadlines, lambda: self.at, 1.0) for store in (self.one, self.two)
        ]
        with capture_logs() as logs:
            await asyncio.gather(*(watch.round() for watch in watches))
        return [(entry["level"], entry["milestone"]) for entry in logs if entry["event"] == "deadline"]

    async def delivered(self) -> None:
        (claim,) = await self.one.claim_due("w", 9, 30)
        await self.one.record_outcome(Outcome(claim, Status.DELIVERED, "delivered", due_seconds=0))


@pytest.fixture
async def watched(place: str) -> AsyncIterator[Watched]:
    made = Watched(None, None, AT)  # type: ignore[arg-type]
    made.one, made.two = [await open_store(place, lambda: made.at) for _ in range(2)]
    await made.one.add(prepared())
    yield made
    await made.one.close()
    await made.two.close()


async def test_each_level_is_told_once_by_whichever_process(watched: Watched) -> None:
    told = []
    for minutes in (0, 44, 46, 50, 61, 70, 119, 121, 5000):
        watched.at = AT + timedelta(minutes=minutes)
        told.append((minutes, await watched.look()))
    assert [(minutes, levels) for minutes, levels in told if levels] == [
        (46, [("near", "forwarding")]),
        (61, [("overdue", "forwarding")]),
        (121, [("long-overdue", "forwarding")]),
    ]
    assert await watched.one.overdue() == {"forwarding": 1, "verdict": 0}


async def test_what_is_found_late_is_told_at_its_level_alone(watched: Watched) -> None:
    watched.at = AT + timedelta(days=2)
    assert await watched.look() == [("long-overdue", "forwarding")]


async def test_a_filing_that_has_reached_its_agency_waits_for_its_verdict(watched: Watched) -> None:
    watched.at = AT + timedelta(minutes=61)
    assert await watched.look() == [("overdue", "forwarding")]
    await watched.delivered()
    assert await watched.look() == []
    assert await watched.one.overdue() == {"forwarding": 0, "verdict": 0}
    watched.at = VERDICT_DUE - timedelta(minutes=1)
    assert await watched.look() == [("near", "verdict")]
    watched.at = VERDICT_DUE
    assert await watched.look() == [("overdue", "verdict")]
    assert await watched.one.overdue() == {"forwarding": 0, "verdict": 1}


async def test_another_calendar_has_all_reckoned_anew(watched: Watched, tmp_path: Path) -> None:
    await watched.delivered()
    assert await watched.look() == []
    folder = tmp_path / "calendar"
    shutil.copytree(OWN_CALENDAR, folder)
    days = folder / "days.csv"
    days.write_text(days.read_text("utf-8") + "2026-11-25,off,a,b,announced late\n", "utf-8")
    watched.deadlines = load_deadlines(folder)
    watched.at = VERDICT_DUE
    assert await watched.look() == [], "the 25th is off: by the end of the 26th"
    watched.at += timedelta(days=1)
    assert await watched.look() == [("overdue", "verdict")]


async def test_what_has_no_term_is_never_late(watched: Watched) -> None:
    watched.deadlines = Deadlines([], DEADLINES.days, "none")
    watched.at = AT + timedelta(days=400)
    assert await watched.look() == []
    assert len(await watched.one.late(9, all_that_waits=True)) == 1


async def test_many_are_looked_at_in_pages(watched: Watched) -> None:
    await asyncio.gather(*(watched.one.add(prepared(str(i).encode())) for i in range(1100)))
    watched.at = AT + timedelta(minutes=61)
    assert len(await watched.look()) == 1101
    assert len(await watched.two.late(5000)) == 1101


def test_a_year_whose_days_off_are_unknown_is_told_once() -> None:
    watch = Watch(None, lambda: DEADLINES, lambda: AT, 1.0)  # type: ignore[arg-type]
    with capture_logs() as logs:
        for _ in range(2):
            watch._tell_unknown(AT.replace(year=2031), DEADLINES)
            watch._tell_unknown(AT, DEADLINES)
    assert [(entry["event"], entry["year"]) for entry in logs] == [("days-off-unknown", 2031)]
