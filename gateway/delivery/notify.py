"""notify: the agency's verdict becomes our signed notice to the filer."""

from __future__ import annotations

from functools import partial

import adapters
from gateway.delivery.route import handovers
from gateway.delivery.world import DeliveryWorld
from gateway.filing.attempt import Attempt
from gateway.filing.filing import Filing, SignedNotice
from gateway.filing.status import Status
from gateway.filing.verdict import Payable, Reason, Verdict
from gateway.ports import Claim, Outcome


async def notify(filing: Filing, verdict: Verdict, world: DeliveryWorld) -> SignedNotice:
    """The notice of the verdict, issued now. It counts once it is committed together with the verdict.

    Raises SignerUnavailable: whoever brought the verdict brings it again, or is asked again.
    """
    return await world.notary.issued(partial(world.notary.verdict_notice, filing, verdict, world.clock()))


async def verdict_outcome(
    claim: Claim, answer: adapters.Verdict, attempt: Attempt, world: DeliveryWorld
) -> Outcome:
    """A verdict that came as the answer to a question of ours."""
    verdict = verdict_of(answer)
    return Outcome(
        claim,
        verdict.status,
        verdict.status.value,
        "poll",
        reference=verdict.reference,
        verdict=verdict,
        notice=await notify(claim.filing, verdict, world),
        handovers=await handovers(claim.filing, verdict.status, world),
        attempt=attempt,
    )


def verdict_of(answer: adapters.Verdict) -> Verdict:
    """The adapter's verdict in the house's own type."""
    return Verdict(
        status=Status.ACCEPTED if answer.outcome == "accepted" else Status.REJECTED,
        reference=answer.reference,
        decided_at=answer.decided_at,
        reasons=tuple(Reason(r.code, r.group, r.error, r.remedy, r.note) for r in answer.reasons),
        payables=tuple(Payable(p.id, p.amount, p.currency, p.name) for p in answer.payables),
    )
