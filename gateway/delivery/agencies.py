"""The agencies' back-ends as this process knows them, and which of them serves an agency of the directory."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence

from gateway.ports import Agency

_KNOWN_SECONDS = 1.0


class KnownAgencies:
    """Read by `read` once in a second at most: each filing asks several times."""

    def __init__(self, read: Callable[[], Awaitable[Sequence[Agency]]]) -> None:
        self._read = read
        self._agencies: Sequence[Agency] = ()
        self._read_at = float("-inf")

    async def all(self) -> Sequence[Agency]:
        """See `ports.Registry.agencies`; a change is seen within a second. Raises StoreUnavailable."""
        if time.monotonic() - self._read_at > _KNOWN_SECONDS:
            await self._refresh()
        return self._agencies

    async def serving(self, agency: str, office: str) -> Agency | None:
        """See `backend_of`. That none serves it is said by the registry as it is now. Raises StoreUnavailable."""
        found = backend_of(agency, office, await self.all())
        if found is None:
            await self._refresh()
            found = backend_of(agency, office, self._agencies)
        return found

    async def _refresh(self) -> None:
        self._agencies, self._read_at = await self._read(), time.monotonic()


def backend_of(agency: str, office: str, agencies: Sequence[Agency]) -> Agency | None:
    """The back-end that serves an agency of the directory: one that names it comes before one that names its office."""
    for name in (agency, office):
        for one in agencies:
            if name in one.serves:
                return one
    return None
