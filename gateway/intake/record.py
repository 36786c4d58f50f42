"""record: make it durable, together with the promise that we are about to give."""

from __future__ import annotations

from functools import partial

from gateway.filing.dossier_codes import DossierCodes
from gateway.filing.filing import Filing, NewFiling, Recorded, Unsigned
from gateway.filing.identifiers import new_filing_number
from gateway.filing.status import Status
from gateway.intake.evidence import evidence_of
from gateway.intake.validate import Refusal, Validated
from gateway.ports import Filings, Notary, Prepared


def promise(
    examined: Validated | Refusal, notary: Notary, gateway_code: str, codes: DossierCodes
) -> NewFiling:
    """Number the filing and sign its notice. Nothing is promised yet: nobody sees it before the commit.

    A dossier's notice names its code, and is signed within the commit that gives it.
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
    notice = Unsigned(codes, seal) if coded else seal(filing)
    papers = examined.papers if isinstance(examined, Validated) else ()
    evidence = evidence_of(examined.report, examined.paper_evidence)
    return NewFiling(filing, received.body, evidence, notice, papers)


async def record(prepared: Prepared, filings: Filings) -> Recorded:
    """Commit the filing, its body, its papers, its evidence and its notice in one transaction.

    Gives the proof of the commit; for a message that another task recorded meanwhile, the original.

    Raises:
        KeyReused, PapersDiffer: see `Filings.add`.
        StoreUnavailable: nothing is promised; the sender repeats.
    """
    return await filings.add(prepared)
