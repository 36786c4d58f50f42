"""What is observed of a process that serves: by what `/readyz` judges it, and the figures of `/metrics`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime

from gateway.api.health import ReadyCheck
from gateway.metrics import AgencyFigures, CertificateFigures, QueueFigures
from gateway.notary import XmlNotary
from gateway.ports import Clock
from gateway.register.entry import IN_FORCE
from gateway.store.store import Store


def ready_checks(
    store: Store, notary: XmlNotary, now: Clock, jobs: Mapping[str, asyncio.Task[None]]
) -> dict[str, ReadyCheck]:
    """By what `/readyz` judges whether a promise can be kept."""

    async def notices() -> str | None:
        return await notary.fault(now())

    async def running_jobs() -> str | None:
        return ", ".join(name for name, task in jobs.items() if task.done()) or None

    return {"store": store.fault, "notices": notices, "jobs": running_jobs}


async def large_bodies(store: Store) -> str | None:
    """While large ones cannot be kept the others are: that takes no node out of service."""
    return None if await store.no_room_over() is None else "large ones are refused"


async def figures(store: Store) -> QueueFigures:
    """Walks over the queue. Raises StoreUnavailable."""
    survey = await store.survey()
    agencies = [
        AgencyFigures(
            one.agency,
            one.state,
            one.waiting,
            one.in_flight,
            datetime.fromisoformat(one.oldest) if one.oldest else None,
        )
        for one in survey.lanes
    ]
    certificates = [
        CertificateFigures(entry.id, entry.purpose.value, entry.valid_to)
        for entry in await store.entries()
        if entry.state in IN_FORCE and not entry.endless
    ]
    waiting = await store.warnings_waiting()
    return QueueFigures(survey.filings, agencies, await store.overdue(), certificates, waiting)
