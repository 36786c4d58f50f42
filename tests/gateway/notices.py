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
    name = "Cổng nộp hồ sơ điện tử (thử nghiệm)"
    return XmlNotary(key, declarations=schemas.Office("20500", name), dossiers=schemas.Office("H52", name))


def filing(at: datetime, status: Status, *findings: Finding) -> Filing:
    return replace(new_filing().filing, received_at=at, status=status, findings=findings)


def finding(text: str = "sai") -> Finding:
    return Finding(
        "x.y", Severity.ERROR, Stage.VALIDATE, Text(text, text), Text("sửa", "mend"), indicator="[36]"
    )


def dossier(at: datetime, status: Status, *findings: Finding) -> Filing:
    declared = filing(at, status, *findings)
    assert declared.summary is not None
    summary = replace(
        declared.summary,
        family="permit",
        form_code="karaoke-licence",
        form_version="1.0.0",
        kind="cap-moi",
        form_label="Mẫu 01 NĐ 54/2019",
        form_name="Cấp giấy phép kinh doanh Karaoke",
        tax_name="",
        period="",
        office_code="",
        office_name="Sở Văn hóa, Thể thao và Du lịch tỉnh Sơn La",
    )
    code = None if status is Status.REFUSED else "H52-20260701-0000001"
    return replace(declared, summary=summary, dossier_code=code)


def all_notices(pki: certs_dev.DevPki) -> Iterator[tuple[str, SignedNotice]]:
    """(name, notice): receipt, refusal, confirmation, both verdicts; of declarations in both eras, and of dossiers."""
    signer = notary(pki)
    for name, make, at in (("TT19", filing, TT19), ("TT89", filing, TT89), ("dossier", dossier, TT89)):
        coded = make is dossier
        yield f"{name} receipt", signer.intake_notice(make(at, Status.ACKNOWLEDGED), dossier=coded)
        yield (
            f"{name} provisional",
            signer.intake_notice(make(at, Status.PROVISIONAL, finding()), dossier=coded),
        )
        yield (
            f"{name} refusal",
            signer.intake_notice(make(at, Status.REFUSED, finding(HOSTILE)), dossier=coded),
        )
        yield f"{name} confirmation", signer.recheck_notice(make(at, Status.ACKNOWLEDGED), at)
        yield f"{name} accepted", signer.verdict_notice(make(at, Status.DELIVERED), verdict(), at)
        rejected = verdict(Status.REJECTED)
        yield f"{name} rejected", signer.verdict_notice(make(at, Status.DELIVERED), rejected, at)
