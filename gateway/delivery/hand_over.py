"""hand_over: give an accepted filing to one cooperating agency, as often as it takes, under one key for each."""

from __future__ import annotations

import adapters
from gateway.delivery.deliver import submit
from gateway.delivery.room import NoRoom
from gateway.delivery.route import backend_of
from gateway.delivery.world import DeliveryWorld
from gateway.filing.handover import HandoverStatus
from gateway.filing.story import told
from gateway.ports import HandoverClaim, HandoverOutcome

_BETWEEN = "~"


async def hand_over(claim: HandoverClaim, world: DeliveryWorld) -> HandoverOutcome:
    """Gives `delivered`; `waiting` again after a passing failure; `stuck` where the agency calls the request wrong;
    `not-joined` where no back-end serves the agency any more. A cooperating agency's own verdict is not asked for."""
    handover = claim.handover
    backend = backend_of(handover.agency, handover.office, await world.registry.agencies())
    if backend is None:
        reason = f"no back-end serves {handover.agency}"
        return HandoverOutcome(claim, HandoverStatus.NOT_JOINED, "handover-not-joined", reason)
    adapter = world.adapters.get(backend.id)
    if adapter is None:
        return waits(claim, f"this process has no adapter for agency {backend.id}", world)
    try:
        submitted = await submit(claim.filing, adapter, world, key=key_of(claim), agency=handover.agency)
    except NoRoom as full:
        return HandoverOutcome(claim, HandoverStatus.WAITING, None, handover.detail, due_seconds=full.seconds)
    except adapters.Unavailable as error:
        return waits(claim, str(error), world, error.retry_after)
    except adapters.Rejected as error:
        return HandoverOutcome(claim, HandoverStatus.STUCK, "handover-stuck", str(error))
    return HandoverOutcome(claim, HandoverStatus.DELIVERED, "handover-delivered", submitted.reference or "")


def key_of(claim: HandoverClaim) -> str:
    """The idempotency key towards a cooperating agency: another one than the lead's, which may share the back-end."""
    return f"{claim.filing.number}{_BETWEEN}{claim.handover.agency}"


def parts_of(key: str) -> tuple[str, str]:
    """Filing number and cooperating agency, "" for a lead agency's key."""
    number, _, agency = key.partition(_BETWEEN)
    return number, agency


def waits(
    claim: HandoverClaim, detail: str, world: DeliveryWorld, retry_after: float | None = None
) -> HandoverOutcome:
    """Try again later, ever more seldom."""
    delay = world.backoff.delay(claim.failures, retry_after)
    return HandoverOutcome(
        claim, HandoverStatus.WAITING, told("handover-failed", claim.failures), detail, due_seconds=delay
    )
