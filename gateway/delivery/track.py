"""track: ask the agency what it has decided, until it has."""

from __future__ import annotations

import adapters
from gateway.delivery.ask import ask
from gateway.delivery.deliver import poll_seconds
from gateway.delivery.notify import verdict_outcome
from gateway.delivery.world import DeliveryWorld, failed, key_of, without_adapter
from gateway.filing.filing import Filing
from gateway.filing.portal import AGENCY_PROGRESS
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome


async def track(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Gives the verdict with its notice; `delivered` again while it is pending or the agency is out of reach;
    `delivering` where the agency has never seen the filing (it lost it, or answered before it was durable)."""
    filing = claim.filing
    adapter = world.adapters.get(filing.agency or "")
    if adapter is None:
        return without_adapter(claim, "poll-failed", world)
    found, attempt = await ask("track", filing.agency or "", adapter.fetch(key_of(filing)))
    if isinstance(found, adapters.Unavailable | adapters.Rejected):
        return failed(claim, "poll-failed", attempt, world)
    if isinstance(found, adapters.Verdict):
        return await verdict_outcome(claim, found, attempt, world)
    if isinstance(found, adapters.Unknown):
        detail = filing.agency or ""
        return Outcome(
            claim, Status.DELIVERING, "unknown-to-agency", detail, due_seconds=0.0, attempt=attempt
        )
    progress = await _news(filing, found, world)
    delay = await poll_seconds(filing, world, 0 if progress else claim.failures)
    return Outcome(
        claim,
        Status.DELIVERED,
        AGENCY_PROGRESS if progress else None,
        progress,
        due_seconds=delay,
        progress=bool(progress),
        reference=found.reference,
        attempt=attempt,
    )


async def _news(filing: Filing, found: adapters.Pending, world: DeliveryWorld) -> str:
    """What the agency says of its progress, as the story has it; "" where it says what it said before, or nothing."""
    if found.progress is None:
        return ""
    said = f"{found.progress.status} {found.progress.note}".strip()
    told_before = [
        event.detail for event in await world.story(filing.number) if event.name == AGENCY_PROGRESS
    ]
    return said if told_before[-1:] != [said] else ""
