"""The judgement of a XAdES signature in time (EN 319 102-1 clauses 5.5 and 5.6), after its value was verified.

Time stamps are judged from the last to the first: one that holds proves that everything before it existed at its time,
so that an authority whose certificate ran out since is judged at that time. The earliest proof of the signature value
is the best-signature-time; the signer's certificate is judged there where only time speaks against it now.

A token that does not hold is taken out of the set, as clause 5.5.4 has it. Beyond that, a token over what the signature
still is (its value, its content, its references) that is no time stamp of it refuses the signature: one of the two was
changed. An archive time stamp is not such a sign: KeyInfo and further objects may be added by anyone after it. Nor is
a token that stands in a second place while it holds in its own: it proves nothing there, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from cryptography import x509

from signing.algorithms import DS, XADES
from signing.authenticity import Authenticity, judge_certificate
from signing.certificates import is_readable
from signing.evidence import Evidence
from signing.longterm.imprints import Imprints
from signing.longterm.level import level_of
from signing.longterm.properties import COUNTER_SIGNATURE, NO_PROPERTIES, TimeStamp, read_properties
from signing.longterm.values import ancestors, check_references, evidence_of
from signing.policy import Policy
from signing.proven import DocumentEvidence, Piece, judge_at_proven_time
from signing.references import ReferenceReader
from signing.report import (
    Check,
    CheckFailed,
    Indication,
    Outcome,
    TimestampReport,
    conclude,
    failed,
    passed,
)
from signing.timestamps import judge_timestamp
from signing.trust import TrustStore
from signing.xmldsig import SignatureParts

MAX_OFFERED = 32
"""Certificates offered for one token's authority."""
MAX_TOKENS_OF_DOCUMENT = 64
_ORDER = ("content", "signature", "references", "archive")


@dataclass(frozen=True, slots=True)
class Judged:
    """One token with its verdict; `held`: the imprint, the structure and the value of the token are right."""

    stamp: TimeStamp
    token: bytes
    report: TimestampReport

    @property
    def time(self) -> datetime | None:
        """The proven time, None where it does not hold."""
        return self.report.generated_at if self.report.indication is Indication.PASSED else None

    @property
    def broken(self) -> bool:
        """Whether the token is no time stamp of what it stands at."""
        return self.report.indication is Indication.FAILED


@dataclass(slots=True)
class InTime:
    """A signature's time: `checks` for its report, `timestamps` in document order, and what they prove.

    `best`: the best-signature-time; None where nothing is proven. `trust` None: integrity alone.
    """

    policy: Policy
    trust: TrustStore | None
    at: datetime
    pieces: list[tuple[int, Evidence]] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    level: str = ""
    _values: DocumentEvidence | None = None

    @property
    def timestamps(self) -> tuple[TimestampReport, ...]:
        """The verdicts on the tokens."""
        return tuple(each.report for each in self.judged)

    @property
    def best(self) -> datetime | None:
        """The earliest proof that the signature value existed (EN 319 102-1 clause 5.5.4)."""
        if self.trust is None:
            return None
        times = [j.time for j in self.judged if j.stamp.covers_signature and j.time is not None]
        return min(times, default=None)

    @property
    def pool(self) -> tuple[x509.Certificate, ...]:
        """Certificates that came along."""
        return tuple(dict.fromkeys(c for _, piece in self.pieces for c in piece.certificates))

    def judge_signer(self, certificate: x509.Certificate) -> Authenticity:
        """The signer's certificate: now, or at the best-signature-time where the policy takes proven times.

        Without proven times the values in the document count for nothing: they are not signed.
        """
        assert self.trust is not None
        above = tuple(ancestors(certificate, self.pool))
        if not self.policy.proven_times:
            return judge_certificate(certificate, above, trust=self.trust, policy=self.policy, at=self.at)
        return judge_at_proven_time(
            certificate,
            above,
            trust=self.store_for(certificate, above),
            policy=self.policy,
            at=self.at,
            proven=self.best,
        )

    def store_for(
        self, certificate: x509.Certificate, above: tuple[x509.Certificate, ...], *, stamping: bool = False
    ) -> TrustStore:
        """See `DocumentEvidence.store_for`."""
        assert self.trust is not None
        if self._values is None:
            pieces = tuple(Piece(piece, partial(self._since, place)) for place, piece in self.pieces)
            self._values = DocumentEvidence(self.trust, self.policy, self.at, pieces)
        return self._values.store_for(certificate, above, stamping=stamping)

    def _since(self, place: int) -> datetime | None:
        """Since when the values at a place provably exist: the earliest archive time stamp after them."""
        stamps = [j for j in self.judged if j.stamp.kind == "archive" and j.stamp.position > place]
        return min((j.time for j in stamps if j.time is not None), default=None)


def judge_in_time(
    parts: SignatureParts,
    reader: ReferenceReader,
    *,
    signer: x509.Certificate | None,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime,
) -> InTime:
    """Judge the time stamps, values and references of a signature. Raises CheckFailed for what is not in due form."""
    properties = read_properties(parts)
    known = Evidence(tuple(c for c in parts.key_info.certificates if is_readable(c)))
    if properties == NO_PROPERTIES:
        return InTime(policy, trust, at, [(-1, known)])
    if properties.content_stamps or properties.unsigned_stamps:
        _limit_tokens(reader)
    result = InTime(policy, trust, at, [(-1, known), *evidence_of(properties)])
    imprints = Imprints(parts, properties, reader, budget=4 * len(reader.document.data) + 2_000_000)
    for stamp in reversed((*properties.content_stamps, *properties.unsigned_stamps)):
        later = [_judge(token, stamp, imprints, result) for token in stamp.tokens or (b"",)]
        result.judged[:0] = later
    result.checks += _verdicts(result.judged)
    result.checks += check_references(properties, result.pool, signer)
    result.checks += _check_order(result.judged, signer, policy)
    for element in properties.named([COUNTER_SIGNATURE]):
        if len(element.findall(f"{{{DS}}}Signature")) != 1:
            result.checks.append(
                failed("xades.time-structure", detail="CounterSignature without a signature")
            )
    if properties.unknown:
        result.checks.append(failed("xades.unsigned-properties", names=", ".join(properties.unknown)[:200]))
    result.level = level_of(properties, result.judged, result.pieces)
    return result


def _limit_tokens(reader: ReferenceReader) -> None:
    tokens = reader.document.root.iter(f"{{{XADES}}}EncapsulatedTimeStamp")
    if sum(1 for _ in tokens) > MAX_TOKENS_OF_DOCUMENT:
        raise CheckFailed(failed("xades.time-structure", detail=f"more than {MAX_TOKENS_OF_DOCUMENT} tokens"))


def _judge(token: bytes, stamp: TimeStamp, imprints: Imprints, result: InTime) -> Judged:
    try:
        octets = imprints.octets(stamp)
    except CheckFailed as error:
        indication, sub_indication = conclude([error.check])
        report = TimestampReport(stamp.kind, None, indication, sub_indication, (error.check,), None)
        return Judged(stamp, token, report)
    proofs = [j for j in result.judged if _covers(j.stamp, stamp) and j.time is not None]
    proven = min((j.time for j in proofs if j.time is not None), default=None) if result.trust else None
    authority, above = _authority(stamp, result)
    trust = result.trust
    if trust is not None and authority is not None:
        trust = result.store_for(authority, above, stamping=True)
    report = judge_timestamp(
        token,
        octets,
        kind=stamp.kind,
        policy=result.policy,
        trust=trust,
        at=result.at,
        proven=proven,
        untrusted=above,
    )
    return Judged(stamp, token, report)


def _covers(later: TimeStamp, earlier: TimeStamp) -> bool:
    if later.kind == "archive":
        return later.position > earlier.position
    return (
        later.kind == "references"
        and later.covers_signature
        and earlier.kind in ("signature", "content")
        and later.position > earlier.position
    )


def _authority(
    stamp: TimeStamp, result: InTime
) -> tuple[x509.Certificate | None, tuple[x509.Certificate, ...]]:
    """The likely certificate of the time-stamping authority, for choosing evidence, and what may stand above it."""
    own = [c for place, piece in result.pieces if place == stamp.position for c in piece.certificates]
    issuers = {c.issuer for c in own if c.issuer != c.subject}
    leaves = [c for c in own if c.subject not in issuers] or own
    if not leaves:
        return None, result.pool[:MAX_OFFERED]
    above = dict.fromkeys(a for leaf in leaves for a in ancestors(leaf, result.pool))
    return leaves[0], tuple(dict.fromkeys((*above, *result.pool)))[:MAX_OFFERED]


def _verdicts(judged: list[Judged]) -> list[Check]:
    """What the tokens mean for the signature; see the head of this module."""
    right = {each.token for each in judged if not each.broken}
    checks = []
    for each in judged:
        if each.report.indication is Indication.PASSED:
            continue
        reason = next(c for c in each.report.checks if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE))
        told = each.broken and each.stamp.kind != "archive" and each.token not in right
        code = "timestamp.broken" if told else "timestamp.ignored"
        checks.append(failed(code, kind=each.stamp.kind, detail=reason.message_en))
    return checks or ([passed("timestamp.broken")] if judged else [])


def _check_order(judged: list[Judged], signer: x509.Certificate | None, policy: Policy) -> list[Check]:
    """Clause 5.5.4: the certificate, whose digest is signed, before the signature; content before signature before
    references before archive.
    """
    start, tolerance = signer.not_valid_before_utc if signer else None, policy.signing_time_tolerance
    early = [
        j for j in judged if j.stamp.covers_signature and j.time and start and start - j.time > tolerance
    ]
    if early:
        return [failed("timestamp.order", first="certificate", second=early[0].stamp.kind)]
    holding = [(_ORDER.index(j.stamp.kind), j.time) for j in judged if j.time is not None]
    for rank, time in holding:
        for other, earlier in holding:
            if rank > other and time < earlier:
                return [failed("timestamp.order", first=_ORDER[other], second=_ORDER[rank])]
    return [passed("timestamp.order")] if holding else []


def renamed(profile: str, level: str) -> str:
    """The profile with its level: of the baseline (EN 319 132-1 clause 6), or of TS 101 903."""
    if not level:
        return profile
    if profile == "XAdES-B-B":
        return {"T": "XAdES-B-T", "LT": "XAdES-B-LT", "LTA": "XAdES-B-LTA"}[level]
    return {"T": "XAdES-T", "LT": "XAdES-X-L", "LTA": "XAdES-A"}[level]
