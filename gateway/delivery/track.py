"""track: ask the agency what it has decided, until it has."""

from __future__ import annotations

import adapters
from gateway.delivery.deliver import poll_seconds
from gateway.delivery.notify import verdict_outcome
from gateway.delivery.world import DeliveryWorld, key_of, without_adapter
from gateway.filing.status import Status
from gateway.filing.story import told
from gateway.ports import Claim, Outcome


async def track(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Gives the verdict with its notice; `delivered` again while it is pending or the agency is out of reach;
    `delivering` where the agency has never seen the filing (it lost it, or answered before it was durable)."""
    filing = claim.filing
    adapter = world.adapters.get(filing.agency or "")
    if adapter is None:
        return without_adapter(claim, "poll-failed", world)
    try:
        found = await adapter.fetch(key_of(filing))
    except (adapters.Unavailable, adapters.Rejected) as error:
        delay = world.backoff.delay(claim.failures, getattr(error, "retry_after", None))
        event = told("poll-failed", claim.failures)
        return Outcome(claim, Status.DELIVERED, event, str(error), due_seconds=delay, progress=False)
    if isinstance(found, adapters.Verdict):
        return await verdict_outcome(claim, found, world)
    if isinstance(found, adapters.Unknown):
        return Outcome(claim, Status.DELIVERING, "unknown-to-agency", filing.agency or "", due_seconds=0.0)
    delay = await poll_seconds(filing, world, claim.failures)
    return Outcome(claim, Status.DELIVERED, None, due_seconds=delay, progress=False)
