"""Where documents are judged: small ones on the event loop, one a turn; large ones in a few threads of their own.

A small document costs two or three milliseconds. Handed to a thread, it costs half as much again: the two threads
take the interpreter lock from each other at every call into lxml and OpenSSL. A large document would stop the
loop for long, and spends its time in C, where the lock is free: it goes to a thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from gateway.errors import Busy

T = TypeVar("T")


class HybridCheckPool:
    """See `ports.CheckPool`. With `inline_bytes` -1 every document goes to a thread, and so it does while one may have
    to wait for its form (`prepared`).

    At most `waiting` jobs wait for their turn or thread; the next one is refused."""

    def __init__(
        self, *, inline_bytes: int, threads: int, waiting: int, prepared: Callable[[], bool] = lambda: True
    ) -> None:
        self._inline_bytes = inline_bytes
        self._prepared = prepared
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="check")
        self._room = 1 + threads + waiting
        self._turn = asyncio.Lock()

    def refuse_when_full(self) -> None:
        """Raises Busy where `run` would."""
        if self._room <= 0:
            raise Busy("too many documents wait to be checked")

    async def run(self, work: Callable[[], T], size: int) -> T:
        """See `ports.CheckPool.run`."""
        self.refuse_when_full()
        self._room -= 1
        try:
            if size > self._inline_bytes or not self._prepared():
                return await asyncio.get_running_loop().run_in_executor(self._executor, work)
            async with self._turn:
                try:
                    return work()
                finally:
                    await asyncio.sleep(0)  # between two documents the loop does everything else that waits
        finally:
            self._room += 1

    def close(self) -> None:
        """Let what runs finish."""
        self._executor.shutdown(wait=True)
