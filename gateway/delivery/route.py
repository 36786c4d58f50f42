"""route: which agency's back-end gets this filing."""

from __future__ import annotations

from gateway.delivery.world import DeliveryWorld
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome


async def route(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Takes an acknowledged filing; gives its agency. Where none takes the form, an operator must (stuck)."""
    summary = claim.filing.summary
    assert summary is not None, "only readable filings are acknowledged"
    for agency in world.registry.agencies():
        if {summary.form_code, summary.family} & set(agency.forms):
            return Outcome(claim, Status.DELIVERING, "routed", agency.id, due_seconds=0.0, agency=agency.id)
    return Outcome(claim, Status.STUCK, "stuck", f"no agency takes form {summary.form_code}")
