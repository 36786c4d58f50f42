"""Times on the command line: as options, and as people here read them."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from gateway.admin.times import read_age, read_moment
from gateway.filing.identifiers import VIETNAM


def age(text: str) -> timedelta:
    """`90m`, `2h`, `3d`."""
    try:
        return read_age(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def moment(text: str) -> datetime:
    """`2026-12-21T08:00`: aware; without an offset it is Vietnam's."""
    try:
        return read_moment(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def vietnam(text: str) -> str:
    """A stored time as people here read it."""
    return datetime.fromisoformat(text).astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M:%S")
