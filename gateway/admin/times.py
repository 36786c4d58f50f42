"""Times as administrators write them: ages (`90m`, `2h`, `3d`) and moments, Vietnam's unless they say otherwise."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from gateway.filing.identifiers import VIETNAM

_AGE = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def read_age(text: str) -> timedelta:
    """`45s`, `90m`, `2h`, `3d`. Raises ValueError."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no age: 45s, 90m, 2h, 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def read_moment(text: str) -> datetime:
    """`2026-12-21T08:00`: aware; without an offset it is Vietnam's. Raises ValueError."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no moment: 2026-12-21T08:00, Vietnam's time") from None
    return found if found.tzinfo else found.replace(tzinfo=VIETNAM)


def local(at: datetime) -> str:
    """A time (aware) in ISO 8601 with Vietnam's offset, to the second."""
    return at.astimezone(VIETNAM).isoformat(timespec="seconds")
