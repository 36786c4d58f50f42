"""The gate before intake: closed while nothing can be promised, or too much waits; asked before a body is read.

While large bodies alone cannot be kept it is closed to them, and open to the others.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import structlog

from gateway.errors import Busy, StoreUnavailable

log = structlog.get_logger("jobs")
_SECONDS = 1.0
_FASTEST = 10_000.0
"""Filings a second by which the queue of a whole installation grows at most: while it is far from its limit, counting
it every second would cost the store more than it tells."""
_LONGEST_SECONDS = 60.0
_RETRY_AFTER_FAULT = 5
_RETRY_AFTER_QUEUE = 60


class Promises(Protocol):
    """The part of the store that knows whether it can keep a promise."""

    async def fault(self) -> str | None:
        """Why no promise can be kept now, in a word; None when fine."""
        ...

    async def no_room_over(self) -> int | None:
        """Over how many octets, as stored, no body can be kept now, although the store is fine; None: all can."""
        ...

    async def queue_length(self, most: int) -> int:
        """How many filings wait, counted up to `most`."""
        ...


class Gate:
    """`most_waiting`: a queue longer than this takes nothing more in. Of one process, looked at every
    second; the queue is counted the more often, the nearer it is to the limit."""

    def __init__(self, store: Promises, most_waiting: int) -> None:
        self._store = store
        self._most = most_waiting
        self._why: str | None = None
        self._retry_after = _RETRY_AFTER_FAULT
        self._over: int | None = None
        self._count_at = 0.0

    def refuse_when_closed(self) -> None:
        """Raises Busy, with how long to wait."""
        if self._why is not None:
            raise Busy(self._why, self._retry_after)

    def refuse_large(self, size: int) -> None:
        """Raises Busy for a body of so many octets, as sent, where those cannot be kept now.

        One that would be small once compressed is refused too: that is not known before it has been read.
        """
        if self._over is not None and size > self._over:
            raise Busy("large bodies cannot be kept now", _RETRY_AFTER_FAULT)

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_SECONDS)

    async def look(self) -> None:
        """Open or close it, as the store stands now."""
        why, retry_after = await self._reason()
        if (why is None) is not (self._why is None):
            log.warning("intake-closed" if why else "intake-open", why=why or self._why)
        self._why, self._retry_after = why, retry_after
        over = await self._store.no_room_over()
        if (over is None) is not (self._over is None):
            log.warning(
                "large-bodies-taken" if over is None else "large-bodies-refused",
                over_bytes=over or self._over,
            )
        self._over = over

    async def _reason(self) -> tuple[str | None, int]:
        try:
            if (fault := await self._store.fault()) is not None:
                return f"the store: {fault}", _RETRY_AFTER_FAULT
            if (now := time.monotonic()) >= self._count_at:
                left = self._most - await self._store.queue_length(self._most + 1)
                self._count_at = now + min(left / _FASTEST, _LONGEST_SECONDS)
                if left < 0:
                    return "too many filings wait for their agencies", _RETRY_AFTER_QUEUE
        except StoreUnavailable as error:
            return f"the store: {error}", _RETRY_AFTER_FAULT
        return None, 0
