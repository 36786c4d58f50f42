"""hand_over: give an accepted filing to one cooperating agency, as often as it takes, under one key for each."""

from __future__ import annotations

import adapters
from gateway.delivery.ask import ask
from gateway.delivery.deliver import submit
from gateway.delivery.room import NoRoom
from gateway.delivery.world import DeliveryWorld
from gateway.filing.attempt import Attempt
from gateway.filing.handover import HandoverStatus
from gateway.filing.story import told
from gateway.ports import HandoverClaim, HandoverOutcome

_BETWEEN = "~"


async def hand_over(claim: HandoverClaim, world: DeliveryWorld) -> HandoverOutcome:
    """Gives `delivered`; `waiting` again after a passing failure; `stuck` where the agency calls the request wrong;
    `not-joined` where no back-end serves the agency any more. A cooperating agency's own verdict is not asked for."""
    handover = claim.handover
    backend = await world.agencies.serving(handover.agency, handover.office)
    if backend is None:
        reason = f"no back-end serves {handover.agency}"
        return HandoverOutcome(claim, HandoverStatus.NOT_JOINED, "handover-not-joined", reason)
    adapter = world.adapters.get(backend.id)
    if adapter is None:
        return waits(claim, f"this process has no adapter for agency {backend.id}", world)
    if handover.backend != backend.id:  # its limits and its breaker are asked first
        return HandoverOutcome(claim, HandoverStatus.WAITING, None, due_seconds=0.0, backend=backend.id)
    return await _handed_over(claim, adapter, backend.id, world)


async def _handed_over(
    claim: HandoverClaim, adapter: adapters.Adapter, backend: str, world: DeliveryWorld
) -> HandoverOutcome:
    handover = claim.handover
    call = submit(claim.filing, adapter, world, key=key_of(claim), agency=handover.agency)
    try:
        answer, attempt = await ask("hand-over", backend, call)
    except NoRoom as full:
        return HandoverOutcome(claim, HandoverStatus.WAITING, None, handover.detail, due_seconds=full.seconds)
    if isinstance(answer, adapters.Unavailable):
        return waits(claim, attempt.answer, world, attempt)
    if isinstance(answer, adapters.Rejected):
        return HandoverOutcome(claim, HandoverStatus.STUCK, "handover-stuck", attempt.answer, attempt=attempt)
    return HandoverOutcome(
        claim, HandoverStatus.DELIVERED, "handover-delivered", attempt.answer, attempt=attempt
    )


def key_of(claim: HandoverClaim) -> str:
    """The idempotency key towards a cooperating agency: another one than the lead's, which may share the back-end."""
    return f"{claim.filing.number}{_BETWEEN}{claim.handover.agency}"


def parts_of(key: str) -> tuple[str, str]:
    """Filing number and cooperating agency, "" for a lead agency's key."""
    number, _, agency = key.partition(_BETWEEN)
    return number, agency


def waits(
    claim: HandoverClaim, detail: str, world: DeliveryWorld, attempt: Attempt | None = None
) -> HandoverOutcome:
    """Try again later, ever more seldom."""
    return HandoverOutcome(
        claim,
        HandoverStatus.WAITING,
        told("handover-failed", claim.failures),
        detail,
        due_seconds=world.backoff.delay(claim.failures, attempt.retry_after if attempt else None),
        attempt=attempt,
    )
