"""What no filing names is removed from the folder of large bodies, long after its commit can still come."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import structlog

from gateway.errors import StoreUnavailable

log = structlog.get_logger("jobs")
_SECONDS = 3600.0


async def keep_sweeping(sweep: Callable[[], Awaitable[int]]) -> None:
    """Once an hour or so, until cancelled. A fault is logged and tried again later."""
    while True:
        try:
            if removed := await sweep():
                log.info("bodies-swept", removed=removed)
        except (OSError, StoreUnavailable) as error:
            log.warning("sweep-failed", error=repr(error))
        await asyncio.sleep(_SECONDS * random.uniform(1.0, 1.25))  # noqa: S311
