"""The incidents as this process knows them, read again every few seconds: no request waits for the store to tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import structlog

from gateway.calendar import Deadlines, in_time_by
from gateway.delivery.agencies import backend_of
from gateway.delivery.route import lead_of
from gateway.directory import Directory, NoRoute
from gateway.errors import StoreUnavailable
from gateway.filing.filing import Summary
from gateway.filing.incident import Incident, InTime
from gateway.ports import Agency

log = structlog.get_logger("jobs")


class IncidentStore(Protocol):
    """The part of the store that tells of incidents."""

    async def incidents(self) -> Sequence[Incident]:
        """All of them, in order of their beginning."""
        ...

    async def agencies(self) -> Sequence[Agency]:
        """See `ports.Registry`."""
        ...


class KnownIncidents:
    """Whether a filing counts as in time by one of them."""

    def __init__(
        self,
        store: IncidentStore,
        directory: Callable[[], Directory],
        deadlines: Callable[[], Deadlines],
        seconds: float,
    ) -> None:
        self._store = store
        self._directory = directory
        self._deadlines = deadlines
        self._seconds = seconds
        self._incidents: Sequence[Incident] = ()
        self._agencies: Sequence[Agency] = ()

    async def refresh(self) -> None:
        """Read them now. Raises StoreUnavailable."""
        self._incidents, self._agencies = await self._store.incidents(), await self._store.agencies()

    async def run(self) -> None:
        """Read them again every so often, until cancelled."""
        while True:
            await asyncio.sleep(self._seconds)
            try:
                await self.refresh()
            except StoreUnavailable as error:
                log.warning("incidents-not-read", error=str(error))

    def in_time(
        self, summary: Summary | None, received: datetime, agency: str | None = None
    ) -> InTime | None:
        """`agency`: the back-end, where the filing has been routed; else the one that it will be routed to."""
        if not self._incidents or summary is None or summary.due is None:
            return None
        backend = agency or self._backend(summary, received)
        if backend is None:
            return None
        days = self._deadlines().days
        return in_time_by(self._incidents, days, agency=backend, due=summary.due, received=received)

    def _backend(self, summary: Summary, received: datetime) -> str | None:
        try:
            lead = lead_of(summary, received, self._directory())
        except NoRoute:
            return None
        found = backend_of(lead.id, lead.office, self._agencies)
        return found.id if found else None
