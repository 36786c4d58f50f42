"""What the store needs now and then: nothing waits for it, and what fails is tried again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping

import structlog

from gateway.errors import StoreUnavailable

log = structlog.get_logger("jobs")
_SECONDS = 3600.0


async def keep_up(chores: Mapping[str, Callable[[], Awaitable[int]]]) -> None:
    """Each chore, one after another, once an hour or so, until cancelled; what they have done is told by name."""
    while True:
        for name, chore in chores.items():
            try:
                if done := await chore():
                    log.info(name, count=done)
            except (OSError, StoreUnavailable) as error:
                log.warning("upkeep-failed", chore=name, error=repr(error))
            except Exception:  # a fault of ours in one leaves the others, and the filings, alone
                log.exception("upkeep-failed", chore=name)
        await asyncio.sleep(_SECONDS * random.uniform(1.0, 1.25))  # noqa: S311
