"""verify: what is read from here on is exactly what the right people signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lxml import etree

import schemas
import signing
from gateway.filing.findings import Finding, Severity, Text, refuses
from gateway.filing.stages import Stage
from gateway.intake import verify_texts as texts
from gateway.intake.dossier import structure
from gateway.intake.form_policy import policy_of
from gateway.intake.parse import Parsed
from gateway.intake.roles import roles_of, tvan_must_sign
from schemas import Role

TRY_LATER = "TRY_LATER"


@dataclass(frozen=True, slots=True)
class SignatureRules:
    """By what policy at least, and against which trust, a signature is judged."""

    policy: signing.Policy
    trust: signing.TrustStore


@dataclass(frozen=True, slots=True)
class Verified:
    """The signed element, parsed anew from the octets that the signatures cover.

    `provisional`: every signature holds, and only the revocation status of a certificate cannot be had now.
    """

    parsed: Parsed
    element: etree._Element = field(repr=False)
    roles: tuple[Role, ...]
    provisional: bool
    findings: tuple[Finding, ...]
    report: signing.Report = field(repr=False)


class SignaturesRefused(Exception):
    """The document is refused from the signature on. `findings` are all that was wrong with its signatures."""

    def __init__(self, findings: Sequence[Finding], report: signing.Report) -> None:
        super().__init__(", ".join(finding.code for finding in findings))
        self.findings = tuple(findings)
        self.report = report


@dataclass(frozen=True, slots=True)
class JudgedSignatures:
    """The report by the policy of the form, the signed element, and the form that this element names."""

    report: signing.Report
    element: etree._Element | None
    form: schemas.Form | None


def judge_signatures(
    document: signing.XmlDocument,
    family: schemas.Family,
    rules: SignatureRules,
    catalogue: schemas.Catalogue,
    at: datetime,
) -> JudgedSignatures:
    """Judge by the gateway's policy, then by the form's where that asks for more.

    The form is read from covered octets alone: what nobody signed chooses neither policy nor signers.
    """
    report = signing.verify_document(document, policy=rules.policy, trust=rules.trust, at=at)
    body = family.body_of(document.root)
    covered = [octets for signature in report.signatures if (octets := _covers(signature, body)) is not None]
    if not covered:
        return JudgedSignatures(report, None, None)
    element = etree.fromstring(covered[0], _reader())
    form = catalogue.form_of(element)
    policy = policy_of(form, rules.policy)
    if policy is not rules.policy:
        report = signing.verify_document(document, policy=policy, trust=rules.trust, at=at)
    return JudgedSignatures(report, element, form)


def verify(parsed: Parsed, rules: SignatureRules, catalogue: schemas.Catalogue) -> Verified:
    """Judge every signature in the document at the time of receipt.

    Takes a parsed dossier; gives the signed element read from the covered octets. The dossier must have one
    body (HSoKhaiThue) followed by what holds signatures (CKyDTu) and nothing else (`dossier.py`); every signature
    must lie there, hold, and cover exactly that body; whom its form names must be among the signers (who files or
    their declared agent, where the form cannot be read), and under a tax declaration the T-VAN where the dated rule
    and its entry say so.
    Clause: EN 319 102-1 §5; on signers TT 19/2021, TT 89/2026.

    Raises:
        SignaturesRefused: with all findings. An unavailable revocation status alone never raises.
    """
    judged = judge_signatures(parsed.document, parsed.family, rules, catalogue, parsed.identified.received.at)
    report, element = judged.report, judged.element
    findings = [*structure(parsed), *judgements(report, parsed.family)]
    body = parsed.body
    if body is not None:
        findings += _coverage(report, body, parsed)
    roles: tuple[Role, ...] = ()
    named = body if element is None else element  # unproven names serve the list of faults alone
    if named is not None:
        wanted = judged.form.signers if judged.form is not None else schemas.DEFAULT_SIGNERS
        roles, faults = _roles(report, named, parsed, wanted)
        findings += faults
    if element is None or refuses(findings):
        raise SignaturesRefused(findings, report)
    provisional = report.sub_indication == TRY_LATER
    return Verified(parsed, element, roles, provisional, tuple(findings), report)


def _reader() -> etree.XMLParser:
    """A parser each time: a shared one would make the check threads wait for each other."""
    return etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)


def judgements(report: signing.Report, family: schemas.Family) -> Iterator[Finding]:
    """The checks that did not pass, of the document and of each signature."""
    for check in report.checks:
        yield from _finding(check)
    for which, signature in enumerate(report.signatures, 1):
        signer = signature.signer.common_name if signature.signer else None
        for check in signature.checks:
            for finding in _finding(check):
                yield replace(
                    finding,
                    line=signature.location.line,
                    path=texts.signature_path(family, which),
                    value=signer,
                )


def _finding(check: signing.Check) -> Iterator[Finding]:
    """Nothing for a passed check; a certificate status that cannot be had now only warns."""
    if check.outcome is signing.Outcome.PASSED:
        return
    only_warns = check.outcome is signing.Outcome.WARNING or check.sub_indication == TRY_LATER
    yield Finding(
        code=check.code,
        severity=Severity.WARNING if only_warns else Severity.ERROR,
        stage=Stage.VERIFY,
        message=Text(check.message_vi, check.message_en),
        remedy=Text(check.remedy_vi, check.remedy_en),
    )


def _covers(signature: signing.SignatureReport, body: etree._Element | None) -> bytes | None:
    """The covered octets of a signature over exactly the body, or None."""
    if body is None or len(signature.covered) != 1 or not is_place_of(signature.covered[0], body):
        return None
    return signature.covered[0].octets


def is_place_of(covered: signing.Covered, element: etree._Element) -> bool:
    """Whether exactly this element was signed; the root is, too, where the whole document was."""
    if covered.decoded:
        return False
    whole = not covered.uri and not covered.tag and not covered.path and element.getparent() is None
    return whole or (covered.path == position(element) and covered.tag == element.tag)


def position(element: etree._Element) -> tuple[int, ...]:
    """Where it stands: the number of the child element, from 0, at every level below the root."""
    found: list[int] = []
    parent = element.getparent()
    while parent is not None:
        found.append(next(index for index, child in enumerate(parent.iterchildren("*")) if child is element))
        element, parent = parent, parent.getparent()
    return tuple(reversed(found))


def _coverage(report: signing.Report, body: etree._Element, parsed: Parsed) -> Iterator[Finding]:
    """Every signature lies directly in an element that may hold some, and covers exactly the body."""
    family = parsed.family
    holders = {position(holder) for holder in family.holders(parsed.document.root)}
    for which, signature in enumerate(report.signatures, 1):
        path, line = signature.location.path, signature.location.line
        if path[:-1] not in holders or not path:
            yield texts.misplaced_signature(family, line)
        if signature.covered and _covers(signature, body) is None:
            uris = [covered.uri for covered in signature.covered]
            yield texts.wrong_coverage(family, which, line, uris)


def _roles(
    report: signing.Report, element: etree._Element, parsed: Parsed, wanted: schemas.Signers
) -> tuple[tuple[Role, ...], list[Finding]]:
    family, provider = parsed.family, parsed.identified.received.provider
    filer = family.value(element, "filer")
    agent = family.value(element, "agent") or None
    roles: set[Role] = set()
    findings: list[Finding] = []
    for which, signature in enumerate(report.signatures, 1):
        if signature.signer is None:
            continue
        found = roles_of(signature.signer, filer, agent, provider)
        if not found:
            findings.append(texts.stranger_signs(signature, which, filer, family))
        roles |= found
    if any(signature.signer is None for signature in report.signatures):
        return _ordered(roles), findings  # whose those are cannot be told: nobody is called missing
    if report.signatures:
        findings += [texts.signer_missing(entry, filer, family) for entry in wanted if not roles & set(entry)]
    clause = tvan_must_sign(provider, parsed.identified.received.at) if family.tvan_signs else None
    if clause is not None and Role.TVAN not in roles:
        findings.append(texts.tvan_missing(provider, clause, family))
    return _ordered(roles), findings


def _ordered(roles: set[Role]) -> tuple[Role, ...]:
    return tuple(role for role in Role if role in roles)
