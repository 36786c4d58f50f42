"""Trusted lists (TS 119 612) fetched in the background: verified by the pinned operators, never an older one."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from signing.answers import AnswerFolder, replace_file
from signing.fetching import FetchFailed, FetchLimits, fetch
from signing.trusted_list import TrustedListRefused, check_newer

LIMITS = FetchLimits(seconds=60.0, answer_bytes=32 << 20)
EVERY, AFTER_FAULT = timedelta(hours=6), timedelta(minutes=10)


@dataclass
class ListRefresher:
    """Fetches the lists at `urls` into a folder that `TrustStore.load` reads (`lists/`), each every six hours.

    `allows`: whether an address is of an allowed host. What is kept is the memory: only a list of a later number and
    date of issue takes its place, over restarts and in every process.
    """

    folder: Path
    urls: tuple[str, ...]
    allows: Callable[[str], bool]
    limits: FetchLimits = LIMITS
    _next: dict[str, datetime] = field(default_factory=dict)

    async def round(self, at: datetime) -> tuple[int, tuple[str, ...]]:
        """Fetch what is due at a time (aware): how many lists changed, and every fault. Raises OSError of the disk."""
        changed, faults = 0, list[str]()
        for url in self.urls:
            if at < self._next.get(url, at):
                continue
            try:
                changed += await asyncio.to_thread(self._keep, url, await self._fetched(url), at)
                self._next[url] = at + EVERY
            except (FetchFailed, TrustedListRefused, ValueError) as error:
                faults.append(f"{url[:200]}: {str(error)[:300]}")
                self._next[url] = at + AFTER_FAULT
        return changed, tuple(faults)

    async def _fetched(self, url: str) -> bytes:
        if not self.allows(url):
            raise FetchFailed("its host is not among those allowed")
        answer = await fetch(url, limits=self.limits)
        if answer.status != 200:
            raise FetchFailed(f"status {answer.status}")
        return answer.body

    def _keep(self, url: str, data: bytes, at: datetime) -> bool:
        with AnswerFolder(self.folder).locked(wait=True):
            check_newer(data, self.folder, at)
            file = self.folder / f"fetched-{hashlib.sha256(url.encode()).hexdigest()[:40]}.xml"
            if file.exists() and file.read_bytes() == data:
                return False
            replace_file(file, data)
            return True
