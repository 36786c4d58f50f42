"""route: which agency a filing goes to, and, once it is accepted, which ones it goes on to."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

from gateway import directory
from gateway.delivery.agencies import KnownAgencies
from gateway.delivery.world import DeliveryWorld
from gateway.filing.filing import Filing, Summary
from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.identifiers import VIETNAM
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome


async def route(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Takes an acknowledged filing; gives its agency: the lead of its service at its place, on the day of its receipt.

    Where the directory tells none, or no back-end serves it, an operator must (stuck).
    """
    try:
        lead = lead_of(_summary(claim.filing), claim.filing.received_at, world.directory())
    except directory.NoRoute as error:
        return Outcome(claim, Status.STUCK, "stuck", str(error))
    backend = await world.agencies.serving(lead.id, lead.office)
    if backend is None:
        return Outcome(claim, Status.STUCK, "stuck", f"no back-end serves {lead.id} ({lead.name_vi})")
    detail = f"{backend.id}: {lead.name_vi}"
    return Outcome(
        claim,
        Status.DELIVERING,
        "routed",
        detail,
        due_seconds=0.0,
        agency=backend.id,
        lead=(lead.id, lead.name_vi),
    )


async def handovers(filing: Filing, status: Status, world: DeliveryWorld) -> tuple[Handover, ...]:
    """The cooperating agencies that a filing with this verdict goes on to, as of now: none unless it is accepted."""
    if status is not Status.ACCEPTED:
        return ()
    try:
        found = _route(_summary(filing), world.clock(), world.directory())
    except directory.NoRoute:
        return ()  # nobody leads the service any more: whoever cooperated is not told either
    return tuple([one async for one in _handovers(found, world.agencies)])


async def _handovers(found: directory.Route, agencies: KnownAgencies) -> AsyncIterator[Handover]:
    for agency in found.cooperating:
        backend = await agencies.serving(agency.id, agency.office)
        status = HandoverStatus.WAITING if backend else HandoverStatus.NOT_JOINED
        reason = "" if backend else f"no back-end serves {agency.id}"
        yield Handover(
            agency.id, agency.office, agency.name_vi, status, reason, backend=backend.id if backend else ""
        )
    for office, reason in found.missing:
        yield Handover(office, office, office, HandoverStatus.NOT_JOINED, reason)


def lead_of(summary: Summary, received: datetime, tables: directory.Directory) -> directory.Agency:
    """The lead of a filing's service at its place, on the day of its receipt. Raises NoRoute."""
    return _route(summary, received, tables).lead


def _summary(filing: Filing) -> Summary:
    assert filing.summary is not None, "only readable filings are acknowledged"
    return filing.summary


def _route(summary: Summary, at: datetime, tables: directory.Directory) -> directory.Route:
    return tables.route(_service(summary, tables), summary.places, at.astimezone(VIETNAM).date())


def _service(summary: Summary, tables: directory.Directory) -> str:
    """A service of its own, or its whole family's."""
    return summary.form_code if summary.form_code in tables.services else summary.family
