"""A bounded pool of check threads: lxml and OpenSSL release the GIL, so the event loop stays free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.errors import Busy

T = TypeVar("T")


class ThreadCheckPool:
    """See `ports.CheckPool`. `waiting` more jobs than `threads` may be in the pool; the next is refused."""

    def __init__(self, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="check")
        self._room = threads + waiting

    def refuse_when_full(self) -> None:
        """Raises Busy where `run` would."""
        if self._room <= 0:
            raise Busy("all check threads are busy and the queue is full")

    async def run(self, work: Callable[[], T]) -> T:
        """See `ports.CheckPool.run`."""
        self.refuse_when_full()
        self._room -= 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, work)
        finally:
            self._room += 1

    def close(self) -> None:
        """Let what runs finish."""
        self._executor.shutdown(wait=True)
