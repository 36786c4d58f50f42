"""How many octets may be on their way to agencies at once: dossiers with papers are large, and many may be due."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class NoRoom(Exception):
    """Not now; nothing was read or sent. Try again after `seconds`."""

    def __init__(self, seconds: float = 1.0) -> None:
        super().__init__("too many octets are on their way")
        self.seconds = seconds


class Room:
    """Counts the octets of filings under way. One alone is let in whatever its size."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._taken = 0

    @contextmanager
    def hold(self, size: int) -> Iterator[None]:
        """For as long as the block lasts. Raises NoRoom."""
        if self._taken and self._taken + size > self._most:
            raise NoRoom
        self._taken += size
        try:
            yield
        finally:
            self._taken -= size
