"""An adapter in whose place another comes, with new keys, while calls are under way: each ends with the one it began
with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from adapters.base import Adapter, Hear, Listener, Parcel, Pending, Submitted, Unavailable, Unknown, Verdict


class _Used:
    """An adapter, and how many calls are under way with it. `left`: another one has taken its place."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self.left = asyncio.Event()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def call(self) -> Iterator[Adapter]:
        self._calls += 1
        self._idle.clear()
        try:
            yield self.adapter
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def let_go(self) -> None:
        """Give its connections back once the last call has ended, or at once where this is cancelled."""
        self.left.set()
        try:
            await self._idle.wait()
        finally:
            await self.adapter.close()


class Exchangeable:
    """Fulfils `adapters.base.Adapter` by the adapter that is current."""

    def __init__(self, first: Adapter) -> None:
        self._current = _Used(first)
        self._stopped: str | None = None
        self._leaving: set[asyncio.Task[None]] = set()

    def exchange(self, new: Adapter) -> None:
        """From the next call on it is `new`; what was before is closed once its calls have ended."""
        old, self._current, self._stopped = self._current, _Used(new), None
        leaving = asyncio.create_task(old.let_go())
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)

    def stop(self, why: str) -> None:
        """No call begins any more until it is exchanged: each is Unavailable, with the reason."""
        self._stopped = why
        self._current.left.set()

    @property
    def longest_call_s(self) -> float:
        return self._current.adapter.longest_call_s

    @property
    def carries_papers(self) -> bool:
        return self._current.adapter.carries_papers

    async def submit(self, parcel: Parcel) -> Submitted:
        with self._now().call() as adapter:
            return await adapter.submit(parcel)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        with self._now().call() as adapter:
            return await adapter.fetch(key)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict | Pending]:
        return self._current.adapter.read_callback(body, headers)

    async def close(self) -> None:
        for leaving in [*self._leaving]:
            leaving.cancel()
            with suppress(asyncio.CancelledError):
                await leaving
        await self._current.adapter.close()

    def _now(self) -> _Used:
        if self._stopped is not None:
            raise Unavailable(self._stopped)
        return self._current


class ExchangeableListener(Exchangeable):
    """Fulfils `adapters.base.Listener` too: what is heard is heard by the current one."""

    async def listen(self, hear: Hear) -> None:
        while True:
            used = self._now()
            with used.call() as adapter:
                assert isinstance(adapter, Listener), "one of another kind does not take its place"
                await _until_left(adapter, hear, used.left)


async def _until_left(listener: Listener, hear: Hear, left: asyncio.Event) -> None:
    """Listen until another takes its place: a message that was not put away yet comes again, to that one."""
    listening, leaving = asyncio.ensure_future(listener.listen(hear)), asyncio.ensure_future(left.wait())
    try:
        await asyncio.wait((listening, leaving), return_when=asyncio.FIRST_COMPLETED)
        if listening.done():
            listening.result()
    finally:
        for one in (listening, leaving):
            one.cancel()
        await asyncio.wait((listening, leaving))


def exchangeable(first: Adapter) -> Exchangeable:
    """A stand-in for an adapter, which listens where the adapter does."""
    return (ExchangeableListener if isinstance(first, Listener) else Exchangeable)(first)
