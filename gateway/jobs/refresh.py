"""What lies on disk (anchors, intermediates, CRLs; the catalogue of forms) is read again when its files change."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Hashable
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Generic, TypeVar

import structlog

log = structlog.get_logger("jobs")
T = TypeVar("T")


class Reloading(Generic[T]):
    """A value made from a directory, made anew when the directory, or what `also` gives, changes.

    A failed making keeps the old one.
    """

    def __init__(
        self, directory: Path, make: Callable[[Path], T], also: Callable[[], Hashable] = lambda: None
    ) -> None:
        self._directory = directory
        self._make = make
        self._also = also
        self._looking = threading.Lock()
        self._print = self._seen()
        self._fault: str | None = None
        self._value = make(directory)

    def __call__(self) -> T:
        """The value in force."""
        return self._value

    @property
    def fault(self) -> str | None:
        """Why the last making failed; None where it did not."""
        return self._fault

    def _seen(self) -> Hashable:
        return _fingerprint(self._directory), self._also()

    async def watch(self, seconds: float) -> None:
        """Look every `seconds`, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Look now. What fails is tried again at the next look: the fault may have been ours, or passing."""
        with self._looking:
            self._refresh()

    def _refresh(self) -> None:
        try:
            seen = self._seen()
            if seen == self._print:
                return
            self._value = self._make(self._directory)
        except Exception as error:  # whatever is wrong with the new files, the old ones go on serving
            known, self._fault = self._fault, repr(error)
            if known != self._fault:
                log.exception("reload-failed", directory=str(self._directory))
        else:
            self._print, self._fault = seen, None
            log.info("reloaded", directory=str(self._directory))


def _fingerprint(directory: Path) -> tuple[tuple[str, int, int], ...]:
    found = []
    for path in sorted(directory.rglob("[!.]*")):
        with suppress(FileNotFoundError):  # replaced while we look: the next look sees the new one
            stat = path.stat()
            if not S_ISREG(stat.st_mode) or path.suffix == ".pyc":
                continue
            found.append((str(path), stat.st_mtime_ns, stat.st_size))
    return tuple(found)
