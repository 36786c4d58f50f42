"""record: make it durable, together with the promise that we are about to give."""

from __future__ import annotations

import json

from gateway.filing.filing import Filing, NewFiling, Recorded
from gateway.filing.identifiers import new_filing_number
from gateway.filing.status import Status
from gateway.intake.validate import Refusal, Validated
from gateway.ports import Filings, Notary


def promise(examined: Validated | Refusal, notary: Notary, gateway_code: str) -> NewFiling:
    """Number the filing and sign its notice. Nothing is promised yet: nobody sees it before the commit."""
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
    )
    evidence = json.dumps(examined.report.as_json(), ensure_ascii=False).encode()
    return NewFiling(filing, received.body, evidence, notary.intake_notice(filing))


async def record(new: NewFiling, filings: Filings) -> Recorded:
    """Commit the filing, its body, its evidence and its notice in one transaction.

    Gives the proof of the commit; for a message that another task recorded meanwhile, the original.

    Raises:
        KeyReused: see `Filings.add`.
        StoreUnavailable: nothing is promised; the sender repeats.
    """
    return await filings.add(new)
