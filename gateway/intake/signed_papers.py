"""Signed PDFs inside a dossier: judged at the time of receipt, and told. Only a form can make them a condition."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import schemas
import signing
from gateway.errors import Busy
from gateway.filing.findings import Finding, refuses
from gateway.filing.paper_signatures import PaperSignatures, PaperStanding
from gateway.filing.status import Status
from gateway.intake.evidence import judgement_of
from gateway.intake.validate import Refusal, Unsettled, Validated, finding_of
from gateway.intake.verify import TRY_LATER, SignatureRules
from schemas.faults import Words

_MOST_NAME = 120
_MOST_REASONS = 3
_CODES = {
    PaperStanding.SOUND: "attachment.pdf-signed",
    PaperStanding.INDETERMINATE: "attachment.pdf-signature-indeterminate",
    PaperStanding.BROKEN: "attachment.pdf-signature-broken",
    PaperStanding.CHANGED: "attachment.pdf-changed-after-signing",
    PaperStanding.NOT_JUDGED: "attachment.pdf-not-judged",
}
_TOO_LATE = Words("hết thời gian dành cho hồ sơ này", "the time for this dossier is over")


@dataclass(frozen=True, slots=True)
class PaperLimits:
    """How many signed PDFs of a dossier are judged, of how many octets together, in how many seconds by the clock."""

    count: int = 30
    octets: int = 20_000_000
    seconds: float = 20.0


DEFAULT_LIMITS = PaperLimits()


@dataclass(frozen=True, slots=True)
class JudgedPaper:
    """`evidence`: plain JSON values. `later`: nothing but a status that cannot be had now speaks against it; `ours`: it
    was not judged for a reason that its sender cannot help."""

    paper: schemas.SignedPaper
    standing: PaperStanding | None
    """None: it bears no signature after all."""
    reason: Words
    evidence: dict[str, Any] = field(repr=False)
    signers: tuple[str, ...] = ()
    later: bool = False
    ours: bool = False


def judge_papers(unsettled: Unsettled, rules: SignatureRules, limits: PaperLimits) -> Validated | Refusal:
    """Judge the signed PDFs by the gateway's policy as of the time of receipt, and say what became of the document.

    A child process reads each (decision 0014); this thread waits for it. What the form demands comes first. A sound
    signature is told as INFO, everything else as WARNING; ERROR (`attachment.signature-required`) where the form
    demands one: a certificate's status that cannot be had never is.

    Raises:
        Busy: a demanded signature could not be judged now, through no fault of its sender; nothing is recorded.
    """
    judged = sorted(_judged(unsettled, rules, limits), key=lambda one: one.paper.number)
    findings = unsettled.findings + tuple(finding for one in judged for finding in _findings(one))
    evidence = tuple(one.evidence for one in judged)
    summary = unsettled.summary
    if summary is not None:
        summary = replace(summary, signed_papers=tuple(_told(judged)))
    identified, family, report = unsettled.identified, unsettled.family, unsettled.report
    roles, status = unsettled.roles, unsettled.status
    if status is Status.REFUSED or summary is None or refuses(findings):
        return Refusal(identified, family, summary, findings, report, evidence)
    return Validated(identified, family, status, summary, roles, findings, report, evidence, unsettled.papers)


def _judged(unsettled: Unsettled, rules: SignatureRules, limits: PaperLimits) -> Iterator[JudgedPaper]:
    end, octets = time.monotonic() + limits.seconds, limits.octets
    at = unsettled.identified.received.at
    for place, paper in enumerate(sorted(unsettled.signed_papers, key=lambda paper: not paper.required)):
        left = end - time.monotonic()
        if place >= limits.count:
            yield _unjudged(paper, _too_many(limits.count))
        elif len(paper.content) > octets:
            yield _unjudged(paper, _too_large(limits.octets))
        elif left <= 0:
            yield _unjudged(paper, _TOO_LATE, ours=True)
        else:
            octets -= len(paper.content)
            report = signing.verify_pdf(
                paper.content, policy=rules.policy, trust=rules.trust, at=at, seconds=left
            )
            yield _from_report(paper, report)


def _too_many(limit: int) -> Words:
    return Words(
        f"một hồ sơ được kiểm tra tối đa {limit} PDF có chữ ký",
        f"of one dossier {limit} signed PDFs are judged",
    )


def _too_large(limit: int) -> Words:
    return Words(
        f"các PDF có chữ ký của một hồ sơ được kiểm tra tối đa {limit:,} byte".replace(",", "."),
        f"of one dossier's signed PDFs {limit:,} bytes are judged",
    )


def _unjudged(paper: schemas.SignedPaper, reason: Words, *, ours: bool = False) -> JudgedPaper:
    evidence = {**_named(paper, PaperStanding.NOT_JUDGED), "reason": reason.en}
    return JudgedPaper(paper, PaperStanding.NOT_JUDGED, reason, evidence, ours=ours)


def _named(paper: schemas.SignedPaper, standing: PaperStanding | None) -> dict[str, Any]:
    digest = hashlib.sha256(paper.content).hexdigest()
    return {"number": paper.number, "name": paper.name, "sha256": digest, "standing": standing}


def _from_report(paper: schemas.SignedPaper, report: signing.Report) -> JudgedPaper:
    """The report itself holds the signed octets, once for every signature, and is not kept."""
    every = [*report.checks, *(check for one in report.signatures for check in one.checks)]
    bad = [check for check in every if check.outcome in _BAD]
    standing = _standing(report, bad)
    texts = list(dict.fromkeys((check.message_vi, check.message_en) for check in bad))[:_MOST_REASONS]
    return JudgedPaper(
        paper,
        standing,
        Words(" ".join(vi for vi, _ in texts), " ".join(en for _, en in texts)),
        _named(paper, standing) | judgement_of(report),
        signers=tuple(_signers(report)),
        later=report.sub_indication == TRY_LATER,
        ours=any(check.code == "pdf.reader" for check in bad),
    )


_BAD = (signing.Outcome.FAILED, signing.Outcome.INDETERMINATE)


def _standing(report: signing.Report, bad: Sequence[signing.Check]) -> PaperStanding | None:
    codes = {check.code for check in bad}
    if codes & {"pdf.work", "pdf.reader"}:
        return PaperStanding.NOT_JUDGED
    if not report.signatures and "document.signature-present" in codes:
        return None
    if "pdf.changed" in codes or any(check.sub_indication == "HASH_FAILURE" for check in bad):
        return PaperStanding.CHANGED
    return {
        signing.Indication.PASSED: PaperStanding.SOUND,
        signing.Indication.INDETERMINATE: PaperStanding.INDETERMINATE,
        signing.Indication.FAILED: PaperStanding.BROKEN,
    }[report.indication]


def _signers(report: signing.Report) -> dict[str, None]:
    signers = (signature.signer for signature in report.signatures)
    return dict.fromkeys((one.common_name or one.subject)[:_MOST_NAME] for one in signers if one is not None)


def _findings(judged: JudgedPaper) -> Iterator[Finding]:
    """What the paper's signatures came to and, where the form demands sound ones, that they are not."""
    paper, standing = judged.paper, judged.standing
    if paper.required and judged.ours:
        raise Busy("a signature that the form demands could not be judged in time")
    if standing is not None:
        signers = ", ".join(judged.signers) or "–"
        yield finding_of(paper.fault(_CODES[standing], signers=signers, reason=judged.reason))
    if paper.required and standing is not PaperStanding.SOUND and not judged.later:
        yield finding_of(paper.fault("attachment.signature-required"))


def _told(judged: Sequence[JudgedPaper]) -> Iterator[PaperSignatures]:
    for one in judged:
        if one.standing is not None:
            yield PaperSignatures(one.paper.number, one.paper.name[:_MOST_NAME], one.standing, one.signers)
