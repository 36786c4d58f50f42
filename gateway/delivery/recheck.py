"""recheck: a provisional filing becomes acknowledged or refused once its certificates' status can be had."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import signing
from gateway.delivery.world import DeliveryWorld, told
from gateway.filing.filing import Filing
from gateway.filing.findings import Finding
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.intake.identify import Identified
from gateway.intake.parse import parse
from gateway.intake.receive import Received
from gateway.intake.record import evidence_of
from gateway.intake.verify import SignatureRules, SignaturesRefused, Verified, verify
from gateway.ports import Claim, Outcome, Provider


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
        return _settled(claim, Status.REFUSED, refused.findings, refused.report, world)
    if verified.provisional:
        return Outcome(
            claim,
            Status.PROVISIONAL,
            told("still-provisional", claim.failures),
            due_seconds=world.backoff.delay(claim.failures),
            progress=False,
        )
    return _settled(claim, Status.ACKNOWLEDGED, verified.findings, verified.report, world)


def _settled(
    claim: Claim, status: Status, found: tuple[Finding, ...], report: signing.Report, world: DeliveryWorld
) -> Outcome:
    """What `verify` finds now takes the place of what it found then; the findings of the content stay."""
    findings = found + tuple(f for f in claim.filing.findings if f.stage is not Stage.VERIFY)
    filing = replace(claim.filing, status=status, findings=findings)
    return Outcome(
        claim,
        status,
        status.value,
        ", ".join(finding.code for finding in found),
        due_seconds=0.0 if status is Status.ACKNOWLEDGED else None,
        notice=world.notary.recheck_notice(filing, world.clock()),
        findings=findings,
        evidence=evidence_of(report),
    )


def _as_received(filing: Filing, body: bytes, provider: Provider) -> Received:
    return Received(body, filing.digest, filing.received_at, provider, filing.idempotency_key)


def _verify_again(received: Received, rules: SignatureRules) -> Verified:
    """The body was within the limits when it came; today's may be narrower."""
    limits = signing.ParseLimits(max_bytes=len(received.body))
    return verify(parse(Identified(received), limits), rules)
