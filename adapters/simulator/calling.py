"""The simulated authority calls back: each verdict to the gateway's door, again until it is taken."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import aiohttp

from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Books, Entry
from adapters.simulator.deciding import opposite
from adapters.told import Verdict

_log = logging.getLogger("adapters.simulator")
_FIRST_WAIT, _LONGEST_WAIT = 0.2, 5.0
_TRY_AGAIN = {408, 425, 429}

Letter = Callable[[str, Verdict], tuple[bytes, str] | None]
"""Body and media type of a callback about a key; None where the family has none."""


class Caller:
    """Sends callbacks in the background, each as its filing came in (`letters` by wire).

    `behaviour` and `clock` are asked anew every time.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None,
        books: Books,
        *,
        letters: Mapping[str, Letter],
        behaviour: Callable[[], Behaviour],
        clock: Callable[[], datetime],
    ) -> None:
        self._url = url
        self._books = books
        self._letters = letters
        self._behaviour = behaviour
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=8, ssl=True if tls is None else tls),
            timeout=aiohttp.ClientTimeout(total=30, connect=5),
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    def promise(self, entry: Entry) -> None:
        """Call back about this filing once it is decided."""
        task = asyncio.create_task(self._call_when_decided(entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop calling; what was not taken is promised again after a restart."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._session.close()

    async def _call_when_decided(self, entry: Entry) -> None:
        await asyncio.sleep(max(0.0, (entry.decides_at - self._clock()).total_seconds()))
        behaviour = self._behaviour()
        if not behaviour.callback:
            return
        for verdict in messages(entry.verdict, behaviour):
            letter = self._letters[entry.wire](entry.key, verdict)
            if letter is not None and await self._deliver(entry.key, *letter):
                await self._books.called_back(entry.key)

    async def _deliver(self, key: str, body: bytes, media_type: str) -> bool:
        """Whether the gateway took it; False after it said that it never will."""
        wait = _FIRST_WAIT
        while True:
            status = 503 if self._behaviour().down else await self._post(body, media_type)
            if 200 <= status < 300:
                return True
            if 400 <= status < 500 and status not in _TRY_AGAIN:
                _log.warning("callback about %s answered %d: given up, polls remain", key, status)
                return False
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)

    async def _post(self, body: bytes, media_type: str) -> int:
        """The gateway's status; 0 where there was no answer."""
        try:
            async with self._session.post(
                self._url, data=body, headers={"Content-Type": media_type}, allow_redirects=False
            ) as response:
                return response.status
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            _log.info("callback door not reached: %s", error)
            return 0


def messages(verdict: Verdict, behaviour: Behaviour) -> Iterator[Verdict]:
    """What it says of a verdict by itself, in order."""
    yield verdict
    if behaviour.answer_twice:
        yield verdict
    if behaviour.contradict:
        yield opposite(verdict)
