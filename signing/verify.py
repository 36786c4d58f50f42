"""Judging the signatures of an XML document (EN 319 102-1 clauses 5.3 and 5.5), in this order for each signature:

format → algorithms known → digests of the references → signed properties and signing certificate → signature value,
strength of its key → claimed time → time stamps → certificate path, dates, revocation, strength. What cannot be gone
past ends the signature's judgement there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal

from cryptography import x509
from lxml import etree

from signing.algorithms import DIGESTS, DS, XADES
from signing.certificates import PublicKey, public_key_of, signer_of, spki
from signing.elements import parsed_properties, printable
from signing.integrity import (
    Content,
    certificate_by_value,
    check_algorithms,
    check_digests,
    check_key_consistency,
    check_key_strength,
    check_value,
)
from signing.keyinfo import read_certificates_in
from signing.longterm.judge import InTime, judge_in_time, renamed
from signing.lookup import named_certificates
from signing.parsing import XmlDocument, XmlFault, XmlRefused, parse_xml
from signing.policy import Policy, load_policy
from signing.references import ReferenceReader, line_of, reader_of
from signing.report import (
    NO_STATEMENTS,
    Algorithms,
    Check,
    CheckFailed,
    Covered,
    Indication,
    Location,
    Outcome,
    Report,
    SignatureReport,
    Statements,
    StatusEvidence,
    TimestampReport,
    conclude,
    failed,
    passed,
    worst_of,
)
from signing.statements import check_signature_policy
from signing.trust import TrustStore
from signing.xades import (
    VIETNAM,
    check_counter_signature,
    choose_certificate,
    claims_xades,
    find_signed_properties,
    older_version,
    read_signed_properties,
    read_time,
)
from signing.xmldsig import SignatureParts, read_signature

Key = x509.Certificate | PublicKey | Literal["embedded"]
"""A pinned certificate or key instead of a path; "embedded": the document's own key, which proves integrity alone."""

MAX_VALUES_CERTIFICATES = 16


def verify_xml(
    data: bytes,
    *,
    policy: Policy | str,
    trust: TrustStore | None,
    at: datetime | None = None,
    key: Key | None = None,
) -> Report:
    """Parse and judge. `policy`: one, or the name of one of this library's. `at` (aware) defaults to now.

    Bytes that are no acceptable XML are TOTAL-FAILED, FORMAT_FAILURE, with the parser's faults as checks. Raises for
    what the caller does wrong, never for what the bytes hold: ValueError as `verify_document`, PolicyRefused.
    """
    rules = load_policy(policy) if isinstance(policy, str) else policy
    moment = at or datetime.now(UTC)
    try:
        document = parse_xml(data, encodings=rules.encodings)
    except XmlRefused as refused:
        check_arguments(moment, trust, key)
        checks = (check_in_force(rules, moment), *(_check_of(fault) for fault in refused.faults))
        indication, sub_indication = conclude(checks)
        return Report(indication, sub_indication, rules.name, moment, checks, ())
    return verify_document(document, policy=rules, trust=trust, at=moment, key=key)


def _check_of(fault: XmlFault) -> Check:
    """EN 319 102-1 clause 5.2.2: a document that cannot be read has a signature of no conforming format."""
    where_vi, where_en = (f" (dòng {fault.line})", f" (line {fault.line})") if fault.line else ("", "")
    return Check(
        code=fault.code,
        clause="EN 319 102-1 §5.2.2",
        outcome=Outcome.FAILED,
        sub_indication="FORMAT_FAILURE",
        message_vi=fault.message_vi + where_vi,
        message_en=fault.message_en + where_en,
        remedy_vi=fault.remedy_vi,
        remedy_en=fault.remedy_en,
    )


def verify_document(
    doc: XmlDocument,
    *,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime,
    key: Key | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Report:
    """Judge every ds:Signature of a document at a time; the worst decides.

    `files`: what references may point to outside the document, by name (a container's files); by default, nothing.
    Never raises for what the document holds. Raises ValueError for a time without a zone, or neither trust nor key.
    Safe in several threads at once.
    """
    check_arguments(at, trust, key)
    checks = [check_in_force(policy, at)]
    signatures: list[SignatureReport] = []
    with doc.lock:
        try:
            elements = list(doc.root.iter(f"{{{DS}}}Signature"))
            reader = _check_document(doc, elements, policy, checks, files)
            for element in elements:
                signatures.append(_Judgement(reader, element, policy, trust, at, key).report())
        except CheckFailed as error:
            checks.append(error.check)
    verdicts = [conclude(checks), *((s.indication, s.sub_indication) for s in signatures)]
    indication, sub_indication = worst_of(verdicts)
    return Report(indication, sub_indication, policy.name, at, tuple(checks), tuple(signatures))


def check_arguments(at: datetime, trust: TrustStore | None, key: Key | None) -> None:
    """What every judge of a document demands of its caller. Raises ValueError."""
    if at.tzinfo is None:
        raise ValueError("at: an aware time is needed")
    if trust is None and key is None:
        raise ValueError("either trust or a key is needed: nothing could be judged")


def check_in_force(policy: Policy, at: datetime) -> Check:
    """Whether the policy is in force on that day, in Vietnam time."""
    day: date = at.astimezone(VIETNAM).date()
    if day < policy.effective_from or (policy.effective_to is not None and day > policy.effective_to):
        return failed("policy.in-force", policy=policy.name, day=day.isoformat())
    return passed("policy.in-force")


def _check_document(
    doc: XmlDocument,
    elements: list[etree._Element],
    policy: Policy,
    checks: list[Check],
    files: Mapping[str, bytes] | None,
) -> ReferenceReader:
    if not elements:
        raise CheckFailed(failed("document.signature-present"))
    if len(elements) > policy.max_signatures:
        raise CheckFailed(
            failed("document.signature-count", count=len(elements), limit=policy.max_signatures)
        )
    reader = reader_of(doc, files)
    checks += [passed("document.signature-present"), passed("document.ids-unique")]
    return reader


_NOTHING_READ = Algorithms()


@dataclass(slots=True)
class _Judgement:
    """The judgement of one signature while it goes on; every step adds its checks."""

    reader: ReferenceReader
    element: etree._Element
    policy: Policy
    trust: TrustStore | None
    at: datetime
    key: Key | None
    checks: list[Check] = field(default_factory=list)
    profile: str = "XMLDSig"
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    covered: tuple[Covered, ...] = ()
    properties: tuple[Covered, ...] = ()
    claimed: datetime | None = None
    algorithms: Algorithms = _NOTHING_READ
    evidence: tuple[StatusEvidence, ...] = ()
    timestamps: tuple[TimestampReport, ...] = ()
    best: datetime | None = None
    statements: Statements = NO_STATEMENTS

    def report(self) -> SignatureReport:
        try:
            self._run()
        except CheckFailed as error:
            self.checks.append(error.check)
        indication, sub_indication = conclude(self.checks)
        signature_id = self.element.get("Id")
        return SignatureReport(
            id=printable(signature_id) if signature_id else None,
            location=Location(line_of(self.element), self.reader.path_of(self.element)),
            profile=self.profile,
            indication=indication,
            sub_indication=sub_indication,
            checks=tuple(self.checks),
            signer=signer_of(self.certificate) if self.certificate else None,
            certificate=self.certificate,
            chain=self.chain,
            covered=self.covered,
            properties=self.properties,
            claimed_signing_time=self.claimed,
            algorithms=self.algorithms,
            timestamps=self.timestamps,
            best_signature_time=self.best,
            evidence=self.evidence,
            statements=self.statements,
        )

    def _run(self) -> None:
        parts = read_signature(self.element, self.policy)
        self.checks.append(passed("format.structure"))
        info = parts.signed_info
        digests = tuple(dict.fromkeys(printable(r.digest_method) for r in info.references))
        self.algorithms = Algorithms(printable(info.signature_method), info.canonicalisation.uri, digests)
        xades = claims_xades(parts)
        self.profile = "XAdES" if xades else "XMLDSig"
        if self.profile not in self.policy.profiles:
            self.checks.append(failed("policy.profile", profile=self.profile))
        older = older_version(parts) if xades else None
        if older is not None:  # integrity is judged all the same: what was changed is told as that
            self.profile, xades = f"XAdES {older}", False
            self.checks.append(failed("xades.version", version=older))
        self.checks += check_algorithms(parts, self.policy)
        content, checks = check_digests(parts, self.reader, self.policy)
        self.checks += [*checks, *check_counter_signature(parts, content.references)]
        key = self._identify(parts, content) if xades else self._identify_plain(parts, content)
        self.checks += check_key_consistency(parts.key_info, self.certificate)
        value = check_value(parts, key, self.policy)
        self.checks += [value, check_key_strength(key, self.policy)]
        if conclude(self.checks)[0] is Indication.FAILED:
            return  # nobody signed this: whose certificate it is says nothing
        self.covered, self.properties = content.covered, content.properties
        self._check_time()
        self._authenticate(self._judge_in_time(parts))

    def _identify_plain(self, parts: SignatureParts, content: Content) -> PublicKey:
        """XMLDSig: the certificate by the value; the signing time from a signed SignatureProperty, where one is."""
        self.claimed = _signed_time(content)
        if isinstance(self.key, x509.Certificate):
            self.certificate = self.key
            return public_key_of(self.key)
        offered = parts.key_info.certificates or self._named(parts)
        self.certificate = certificate_by_value(parts, offered, self.policy)
        if self.key is None or self.key == "embedded":
            return self._own_key(parts)
        if self.certificate is not None and spki(public_key_of(self.certificate)) != spki(self.key):
            self.certificate = None
        return self.key

    def _identify(self, parts: SignatureParts, content: Content) -> PublicKey:
        """XAdES: the certificate by its digest in the signed properties (EN 319 102-1 clause 5.2.3)."""
        found = find_signed_properties(parts, content.references)
        properties = read_signed_properties(found.octets, lenient=self.policy.lenient_certificates)
        self.profile, self.claimed = properties.profile, properties.signing_time
        self.statements = properties.statements
        self.checks += [passed("xades.reference"), *check_signature_policy(self.statements, self.policy)]
        for reference in properties.certificates:
            if DIGESTS.get(reference.digest_method) not in self.policy.digests:
                self.checks.append(failed("algorithm.digest", algorithm=printable(reference.digest_method)))
        if properties.signing_time is None and self.policy.require_signing_time:
            self.checks.append(failed("xades.signing-time"))
        pinned = (self.key,) if isinstance(self.key, x509.Certificate) else ()
        candidates = (*parts.key_info.certificates, *pinned, *_values_certificates(parts, self.policy))
        if self.policy.key_lookups and self.trust is not None:
            candidates += (*self.trust.anchors, *self.trust.intermediates)  # the signed digest chooses
        if not candidates and self.key == "embedded" and properties.certificates:
            return self._own_key(parts)  # integrity alone: the key is told, whose it is remains open
        self.certificate, checks = choose_certificate(properties, candidates)
        self.checks += [*checks, *check_counter_signature(parts, content.references)]
        key = public_key_of(self.certificate)
        if self.key is not None and self.key != "embedded":
            wanted = public_key_of(self.key) if isinstance(self.key, x509.Certificate) else self.key
            if spki(wanted) != spki(key):
                raise CheckFailed(failed("key.pinned"))
        return key

    def _named(self, parts: SignatureParts) -> tuple[x509.Certificate, ...]:
        """Certificates of the caller's that KeyInfo only names."""
        if self.trust is None or not self.policy.key_lookups:
            return ()
        return named_certificates(parts.key_info.hints, (*self.trust.anchors, *self.trust.intermediates))

    def _own_key(self, parts: SignatureParts) -> PublicKey:
        if self.certificate is not None:
            return public_key_of(self.certificate)
        if parts.key_info.key is not None and self.key == "embedded":
            return parts.key_info.key
        raise CheckFailed(parts.key_info.unsupported or failed("key.found"))

    def _check_time(self) -> None:
        """The claimed time must not lie ahead of us, nor outside the certificate's validity."""
        if self.claimed is None:
            return
        if self.claimed > self.at + self.policy.signing_time_tolerance:
            self.checks.append(failed("signing-time.future", time=self.claimed.isoformat()))
        else:
            self.checks.append(passed("signing-time.future"))
        if self.certificate is None:
            return
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        if start <= self.claimed <= end:
            self.checks.append(passed("signing-time.validity"))
        else:
            self.checks.append(failed("signing-time.validity", time=self.claimed.isoformat()))

    def _judge_in_time(self, parts: SignatureParts) -> InTime:
        """Time stamps and values, which are not signed: what they prove, and what of them refuses the signature."""
        trust = self.trust if self.key is None else None
        judged = judge_in_time(
            parts, self.reader, signer=self.certificate, policy=self.policy, trust=trust, at=self.at
        )
        self.checks += judged.checks
        self.timestamps, self.best = judged.timestamps, judged.best
        self.profile = renamed(self.profile, judged.level)
        return judged

    def _authenticate(self, in_time: InTime) -> None:
        if self.key == "embedded":
            self.checks.append(failed("key.embedded"))
        elif self.key is not None:
            self.checks.append(passed("key.pinned"))
        elif self.certificate is not None and self.trust is not None:
            judged = in_time.judge_signer(self.certificate)
            self.chain, self.evidence = judged.chain, judged.evidence
            self.checks += judged.checks
        else:
            raise CheckFailed(failed("key.found"))


def _signed_time(content: Content) -> datetime | None:
    """SigningTime in a signed SignatureProperty of this signature, the Vietnamese e-invoices' way; read as signed."""
    for covered in content.properties:
        if covered.tag not in (
            f"{{{DS}}}Object",
            f"{{{DS}}}SignatureProperties",
            f"{{{DS}}}SignatureProperty",
        ):
            continue
        if covered.decoded:
            continue
        try:
            root = parsed_properties(covered.octets)
        except etree.LxmlError:
            return None
        for element in root.iter("{*}SigningTime"):
            return read_time(element.text or "")
    return None


def _values_certificates(parts: SignatureParts, policy: Policy) -> tuple[x509.Certificate, ...]:
    """Certificates in the unsigned CertificateValues: candidates only, the signed digest chooses."""
    place = f".//{{{XADES}}}CertificateValues/{{{XADES}}}EncapsulatedX509Certificate"
    held = [element for each in parts.objects for element in each.findall(place)[:MAX_VALUES_CERTIFICATES]]
    return read_certificates_in(held, policy)
