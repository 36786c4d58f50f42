"""The time of business, for who has nobody to be given it by: the composition root and the command line."""

from __future__ import annotations

from datetime import UTC, datetime


def clock() -> datetime:
    """Now, aware."""
    return datetime.now(UTC)
