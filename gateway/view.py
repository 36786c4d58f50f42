"""Documents as pages for people: what the gateway knows of one, in the plain values that a page is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree

import schemas
import signing
from gateway.filing.filing import Filing, Summary
from gateway.filing.findings import Finding
from gateway.filing.paper_signatures import PaperStanding
from gateway.filing.status import WORDS, Status
from gateway.intake.identify import Identified
from gateway.intake.parse import read_document
from gateway.intake.receive import Received
from gateway.intake.validate import Refusal
from gateway.intake.verify import is_place_of
from gateway.journey import Checks, examine
from schemas import view
from schemas.faults import Words

_STANDINGS: Mapping[str, view.Standing] = {
    "TOTAL-PASSED": "sound",
    "INDETERMINATE": "unknown",
    "TOTAL-FAILED": "broken",
}
_PAPER_STANDINGS: Mapping[PaperStanding, view.PaperStanding] = {
    PaperStanding.SOUND: "sound",
    PaperStanding.INDETERMINATE: "indeterminate",
    PaperStanding.BROKEN: "broken",
    PaperStanding.CHANGED: "changed",
    PaperStanding.NOT_JUDGED: "not-judged",
}
_SIGNATURE = "Signature"
_NOT_OURS = Words(
    "Người ký không phải là cổng tiếp nhận mà bạn nêu (--signer).",
    "The signer is not the gateway that you named (--signer).",
)
NO_TRUST = Words(
    "Chưa nêu thư mục tin cậy (--trust): không chứng thư số nào được tin, nên không thể kết luận về chữ ký.",
    "No trust folder was given (--trust): no certificate can be trusted, so nothing is concluded on signatures.",
)
NO_SIGNER = Words(
    "Chưa nêu chứng thư số của cổng tiếp nhận (--signer): chưa đối chiếu người ký với cổng.",
    "The gateway's certificates were not given (--signer): the signer was not compared with them.",
)


@dataclass(frozen=True, slots=True)
class FilePage:
    """`sound`: the gateway would take the document in; of a notice: its signature holds, and its schema."""

    page: view.ViewPage
    sound: bool


def filing_page(
    filing: Filing,
    document: bytes,
    recorded: Mapping[str, Any] | None,
    checks: Checks,
    language: view.Language,
) -> view.ViewPage:
    """A recorded filing as it was judged: `recorded` is the evidence of that, findings are those in force.

    Who signed is read from the document once more; lists of today say nothing on whether it was sound then.
    """
    parsed = read_document(document, checks.limits)
    rules = checks.signatures
    report = signing.verify_document(parsed, policy=rules.policy, trust=rules.trust, at=filing.received_at)
    verdicts = [one["indication"] for one in recorded["signatures"]] if recorded else None
    body = _body(parsed.root, checks.catalogue.families)
    about = view.About(
        signatures=tuple(_signatures(report, body, filing.findings, verdicts)),
        papers=tuple(_papers(filing.summary)),
        remarks=_remarks(filing.findings),
        judged_at=datetime.fromisoformat(recorded["at"]) if recorded else report.at,
        policy=recorded["policy"] if recorded else report.policy,
        number=filing.number,
        dossier_code=filing.dossier_code,
        received_at=filing.received_at,
        status=Words(*WORDS[filing.status]),
    )
    return view.view_page(parsed.root, checks.catalogue, about, language)


def notice_page(
    octets: bytes,
    checks: Checks,
    language: view.Language,
    *,
    at: datetime,
    signers: Sequence[x509.Certificate] | None = None,
    caveats: tuple[Words, ...] = (),
) -> FilePage:
    """A notice, its signature judged as of `at` (aware), and against `signers` where they are given.

    Raises:
        Unreadable: not XML that could be looked at.
        schemas.view.NotShownError: no notice.
    """
    document = read_document(octets, checks.limits)
    rules = checks.signatures
    report = signing.verify_document(document, policy=rules.policy, trust=rules.trust, at=at)
    envelope = schemas.envelope_of_root(str(document.root.tag))
    body = document.root.find(envelope.body_tag) if envelope is not None else None
    judged = tuple(_signatures(report, body, (), None))
    if signers is not None:
        judged = tuple(_compared(judged, report, signers))
    faults = schemas.validate_notice(octets)
    status = _status_of(octets)
    about = view.About(
        signatures=judged,
        remarks=tuple(_remark_of_fault(fault) for fault in faults),
        judged_at=report.at,
        policy=report.policy,
        status=Words(*WORDS[status]) if status else None,
        caveats=caveats,
    )
    sound = bool(judged) and not faults and all(one.standing == "sound" and one.covers for one in judged)
    return FilePage(view.view_page(document.root, checks.catalogue, about, language), sound)


def file_page(
    received: Received,
    checks: Checks,
    language: view.Language,
    *,
    signers: Sequence[x509.Certificate] | None,
    at: datetime | None,
    caveats: tuple[Words, ...] = (),
) -> FilePage:
    """Any file: a notice as of `at`, or of the time that it bears; a declaration or dossier as of its receipt.

    Raises:
        Unreadable: not XML, or no document that can be shown.
    """
    root = read_document(received.body, checks.limits).root
    if schemas.envelope_of_root(str(root.tag)) is not None:
        told = caveats if signers is not None else (*caveats, NO_SIGNER)
        as_of = at or _issued_at(received.body) or received.at
        return notice_page(received.body, checks, language, at=as_of, signers=signers, caveats=told)
    examined = examine(Identified(received), checks)
    report = examined.report
    about = view.About(
        signatures=tuple(
            _signatures(report, _body(root, checks.catalogue.families), examined.findings, None)
        ),
        papers=tuple(_papers(examined.summary)),
        remarks=_remarks(examined.findings),
        judged_at=report.at,
        policy=report.policy,
        caveats=caveats,
    )
    return FilePage(
        view.view_page(root, checks.catalogue, about, language), not isinstance(examined, Refusal)
    )


def _signatures(
    report: signing.Report,
    body: etree._Element | None,
    findings: Sequence[Finding],
    recorded: Sequence[str] | None,
) -> Iterator[view.Signature]:
    """`body`: the element that the page shows; `recorded`: the verdicts of another time, in order."""
    for number, one in enumerate(report.signatures):
        indication, sub = one.indication.value, one.sub_indication
        if recorded is not None and number < len(recorded) and recorded[number] != indication:
            indication, sub = recorded[number], None
        signer = one.signer
        yield view.Signature(
            signer=signer.common_name if signer else "",
            tax_codes=signer.tax_codes if signer else (),
            issuer=signer.issuer if signer else "",
            claimed_at=one.claimed_signing_time,
            proven_at=one.best_signature_time,
            standing=_STANDINGS[indication],
            indication=" ".join(filter(None, (indication, sub))),
            covers=len(one.covered) == 1 and body is not None and is_place_of(one.covered[0], body),
            reasons=tuple(_reasons(one, number + 1, findings)),
        )


def _reasons(one: signing.SignatureReport, number: int, findings: Sequence[Finding]) -> Iterator[Words]:
    """Why a signature is not sound, as the findings on it have it; where there are none, from its checks."""
    place = f"/{_SIGNATURE}[{number}]"
    if findings:
        for finding in findings:
            if finding.path is not None and finding.path.endswith(place):
                yield Words(finding.message.vi, finding.message.en)
        return
    for check in one.checks:
        if check.outcome is not signing.Outcome.PASSED:
            yield Words(check.message_vi, check.message_en)


def _compared(
    judged: Sequence[view.Signature], report: signing.Report, signers: Sequence[x509.Certificate]
) -> Iterator[view.Signature]:
    known = {certificate.fingerprint(hashes.SHA256()) for certificate in signers}
    for shown, signature in zip(judged, report.signatures, strict=True):
        certificate = signature.certificate
        if certificate is not None and certificate.fingerprint(hashes.SHA256()) in known:
            yield shown
        else:
            yield replace(shown, standing="broken", reasons=(_NOT_OURS, *shown.reasons))


def _papers(summary: Summary | None) -> Iterator[view.Paper]:
    if summary is None:
        return
    signed = {one.number: one for one in summary.signed_papers}
    for number, label in enumerate(summary.papers, 1):
        if (one := signed.get(number)) is not None:
            yield view.Paper(label, _PAPER_STANDINGS[one.standing], one.signers)
        else:
            yield view.Paper(label)


def _remarks(findings: Iterable[Finding]) -> tuple[view.Remark, ...]:
    return tuple(
        view.Remark(
            code=finding.code,
            severity=finding.severity.value,
            message=Words(finding.message.vi, finding.message.en),
            remedy=Words(finding.remedy.vi, finding.remedy.en),
            line=finding.line,
            path=finding.path,
            indicator=finding.indicator,
            value=finding.value,
        )
        for finding in findings
    )


def _remark_of_fault(fault: schemas.Fault) -> view.Remark:
    return view.Remark(
        code=fault.code,
        severity=fault.severity,
        message=Words(fault.message_vi, fault.message_en),
        remedy=Words(fault.remedy_vi, fault.remedy_en),
        line=fault.line,
        path=fault.path,
    )


def _body(root: etree._Element, families: schemas.Families) -> etree._Element | None:
    family = families.of_root(str(root.tag))
    return family.body_of(root) if family is not None else None


def _issued_at(octets: bytes) -> datetime | None:
    try:
        return schemas.read_notice(octets).issued_at
    except schemas.NoticeError:
        return None


def _status_of(octets: bytes) -> Status | None:
    try:
        return Status(schemas.read_notice(octets).status)
    except (schemas.NoticeError, ValueError):
        return None
