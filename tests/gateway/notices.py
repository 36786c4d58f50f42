"""Every notice the gateway gives, in both eras of the law, as bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import certs_dev
import schemas
import signing
from gateway.filing.filing import Filing, SignedNotice
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.notary import XmlNotary
from tests.gateway.builders import new_filing, verdict

TT19 = datetime(2026, 6, 30, 16, 59, 59, tzinfo=UTC)  # the last second of TT 19/2021, in Vietnam
TT89 = TT19 + timedelta(seconds=1)
HOSTILE = "<script>&]]>\x00\ud800 ' \" <!-- \u202e"


def notary(pki: certs_dev.DevPki) -> XmlNotary:
    identity = pki["notice"]
    key = signing.FileKey.from_pem(identity.key, identity.chain)
    return XmlNotary(key, schemas.Office("20500", "Cổng nộp hồ sơ điện tử (thử nghiệm)"))


def filing(at: datetime, status: Status, *findings: Finding) -> Filing:
    return replace(new_filing().filing, received_at=at, status=status, findings=findings)


def finding(text: str = "sai") -> Finding:
    return Finding(
        "x.y", Severity.ERROR, Stage.VALIDATE, Text(text, text), Text("sửa", "mend"), indicator="[36]"
    )


def all_notices(pki: certs_dev.DevPki) -> Iterator[tuple[str, SignedNotice]]:
    """(name, notice): receipt, refusal, confirmation, both verdicts; both eras."""
    signer = notary(pki)
    for era, at in (("TT19", TT19), ("TT89", TT89)):
        yield f"{era} receipt", signer.intake_notice(filing(at, Status.ACKNOWLEDGED))
        yield f"{era} provisional", signer.intake_notice(filing(at, Status.PROVISIONAL, finding()))
        yield f"{era} refusal", signer.intake_notice(filing(at, Status.REFUSED, finding(HOSTILE)))
        yield f"{era} confirmation", signer.recheck_notice(filing(at, Status.ACKNOWLEDGED), at)
        yield f"{era} accepted", signer.verdict_notice(filing(at, Status.DELIVERED), verdict(), at)
        rejected = verdict(Status.REJECTED)
        yield f"{era} rejected", signer.verdict_notice(filing(at, Status.DELIVERED), rejected, at)
