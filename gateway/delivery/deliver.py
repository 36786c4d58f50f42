"""deliver: hand the filing to its agency, as often as it takes, under one idempotency key."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

import adapters
from gateway.delivery.ask import ask
from gateway.delivery.notify import verdict_outcome
from gateway.delivery.room import NoRoom
from gateway.delivery.world import Backoff, DeliveryWorld, failed, key_of, without_adapter
from gateway.filing.attachments import FiledPaper
from gateway.filing.filing import Filing
from gateway.filing.status import Status
from gateway.ports import Claim, Outcome


async def deliver(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Send, or send again: the key makes a repeat harmless, so an unknown outcome is simply repeated.

    Gives `delivered` with the agency's reference; `delivering` again after a passing failure, however long
    that lasts (an outage never refuses a filing); `stuck` where the agency calls the request itself wrong.
    """
    filing = claim.filing
    adapter = world.adapters.get(filing.agency or "")
    if adapter is None:
        return without_adapter(claim, "attempt-failed", world)
    lead, _ = filing.lead or ("", "")
    call = submit(filing, adapter, world, key=key_of(filing), agency=lead)
    try:
        answer, attempt = await ask("deliver", filing.agency or "", call)
    except NoRoom as full:
        return Outcome(claim, Status.DELIVERING, None, due_seconds=full.seconds)
    if isinstance(answer, adapters.Unavailable):
        return failed(claim, "attempt-failed", attempt, world)
    if isinstance(answer, adapters.Rejected):
        return Outcome(claim, Status.STUCK, "stuck", str(answer), progress=False, attempt=attempt)
    if answer.verdict is not None:
        return await verdict_outcome(claim, answer.verdict, attempt, world)
    return Outcome(
        claim,
        Status.DELIVERED,
        "delivered",
        answer.reference or "",
        due_seconds=await poll_seconds(filing, world, 0),
        reference=answer.reference,
        attempt=attempt,
    )


async def submit(
    filing: Filing, adapter: adapters.Adapter, world: DeliveryWorld, *, key: str, agency: str
) -> adapters.Submitted:
    """Hand a filing and its papers over to one agency of the directory, under its idempotency key there.

    Raises:
        NoRoom: as many octets as may be are on their way already.
        Unavailable, Rejected: see `adapters.Adapter.submit`; Rejected also where it does not carry papers.
    """
    about = await world.deliveries.papers(filing.number) if filing.papers_digest is not None else ()
    if about and not adapter.carries_papers:
        raise adapters.Rejected(
            "the papers beside this dossier do not fit what this agency's back-end speaks"
        )
    with world.room.hold(filing.size + sum(paper.size for paper in about)):
        body = await world.deliveries.body(filing.number)
        papers = [(one, await world.deliveries.paper(filing.number, one.place)) for one in about]
        make = partial(_parcel, filing, body, papers, key=key, agency=agency)
        return await adapter.submit(await asyncio.to_thread(make) if papers else make())


def _parcel(
    filing: Filing, body: bytes, papers: Sequence[tuple[FiledPaper, bytes]], *, key: str, agency: str
) -> adapters.Parcel:
    summary = filing.summary
    assert summary is not None, "only readable filings are delivered"
    return adapters.Parcel(
        key=key,
        agency=agency,
        filing_number=filing.number,
        family=summary.family,
        form_code=summary.form_code,
        form_version=summary.form_version,
        kind=summary.kind,
        period=summary.period,
        taxpayer_code=summary.taxpayer_code,
        tax_office_code=summary.office_code,
        received_at=filing.received_at,
        media_type="application/xml",
        digest_hex=filing.digest.hex(),
        document=body,
        dossier_code=filing.dossier_code or "",
        papers=tuple(
            adapters.Paper(
                kind=about.kind,
                name=about.name,
                media_type=about.media_type,
                digest_hex=about.digest.hex(),
                content=content,
            )
            for about, content in papers
        ),
    )


async def poll_seconds(filing: Filing, world: DeliveryWorld, polls: int) -> float:
    """How long to wait before asking for the verdict, after `polls` questions: ever longer, up to a bound."""
    known = {agency.id: agency.poll_seconds for agency in await world.agencies.all()}
    first = known.get(filing.agency or "", world.backoff.most)
    return Backoff(first, max(first, world.backoff.most)).delay(polls)
