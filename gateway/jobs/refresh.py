"""Trust material on disk (anchors, intermediates, CRLs) is read again when its files change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger("jobs")
T = TypeVar("T")


class Reloading(Generic[T]):
    """A value made from a directory, made anew when the directory changes; a failed making keeps the old one."""

    def __init__(self, directory: Path, make: Callable[[Path], T]) -> None:
        self._directory = directory
        self._make = make
        self._print = _fingerprint(directory)
        self._value = make(directory)

    def __call__(self) -> T:
        """The value in force."""
        return self._value

    async def watch(self, seconds: float) -> None:
        """Look every `seconds`, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Look now."""
        seen = _fingerprint(self._directory)
        if seen == self._print:
            return
        try:
            self._value = self._make(self._directory)
        except Exception:  # whatever is wrong with the new files, the old ones go on serving
            log.exception("reload-failed", directory=str(self._directory))
        else:
            log.info("reloaded", directory=str(self._directory))
        self._print = seen


def _fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            stat = path.stat()
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)
