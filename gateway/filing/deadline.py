"""How near, or how far past, its term a filing is: levels that are each told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from gateway.filing.filing import Filing


class Level(IntEnum):
    """NEAR: three quarters of the time are gone; OVERDUE: all of it; LONG_OVERDUE: as much again."""

    NONE = 0
    NEAR = 1
    OVERDUE = 2
    LONG_OVERDUE = 3


SHARES = {Level.NEAR: 0.75, Level.OVERDUE: 1.0, Level.LONG_OVERDUE: 2.0}
"""Of the time from the receipt to the deadline."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A filing in the queue, as the watch sees it.

    `delivered`: it is with its agency, and its verdict is awaited. `warn_at`: when it is to be looked at next, as the
    store wrote it; None: not reckoned yet. `warned`: the last level that was told.
    """

    filing: Filing
    delivered: bool
    warn_at: str | None
    warned: Level


def level_at(received: datetime, due: datetime, now: datetime) -> Level:
    """The highest level that has been reached."""
    return max((level for level in SHARES if moment(received, due, level) <= now), default=Level.NONE)


def moment(received: datetime, due: datetime, level: Level) -> datetime:
    """When a level is reached."""
    return received + (due - received) * SHARES[level]


def services_of(filing: Filing) -> Sequence[str]:
    """The names under which a term of the filing may be entered, the narrowest first."""
    about = filing.summary
    return () if about is None else (about.form_code, about.family)
