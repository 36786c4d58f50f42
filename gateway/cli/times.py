"""Times as operators type them: ages (`90m`, `2h`, `3d`) and moments, which are Vietnam's unless they say otherwise."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click

from gateway.filing.identifiers import VIETNAM

_AGE = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def age(text: str) -> timedelta:
    """`90m`, `2h`, `3d`."""
    found = _AGE.fullmatch(text)
    if found is None:
        raise click.BadParameter(f"{text!r} is no age: 45s, 90m, 2h, 3d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def moment(text: str) -> datetime:
    """`2026-12-21T08:00`: aware; without an offset it is Vietnam's."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no moment: 2026-12-21T08:00, Vietnam's time") from None
    return found if found.tzinfo else found.replace(tzinfo=VIETNAM)


def vietnam(text: str) -> str:
    """A stored time as people here read it."""
    return datetime.fromisoformat(text).astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")
