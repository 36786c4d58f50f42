"""recheck: a provisional filing becomes acknowledged or refused once its certificates' status can be had."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

import schemas
import signing
from gateway.delivery.world import DeliveryWorld
from gateway.filing.filing import Filing
from gateway.filing.findings import Finding
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.filing.story import told
from gateway.intake.evidence import evidence_of
from gateway.intake.verify import TRY_LATER, judge_signatures, judgements
from gateway.ports import STATUS_LOST, Claim, Outcome

LOST_AFTER = timedelta(days=7)
"""Of the certificate's end, or of the receipt where that was later: time for the operator to get an answer."""


async def recheck(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Judge the stored signatures again as of their receipt, with the status lists of now. Never delivers by itself.

    Who signed in which role was judged at the receipt, by the rules and the provider's entry of then, and stays.

    Gives `acknowledged` with a confirmation, `refused` with a notice, or `provisional` again: an outage neither
    accepts nor refuses. LOST_AFTER the end of the certificate that no answer tells of it is `stuck`, the operator's
    to settle (decision 0005): authorities drop certificates that have ended from their lists.
    """
    body = await world.deliveries.body(claim.filing.number)
    assert claim.filing.summary is not None, "a provisional filing was read"
    family = world.catalogue().families.get(claim.filing.summary.family)
    if family is None:
        return _not_yet(claim, world, f"the catalogue has no family {claim.filing.summary.family}")
    report = await asyncio.to_thread(_judge_again, body, claim.filing, family, world)
    if report.sub_indication == TRY_LATER:
        ended = _unknown_until(report)
        if ended is not None and world.clock() > max(ended, claim.filing.received_at) + LOST_AFTER:
            detail = (
                f"the certificate ended on {ended:%Y-%m-%d}, no answer tells of its status at the receipt"
            )
            return Outcome(claim, Status.STUCK, STATUS_LOST, detail, progress=False)
        return _not_yet(claim, world)
    holds = report.indication is signing.Indication.PASSED
    status = Status.ACKNOWLEDGED if holds else Status.REFUSED
    return await _settled(claim, status, tuple(judgements(report, family)), report, world)


def _not_yet(claim: Claim, world: DeliveryWorld, detail: str = "") -> Outcome:
    return Outcome(
        claim,
        Status.PROVISIONAL,
        told("still-provisional", claim.failures),
        detail,
        due_seconds=world.backoff.delay(claim.failures),
        progress=False,
    )


def _unknown_until(report: signing.Report) -> datetime | None:
    """The end of the certificate whose status is not known; of several the first; None where none can be told."""
    ends = []
    for signature in report.signatures:
        codes = {check.code for check in signature.checks if check.sub_indication == TRY_LATER}
        if "certificate.status-unknown" in codes:
            ends += [c.not_valid_after_utc for c in signature.chain[:1]]
        if "certificate.ca-status-unknown" in codes:
            ends += [max(c.not_valid_after_utc for c in signature.chain[1:-1])]
    return min(ends, default=None)


async def _settled(
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
        notice=await world.notary.issued(partial(world.notary.recheck_notice, filing, world.clock())),
        findings=findings,
        evidence=evidence_of(report),
    )


def _judge_again(body: bytes, filing: Filing, family: schemas.Family, world: DeliveryWorld) -> signing.Report:
    """The body was within the limits when it came; today's may be narrower."""
    document = signing.parse_xml(body, signing.ParseLimits(max_bytes=len(body)))
    return judge_signatures(
        document, family, world.signatures(), world.catalogue(), filing.received_at
    ).report
