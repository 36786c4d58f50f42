"""recheck: a provisional filing becomes acknowledged or refused once its certificates' status can be had."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import signing
from gateway.delivery.world import DeliveryWorld
from gateway.filing.filing import Filing
from gateway.filing.status import Status
from gateway.intake.identify import Identified
from gateway.intake.parse import parse
from gateway.intake.receive import Received
from gateway.intake.verify import SignatureRules, SignaturesRefused, Verified, verify
from gateway.ports import Claim, Outcome, Provider

_LIMITS = signing.ParseLimits()


async def recheck(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Verify the stored body again as of its receipt, with the status lists of now. Never delivers by itself.

    Gives `acknowledged` with a confirmation, `refused` with a notice, or `provisional` again: an outage
    neither accepts nor refuses, however long it lasts.
    """
    provider = world.registry.provider(claim.filing.provider)
    assert provider is not None, "providers are suspended, never deleted"
    body = await world.deliveries.body(claim.filing.number)
    received = _as_received(claim.filing, body, provider)
    try:
        verified = await asyncio.to_thread(_verify_again, received, world.signatures())
    except SignaturesRefused as refused:
        filing = replace(claim.filing, status=Status.REFUSED, findings=refused.findings)
        notice = world.notary.recheck_notice(filing, world.clock())
        return Outcome(
            claim, Status.REFUSED, "refused", str(refused), notice=notice, findings=refused.findings
        )
    if verified.provisional:
        return Outcome(
            claim,
            Status.PROVISIONAL,
            "still-provisional",
            due_seconds=world.backoff.delay(claim.failures),
            progress=False,
        )
    filing = replace(claim.filing, status=Status.ACKNOWLEDGED, findings=())
    notice = world.notary.recheck_notice(filing, world.clock())
    return Outcome(claim, Status.ACKNOWLEDGED, "acknowledged", due_seconds=0.0, notice=notice, findings=())


def _as_received(filing: Filing, body: bytes, provider: Provider) -> Received:
    return Received(body, filing.digest, filing.received_at, provider, filing.idempotency_key)


def _verify_again(received: Received, rules: SignatureRules) -> Verified:
    return verify(parse(Identified(received), _LIMITS), rules)
