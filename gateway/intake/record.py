"""record: make it durable, together with the promise that we are about to give."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from gateway.errors import NumberTaken, SignerUnavailable
from gateway.filing.dossier_codes import DossierCodes
from gateway.filing.filing import Filing, NewFiling, Recorded, SignedAhead, SignedNotice, Unsigned
from gateway.filing.identifiers import new_filing_number
from gateway.filing.status import Status
from gateway.intake.evidence import evidence_of
from gateway.intake.validate import Refusal, Validated
from gateway.ports import Filings, Notary, Prepared

_TRIES = 8
_TURN_SECONDS = 20.0


def promise(
    examined: Validated | Refusal, notary: Notary, gateway_code: str, codes: DossierCodes
) -> NewFiling:
    """Number the filing and sign its notice. Nothing is promised yet: nobody sees it before the commit.

    A dossier's notice names its code, and is signed within the commit that gives it; what a device or a service
    signs, `record` has signed, beside the event loop.
    """
    received = examined.identified.received
    filing = Filing(
        number=new_filing_number(gateway_code, received.at),
        provider=received.provider.id,
        status=examined.status if isinstance(examined, Validated) else Status.REFUSED,
        received_at=received.at,
        digest=received.digest,
        size=len(received.body),
        idempotency_key=received.idempotency_key,
        summary=examined.summary,
        findings=examined.findings,
        papers_digest=received.papers_digest,
    )
    seal = partial(notary.intake_notice, dossier=examined.family.dossiers)
    coded = examined.family.dossiers and filing.status is not Status.REFUSED
    notice = Unsigned(codes if coded else None, seal) if coded or notary.apart else seal(filing)
    papers = examined.papers if isinstance(examined, Validated) else ()
    evidence = evidence_of(examined.report, examined.paper_evidence)
    return NewFiling(filing, received.body, evidence, notice, papers)


@dataclass(frozen=True, slots=True)
class RecordWorld:
    """What recording needs from the world. `turn`: one dossier at a time is signed ahead in this process."""

    filings: Filings
    notary: Notary
    turn: asyncio.Lock


async def record(prepared: Prepared, world: RecordWorld) -> Recorded:
    """Commit the filing, its body, its papers, its evidence and its notice in one transaction.

    Gives the proof of the commit; for a message that another task recorded meanwhile, the original.

    Raises:
        KeyReused, PapersDiffer: see `Filings.add`.
        SignerUnavailable, StoreUnavailable: nothing is promised; the sender repeats.
    """
    notice, filing = prepared.new.notice, prepared.new.filing
    if not isinstance(notice, Unsigned):
        return await world.filings.add(prepared)
    if notice.codes is not None:
        if not world.notary.apart:
            return await world.filings.add(prepared)
        return await _recorded_ahead(prepared, notice.seal, notice.codes, world)
    signed = await world.notary.issued(partial(notice.seal, filing))
    return await world.filings.add(_with(prepared, filing, signed))


async def _recorded_ahead(
    prepared: Prepared, seal: Callable[[Filing], SignedNotice], codes: DossierCodes, world: RecordWorld
) -> Recorded:
    """Sign for the number that comes next; the commit takes it only if it still is. A number that another process has
    got meanwhile is left to it, and the notice, which nobody has seen, made anew (decision 0024).
    """
    day = codes.day(prepared.new.filing.received_at)
    try:
        async with asyncio.timeout(_TURN_SECONDS):
            await world.turn.acquire()
    except TimeoutError:
        raise SignerUnavailable("too many dossiers wait for the signer") from None
    try:
        for _ in range(_TRIES):
            number = await world.filings.next_dossier(codes.agency, day)
            filing = replace(prepared.new.filing, dossier_code=codes.code(day, number))
            signed = await world.notary.issued(partial(seal, filing))
            try:
                ahead = SignedAhead(codes, number, signed)
                return await world.filings.add(_with(prepared, filing, ahead))
            except NumberTaken:
                continue
    finally:
        world.turn.release()
    raise SignerUnavailable("other processes were faster at every number")


def _with(prepared: Prepared, filing: Filing, notice: SignedNotice | SignedAhead) -> Prepared:
    return replace(prepared, new=replace(prepared.new, filing=filing, notice=notice))
