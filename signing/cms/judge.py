"""The judgement of one SignerInfo (EN 319 102-1 clause 5.3 and, with its time stamps, 5.5), in CMS files and in PDF."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial

from cryptography import x509

from signing.asn1 import Asn1Refused
from signing.certificates import PublicKey, public_key_of, signer_of, spki
from signing.cms.archive import ArchiveStamp, archive_stamps, proven_by, unjudged
from signing.cms.attributes import (
    COUNTER_SIGNATURE,
    SIGNATURE_TIME_STAMP,
    SignedAttributes,
    read_signed_attributes,
)
from signing.cms.signer import check_algorithms, check_content, check_value, choose_certificate, key_of
from signing.cms.structure import DATA, SignedData, SignerInfo, read_signer
from signing.cms.values import embedded_evidence
from signing.integrity import check_key_strength
from signing.policy import Policy
from signing.proven import DocumentEvidence, Piece, judge_at_proven_time
from signing.report import (
    NO_STATEMENTS,
    Algorithms,
    Check,
    CheckFailed,
    Covered,
    Indication,
    Location,
    SignatureReport,
    Statements,
    StatusEvidence,
    TimestampReport,
    conclude,
    failed,
    passed,
)
from signing.statements import check_signature_policy
from signing.timestamps import Kind, judge_timestamp
from signing.trust import TrustStore
from signing.verify import Key

MAX_TIME_STAMPS = 8


@dataclass(frozen=True, slots=True)
class Circumstances:
    """How and when to judge. `proven`: times at which everything given provably existed (later document time stamps).

    `pieces`: certificates and revocation values that came along outside the signature, as in a PDF's DSS.
    """

    policy: Policy
    trust: TrustStore | None
    at: datetime
    key: Key | None
    proven: tuple[datetime, ...] = ()
    pieces: tuple[Piece, ...] = ()

    @property
    def certificates(self) -> tuple[x509.Certificate, ...]:
        """Those that came along outside the signature."""
        return tuple(c for piece in self.pieces for c in piece.evidence.certificates)


@dataclass(frozen=True, slots=True)
class Subject:
    """What the signature is about. `content` None: a detached signature whose content is missing; `uri`: its name.

    `profiles`: how a signature without, and one with, a signing-certificate attribute is called. `claimed`: a signing
    time told outside the attributes. `checks` and `time_stamps`: what was judged of it already, outside of it.
    """

    content: bytes | None
    uri: str = ""
    profiles: tuple[str, str] = ("CMS", "CAdES")
    claimed: datetime | None = None
    id: str | None = None
    checks: tuple[Check, ...] = ()
    time_stamps: tuple[TimestampReport, ...] = ()
    digested: bytes | None = None
    digested_by: str = ""

    def about(self, digested: bytes, by: str) -> Subject:
        """The signature is over a digest of the content, as in adbe.pkcs7.sha1; the content is what it covers."""
        return replace(self, digested=digested, digested_by=by)


def judge_signer(
    signed: SignedData, signer: SignerInfo, subject: Subject, circumstances: Circumstances
) -> list[SignatureReport]:
    """The verdict on a signature and, after it, on its countersignatures. Never raises for what they hold."""
    judgement = _Judgement(signed, signer, subject, circumstances)
    return [judgement.report(), *_counter_signatures(signed, signer, circumstances, depth=0)]


def refused_signature(subject: Subject, check: Check, circumstances: Circumstances) -> SignatureReport:
    """The verdict on a signature that cannot be read."""
    return _Judgement(None, None, replace(subject, checks=(*subject.checks, check)), circumstances).report()


def _counter_signatures(
    signed: SignedData, signer: SignerInfo, circumstances: Circumstances, depth: int
) -> list[SignatureReport]:
    """RFC 5652 clause 11.4: each signs the value of the signature that bears it."""
    reports: list[SignatureReport] = []
    about = Subject(signer.value, "signature", ("CMS countersignature", "CAdES countersignature"))
    for value in (v for a in signer.unsigned if a.oid == COUNTER_SIGNATURE for v in a.values):
        try:
            counter = read_signer(value)
        except Asn1Refused as error:
            wrong = replace(about, checks=(failed("cms.counter-signature", detail=str(error)[:200]),))
            reports.append(_Judgement(signed, None, wrong, circumstances).report())
            continue
        reports.append(_Judgement(signed, counter, about, circumstances, counters=True).report())
        if depth < 4:
            reports += _counter_signatures(signed, counter, circumstances, depth + 1)
    return reports


@dataclass(slots=True)
class _Judgement:
    signed: SignedData | None
    signer: SignerInfo | None
    subject: Subject
    where: Circumstances
    counters: bool = False
    checks: list[Check] = field(default_factory=list)
    profile: str = ""
    certificate: x509.Certificate | None = None
    chain: tuple[x509.Certificate, ...] = ()
    covered: tuple[Covered, ...] = ()
    claimed: datetime | None = None
    timestamps: list[TimestampReport] = field(default_factory=list)
    archive: list[ArchiveStamp] = field(default_factory=list)
    values: DocumentEvidence | None = None
    best: datetime | None = None
    evidence: tuple[StatusEvidence, ...] = ()
    statements: Statements = NO_STATEMENTS

    def report(self) -> SignatureReport:
        self.profile = self.subject.profiles[0]
        self.checks += self.subject.checks
        if self.signer is not None and self.signed is not None:
            try:
                self._run(self.signed, self.signer)
            except CheckFailed as error:
                self.checks.append(error.check)
        indication, sub_indication = conclude(self.checks)
        return SignatureReport(
            id=self.subject.id,
            location=Location(None, ()),
            profile=self.profile,
            indication=indication,
            sub_indication=sub_indication,
            checks=tuple(self.checks),
            signer=signer_of(self.certificate) if self.certificate else None,
            certificate=self.certificate,
            chain=self.chain,
            covered=() if self.counters else self.covered,
            properties=self.covered if self.counters else (),
            claimed_signing_time=self.claimed,
            algorithms=_declared(self.signer),
            timestamps=tuple(self.timestamps),
            best_signature_time=self.best,
            evidence=self.evidence,
            statements=self.statements,
        )

    def _run(self, signed: SignedData, signer: SignerInfo) -> None:
        attributes = read_signed_attributes(signer)
        policy = self.where.policy
        self.profile = self.subject.profiles[1 if attributes.certificates else 0]
        self.claimed = attributes.signing_time or self.subject.claimed
        kind = self.profile.removesuffix(" countersignature")
        if kind not in policy.profiles:
            self.checks.append(failed("policy.profile", profile=kind))
        if kind == "CAdES" and self.claimed is None and policy.require_signing_time and not self.counters:
            self.checks.append(failed("cades.signing-time"))
        self.statements = attributes.statements
        if not self.counters:
            self.checks += check_signature_policy(self.statements, policy)
        self.checks += [passed("cms.attributes"), *check_algorithms(signer, attributes, policy)]
        content, by = self.subject.content, self.subject.digested_by
        if by and by not in policy.digests:
            self.checks.append(failed("algorithm.digest", algorithm=by))
        told = self.subject.digested or content
        if told is None:
            self.checks.append(failed("cms.content"))
        else:
            self.checks += self._check_content(signed, signer, attributes, told)
        key = self._identify(signed, signer, attributes)
        if told is not None or signer.signed is not None:
            self.checks += check_value(signer, told or b"", key)
        self.checks.append(check_key_strength(key, policy))
        if conclude(self.checks)[0] is Indication.FAILED or content is None:
            return  # nobody signed this: whose certificate it is says nothing
        self.covered = (Covered((), "", self.subject.uri, None, content),)
        self._judge_time_stamps(signed, signer, attributes, content)
        self._check_time()
        self._authenticate(signed)

    def _check_content(
        self, signed: SignedData, signer: SignerInfo, attributes: SignedAttributes, content: bytes
    ) -> list[Check]:
        if not self.counters:
            name = self.subject.uri or "content"
            return check_content(signed, signer, attributes, content, name)
        # A countersignature has no content type (RFC 5652 clause 11.4); the value it signs is data.
        typed = DATA if signer.signed is None else attributes.content_type or DATA
        own = replace(signed, content_type=typed)
        plain = replace(attributes, content_type=typed)
        return check_content(own, signer, plain, content, "signature")

    def _identify(self, signed: SignedData, signer: SignerInfo, attributes: SignedAttributes) -> PublicKey:
        """The signing certificate (EN 319 102-1 clause 5.2.3), or the key that was given."""
        given = self.where.key
        pinned = (given,) if isinstance(given, x509.Certificate) else ()
        pool = (*signed.certificates, *pinned, *self.where.certificates)
        if isinstance(given, PublicKey) and not attributes.certificates:
            of_key = [c for c in pool if spki(public_key_of(c)) == spki(given)]
            self.certificate = of_key[0] if of_key else None
            return given
        if pinned and not attributes.certificates:
            self.certificate = pinned[0]
            return key_of(pinned[0])
        self.certificate, checks = choose_certificate(signer, attributes, pool)
        self.checks += checks
        key = key_of(self.certificate)
        if isinstance(given, PublicKey | x509.Certificate):
            wanted = public_key_of(given) if isinstance(given, x509.Certificate) else given
            if spki(wanted) != spki(key):
                raise CheckFailed(failed("key.pinned"))
        return key

    def _judge_time_stamps(
        self, signed: SignedData, signer: SignerInfo, attributes: SignedAttributes, content: bytes
    ) -> None:
        """Archive time stamps first: what they cover existed at their times (EN 319 102-1 clause 5.6.3)."""
        where = self.where
        trust = where.trust if where.key is None else None
        if trust is not None:
            inside = embedded_evidence(signed, signer, attributes)
            pieces = [Piece(each, partial(self._since, octets)) for octets, each in inside]
            self.values = DocumentEvidence(trust, where.policy, where.at, (*pieces, *where.pieces))
        untrusted = (*signed.certificates, *self._came_along())
        archive_stamps(
            signed,
            signer,
            content,
            self.archive,
            policy=where.policy,
            trust=trust,
            at=where.at,
            proven=where.proven,
            untrusted=untrusted,
            values=self.values,
        )
        self.timestamps += [*self.subject.time_stamps, *(stamp.report for stamp in self.archive)]

        def judge(token: bytes, octets: bytes, kind: Kind, proven: list[datetime]) -> None:
            report = judge_timestamp(
                token,
                octets,
                kind=kind,
                policy=where.policy,
                trust=trust,
                at=where.at,
                proven=min((*proven, *where.proven), default=None),
                untrusted=untrusted,
                values=self.values,
            )
            self.timestamps.append(report)

        stamps = [v.encoded for a in signer.unsigned if a.oid == SIGNATURE_TIME_STAMP for v in a.values]
        for token in stamps[:MAX_TIME_STAMPS]:
            judge(token, signer.value, "signature", proven_by(self.archive, token))
        for token in attributes.content_time_stamps[:MAX_TIME_STAMPS]:
            judge(token, content, "content", [s.proves for s in self.archive if s.proves is not None])
        self.timestamps += unjudged(signer)
        for report in self.timestamps:
            if report.indication is not Indication.PASSED:
                reason = next(c.message_en for c in report.checks if c.sub_indication)
                self.checks.append(failed("timestamp.ignored", kind=report.kind, detail=reason))
        held = [t.generated_at for t in self.timestamps if _proves(t) and t.generated_at is not None]
        self._check_order()
        if trust is not None:
            self.best = min((*held, *where.proven), default=None)

    def _came_along(self) -> tuple[x509.Certificate, ...]:
        pieces = self.values.pieces if self.values is not None else self.where.pieces
        return tuple(dict.fromkeys(c for piece in pieces for c in piece.evidence.certificates))

    def _since(self, octets: bytes | None) -> datetime | None:
        """Since when something provably exists: an unsigned part by its octets, a signed one (None) with the value."""
        times = [t.generated_at for t in self.timestamps if octets is None and _proves(t)]
        named = proven_by(self.archive, octets) if octets is not None else []
        return min((*(t for t in times if t is not None), *named, *self.where.proven), default=None)

    def _check_order(self) -> None:
        """A signature is not older than the certificate that it is made with (EN 319 102-1 clause 5.5.4)."""
        if self.certificate is None:
            return
        start, tolerance = self.certificate.not_valid_before_utc, self.where.policy.signing_time_tolerance
        for report in self.timestamps:
            over_it = report.kind in ("signature", "archive") and report.indication is Indication.PASSED
            if over_it and report.generated_at is not None and start - report.generated_at > tolerance:
                self.checks.append(failed("timestamp.order", first="certificate", second=report.kind))
                return

    def _check_time(self) -> None:
        """The claimed time must not lie ahead of us, nor outside the certificate's validity."""
        if self.claimed is None:
            return
        time = self.claimed.isoformat()
        ahead = self.claimed > self.where.at + self.where.policy.signing_time_tolerance
        self.checks.append(
            failed("signing-time.future", time=time) if ahead else passed("signing-time.future")
        )
        if self.certificate is None:
            return
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        within = start <= self.claimed <= end
        self.checks.append(
            passed("signing-time.validity") if within else failed("signing-time.validity", time=time)
        )

    def _authenticate(self, signed: SignedData) -> None:
        where = self.where
        if where.key == "embedded":
            self.checks.append(failed("key.embedded"))
            return
        if where.key is not None:
            self.checks.append(passed("key.pinned"))
            return
        assert self.certificate is not None
        assert self.where.trust is not None
        above, trust = (*signed.certificates, *self._came_along()), self.where.trust
        if where.policy.proven_times and self.values is not None:
            trust = self.values.store_for(self.certificate, above)
        judged = judge_at_proven_time(
            self.certificate,
            above,
            trust=trust,
            policy=where.policy,
            at=where.at,
            proven=self.best if where.policy.proven_times else None,
        )
        self.chain, self.evidence = judged.chain, judged.evidence
        self.checks += judged.checks


def _proves(report: TimestampReport) -> bool:
    """Whether it proves that the signature existed: a content time stamp is older than the signature."""
    return report.indication is Indication.PASSED and report.kind != "content"


def _declared(signer: SignerInfo | None) -> Algorithms:
    if signer is None:
        return Algorithms()
    name = signer.algorithm.name if signer.algorithm else signer.algorithm_oid
    return Algorithms(name, "", (signer.digest or signer.digest_oid,))
