"""The watch over deadlines: every filing that waits is looked at when a level is reached, and each level told once."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from gateway.calendar import Deadlines, Milestone
from gateway.errors import StoreUnavailable
from gateway.filing.deadline import SHARES, Level, Watched, level_at, moment, services_of
from gateway.filing.identifiers import VIETNAM
from gateway.ports import Clock

log = structlog.get_logger("deadlines")
_PAGE = 500


class Watching(Protocol):
    """The part of the store that the watch needs."""

    async def reckon_by(self, basis: str) -> bool:
        """Whether the basis is another one than before: everything that waits is then to be reckoned anew."""
        ...

    async def to_look_at(self, limit: int) -> Sequence[Watched]:
        """What is not reckoned yet, or due to be looked at now."""
        ...

    async def record_told(self, watched: Watched, at: datetime | None, level: Level) -> bool:
        """When to look next, and what has been told. False where another process was first."""
        ...


@dataclass(frozen=True, slots=True)
class Standing:
    """A filing's nearest unfulfilled term: `due` is aware."""

    milestone: Milestone
    due: datetime
    level: Level


def standing(watched: Watched, deadlines: Deadlines, now: datetime) -> Standing | None:
    """How a filing in the queue stands; None where no term runs."""
    milestone = Milestone.VERDICT if watched.delivered else Milestone.FORWARDING
    received = watched.filing.received_at
    due = deadlines.of(milestone, services_of(watched.filing), received)
    return None if due is None else Standing(milestone, due, level_at(received, due, now))


class Watch:
    """One per process; whoever writes first tells it, over all processes and nodes."""

    def __init__(
        self, store: Watching, deadlines: Callable[[], Deadlines], now: Clock, seconds: float
    ) -> None:
        self._store = store
        self._deadlines = deadlines
        self._now = now
        self._seconds = seconds
        self._unknown_years: set[int] = set()

    async def run(self) -> None:
        """Look every so often, a quarter more or less by chance, until cancelled."""
        while True:
            try:
                await self.round()
            except StoreUnavailable as error:
                log.warning("watch-failed", error=str(error))
            await asyncio.sleep(self._seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load

    async def round(self) -> None:
        """Look at all that is to be looked at now."""
        deadlines = self._deadlines()
        if await self._store.reckon_by(deadlines.basis):
            log.info("deadlines-reckoned-anew", basis=deadlines.basis)
        while page := await self._store.to_look_at(_PAGE):
            await asyncio.gather(*(self._look(watched, deadlines) for watched in page))

    async def _look(self, watched: Watched, deadlines: Deadlines) -> None:
        now, received = self._now(), watched.filing.received_at
        found = standing(watched, deadlines, now)
        if found is None:
            await self._store.record_told(watched, None, Level.NONE)
            return
        later = [moment(received, found.due, level) for level in SHARES if level > found.level]
        told = max(found.level, watched.warned)
        first = await self._store.record_told(watched, min(later, default=None), told)
        if first and found.level > watched.warned:
            log.warning(
                "deadline",
                level=found.level.name.lower().replace("_", "-"),
                number=watched.filing.number,
                milestone=found.milestone.value,
                due=found.due.astimezone(VIETNAM).isoformat(timespec="seconds"),
                status=watched.filing.status.value,
                agency=watched.filing.agency,
            )
        self._tell_unknown(found.due.astimezone(VIETNAM), deadlines)

    def _tell_unknown(self, due: datetime, deadlines: Deadlines) -> None:
        if not deadlines.days.knows(due.date()) and due.year not in self._unknown_years:
            self._unknown_years.add(due.year)
            log.warning("days-off-unknown", year=due.year, mend="enter them in the calendar's days.csv")
