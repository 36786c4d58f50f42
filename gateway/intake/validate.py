"""validate: schema and rules over what was signed; every finding at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lxml import etree

import schemas
import signing
from gateway.filing.attachments import FiledPaper, NewPaper
from gateway.filing.filing import Summary
from gateway.filing.findings import Finding, Severity, Text
from gateway.filing.stages import Stage
from gateway.filing.status import Status
from gateway.intake import verify_texts as texts
from gateway.intake.identify import Identified
from gateway.intake.parse import Parsed, line_of
from gateway.intake.verify import SignaturesRefused, Verified

MAX_SUMMARY_TEXT = 1000


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A document whose signed papers have yet to be judged: then it is accepted or refused (`signed_papers.py`).

    `status` is what it gets if nothing else speaks against it.
    """

    identified: Identified
    family: schemas.Family
    status: Status
    summary: Summary | None
    roles: tuple[schemas.Role, ...]
    findings: tuple[Finding, ...]
    report: signing.Report
    signed_papers: tuple[schemas.SignedPaper, ...]
    papers: tuple[NewPaper, ...]
    """Those that came beside it."""


@dataclass(frozen=True, slots=True)
class Validated:
    """A document we accept: `status` is ACKNOWLEDGED, or PROVISIONAL while a certificate's status is unknown."""

    identified: Identified
    family: schemas.Family
    status: Status
    summary: Summary
    roles: tuple[schemas.Role, ...]
    findings: tuple[Finding, ...]
    report: signing.Report
    paper_evidence: tuple[dict[str, Any], ...] = field(repr=False)
    papers: tuple[NewPaper, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """A document we refuse, from its signature on. `summary` is there where it could be read at all.

    `paper_evidence`, here and there: what the judgement of each signed paper rested on, as plain JSON values.
    """

    identified: Identified
    family: schemas.Family
    summary: Summary | None
    findings: tuple[Finding, ...]
    report: signing.Report
    paper_evidence: tuple[dict[str, Any], ...] = field(repr=False)


def validate(verified: Verified, catalogue: schemas.Catalogue) -> Unsettled:
    """Judge the signed element by the schema and rules of its form.

    Takes what was signed; gives all findings on it, and the signed papers that it holds. The papers beside it are held
    against its signed list, and go on under the names that this list gives them.
    """
    parsed = verified.parsed
    received = parsed.identified.received
    examination = catalogue.examine_element(verified.element, received.at, received.papers)
    status = Status.PROVISIONAL if verified.provisional else Status.ACKNOWLEDGED
    return _unsettled(
        parsed,
        examination,
        status=status,
        roles=verified.roles,
        findings=verified.findings,
        report=verified.report,
        papers=tuple(_papers(verified.element, received.papers)) if received.papers else (),
    )


def _papers(body: etree._Element, sent: Sequence[schemas.Paper]) -> Iterator[NewPaper]:
    for file in schemas.attachments_of(body, sent):
        if file.base64_text is None and file.paper is not None:
            size, digest = len(file.paper.content), bytes.fromhex(file.paper.sha256)
            about = FiledPaper(file.number, file.kind, file.file_name, file.media_type, size, digest)
            yield NewPaper(about, file.paper.content)


def refuse(parsed: Parsed, refused: SignaturesRefused, catalogue: schemas.Catalogue) -> Unsettled:
    """A document whose signatures failed, with what else is wrong in it, so that its sender hears all at once.

    Its contents are unproven; they serve the sender's own list of faults and the refusal's heading only.
    """
    examination, findings = schemas.Examination(None, None, ()), refused.findings
    received = parsed.identified.received
    if (body := parsed.body) is not None:
        try:
            examination = catalogue.examine_element(_alone(body), received.at, received.papers)
        except etree.LxmlError as error:
            findings = (*findings, texts.unreadable_body(body, str(error), parsed.family))
    return _unsettled(parsed, examination, status=Status.REFUSED, findings=findings, report=refused.report)


def _alone(body: etree._Element) -> etree._Element:
    """Raises LxmlError where the body cannot be read by itself: two texts that a comment held apart may be too long."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, remove_comments=True)
    return etree.fromstring(etree.tostring(body, with_tail=False), parser)


def _unsettled(
    parsed: Parsed,
    examination: schemas.Examination,
    *,
    status: Status,
    roles: tuple[schemas.Role, ...] = (),
    findings: tuple[Finding, ...],
    report: signing.Report,
    papers: tuple[NewPaper, ...] = (),
) -> Unsettled:
    """`findings`: those on the signatures. Lines become those of the file as sent."""
    lines = _Lines(parsed.body)
    found = (replace(fault, line=lines.of(fault.indexes)) for fault in examination.faults)
    signed = (
        replace(paper, place=replace(paper.place, line=lines.of(paper.place.indexes)))
        for paper in examination.signed_papers
    )
    return Unsettled(
        identified=parsed.identified,
        family=parsed.family,
        status=status,
        summary=_summary(examination),
        roles=roles,
        findings=findings + tuple(finding_of(fault) for fault in found),
        report=report,
        signed_papers=tuple(signed),
        papers=papers,
    )


def finding_of(fault: schemas.Fault) -> Finding:
    """The same, as the gateway tells it; `line` must be one of the file as sent."""
    return Finding(
        code=fault.code,
        severity=Severity(fault.severity),
        stage=Stage.VALIDATE,
        message=Text(fault.message_vi, fault.message_en),
        remedy=Text(fault.remedy_vi, fault.remedy_en),
        line=fault.line,
        path=fault.path,
        indicator=fault.indicator,
        value=fault.value,
    )


class _Lines:
    """Lines in the file as sent: the same walk over child elements, from the original body."""

    def __init__(self, body: etree._Element | None) -> None:
        self._body = body
        self._children: dict[etree._Element, list[etree._Element]] = {}

    def of(self, indexes: tuple[int, ...]) -> int | None:
        element = self._body
        for index in indexes:
            if element is None:
                return None
            children = self._children_of(element)
            element = children[index] if index < len(children) else None
        return line_of(element) if element is not None else None

    def _children_of(self, element: etree._Element) -> list[etree._Element]:
        children = self._children.get(element)
        if children is None:
            children = self._children[element] = list(element.iterchildren("*"))
        return children


def _summary(examination: schemas.Examination) -> Summary | None:
    declaration = examination.declaration
    if declaration is None:
        return None
    agent = declaration.agent
    values: dict[str, Any] = dict(  # noqa: C408 - fields by name
        family=declaration.family,
        form_code=declaration.form_code,
        form_version=declaration.form_version,
        kind=declaration.kind,
        form_label=declaration.form_label,
        form_name=declaration.form_name,
        tax_name=declaration.tax_name,
        period=declaration.period.label if declaration.period else "",
        submission_no=declaration.submission_no,
        taxpayer_code=declaration.taxpayer.tax_code,
        taxpayer_name=declaration.taxpayer.name,
        taxpayer_address=declaration.taxpayer.address,
        agent_code=agent.tax_code if agent else None,
        agent_name=agent.name if agent else None,
        office_code=declaration.tax_office_code,
        office_name=declaration.tax_office_name,
    )
    places = tuple(_short(code) for code in declaration.places)
    papers = tuple(_short(paper) for paper in declaration.papers)
    due = examination.due if declaration.kind == "C" else None  # what supplements comes when it comes
    texts = {name: _short(value) for name, value in values.items()}
    return Summary(**texts, places=places, papers=papers, due=due)


def _short(value: Any) -> Any:
    """No schema lets more through; a refused document's heading must not be as long as the document."""
    return value[:MAX_SUMMARY_TEXT] if isinstance(value, str) else value
