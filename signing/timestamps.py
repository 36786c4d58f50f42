"""One time-stamp token (RFC 3161, EN 319 422) judged over the octets it should be about; the same for all formats."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from signing.algorithms import digest
from signing.asn1 import (
    GENERALIZED_TIME,
    INTEGER,
    OCTET_STRING,
    OID,
    SEQUENCE,
    Asn1Refused,
    Budget,
    read_element,
)
from signing.certificates import extension
from signing.cms.algorithms import digest_of
from signing.cms.attributes import read_signed_attributes
from signing.cms.signer import check_algorithms, check_content, check_value, choose_certificate, key_of
from signing.cms.structure import TST_INFO, SignedData, read_signed_data
from signing.integrity import check_key_strength
from signing.policy import Policy
from signing.proven import DocumentEvidence, judge_at_proven_time
from signing.report import Check, CheckFailed, Indication, TimestampReport, conclude, failed, passed
from signing.trust import TrustStore

MAX_TOKEN_BYTES = 1 << 20
MAX_TOKEN_ELEMENTS = 3_000
"""ASN.1 elements looked at in one token; genuine ones have a few hundred, and the rest of them is never read."""
Kind = Literal["content", "signature", "references", "archive", "document"]
Octets = bytes | Callable[[str], bytes]
"""What a time stamp is over; a function gives the octets by the imprint's digest, where they depend on it."""


@dataclass(frozen=True, slots=True)
class TimestampInfo:
    """TSTInfo (RFC 3161 clause 2.4.2). `digest` is "" for a digest that is not known; `generated_at` is aware."""

    digest: str
    imprint: bytes
    generated_at: datetime
    policy: str
    serial: int


def read_timestamp_info(data: bytes) -> TimestampInfo:
    """Read a TSTInfo. Raises Asn1Refused."""
    parts = read_element(data).list(SEQUENCE, least=5, limit=10)
    if parts[0].integer() != 1:
        raise Asn1Refused("TSTInfo of another version")
    algorithm, imprint = parts[2].list(SEQUENCE, least=2, limit=2)
    return TimestampInfo(
        digest=digest_of(algorithm) or "",
        imprint=imprint.expect(OCTET_STRING).content,
        generated_at=parts[4].expect(GENERALIZED_TIME).time(),
        policy=parts[1].expect(OID).oid(),
        serial=parts[3].expect(INTEGER).integer(),
    )


def judge_timestamp(
    token: bytes,
    octets: Octets,
    *,
    kind: Kind,
    policy: Policy,
    trust: TrustStore | None,
    at: datetime,
    proven: datetime | None = None,
    untrusted: Iterable[x509.Certificate] = (),
    values: DocumentEvidence | None = None,
) -> TimestampReport:
    """Judge a token (DER of its ContentInfo) over octets. Never raises for what they hold.

    `values`: what came with the document beside `trust`, where that does not hold it already.
    `proven`: a time at which the token provably existed (a later time stamp over it), for authorities whose
    certificate has run out since. `trust` None: its integrity alone, which proves no time to a stranger.
    """
    judgement = _Judgement(kind, policy, trust, at, proven, tuple(untrusted), values)
    return judgement.report(token, octets)


@dataclass(slots=True)
class _Judgement:
    kind: str
    policy: Policy
    trust: TrustStore | None
    at: datetime
    proven: datetime | None
    untrusted: tuple[x509.Certificate, ...]
    values: DocumentEvidence | None
    checks: list[Check] = field(default_factory=list)
    info: TimestampInfo | None = None
    certificate: x509.Certificate | None = None

    def report(self, token: bytes, octets: Octets) -> TimestampReport:
        try:
            self._run(token, octets)
        except CheckFailed as error:
            self.checks.append(error.check)
        except Asn1Refused as error:
            self.checks.append(failed("timestamp.structure", detail=str(error)[:200]))
        indication, sub_indication = conclude(self.checks)
        return TimestampReport(
            kind=self.kind,
            generated_at=self.info.generated_at if self.info else None,
            indication=indication,
            sub_indication=sub_indication,
            checks=tuple(self.checks),
            certificate=self.certificate,
        )

    def _run(self, token: bytes, octets: Octets) -> None:
        if len(token) > MAX_TOKEN_BYTES:
            raise Asn1Refused(f"{len(token)} octets")
        signed = read_signed_data(token, max_signers=1, budget=Budget(MAX_TOKEN_ELEMENTS))
        if signed.content_type != TST_INFO or signed.content is None or len(signed.signers) != 1:
            raise Asn1Refused("one signature over one TSTInfo is needed")
        self.info = read_timestamp_info(signed.content)
        self.checks.append(passed("timestamp.structure"))
        self._check_imprint(self.info, octets)
        self._check_signature(signed, signed.content)
        if conclude(self.checks)[0] is Indication.FAILED:
            return
        self._check_time(self.info)
        self._authenticate(signed)

    def _check_imprint(self, info: TimestampInfo, octets: Octets) -> None:
        if not info.digest:
            raise CheckFailed(failed("algorithm.digest", algorithm="messageImprint"))
        if info.digest not in self.policy.digests:
            self.checks.append(failed("algorithm.digest", algorithm=info.digest))
        data = octets if isinstance(octets, bytes) else octets(info.digest)
        same = hmac.compare_digest(digest(info.digest, data), info.imprint)
        self.checks.append(passed("timestamp.imprint") if same else failed("timestamp.imprint"))

    def _check_signature(self, signed: SignedData, content: bytes) -> None:
        signer = signed.signers[0]
        attributes = read_signed_attributes(signer)
        if signer.signed is None or not attributes.certificates:
            raise Asn1Refused("no signing-certificate attribute (RFC 3161 clause 2.4.2)")
        self.checks += check_algorithms(signer, attributes, self.policy)
        self.checks += check_content(signed, signer, attributes, content, "TSTInfo")
        self.certificate, checks = choose_certificate(
            signer, attributes, (*signed.certificates, *self.untrusted)
        )
        key = key_of(self.certificate)
        self.checks += [*checks, *check_value(signer, content, key), check_key_strength(key, self.policy)]

    def _check_time(self, info: TimestampInfo) -> None:
        if info.generated_at > self.at + self.policy.signing_time_tolerance:
            self.checks.append(failed("timestamp.future", time=info.generated_at.isoformat()))
        else:
            self.checks.append(passed("timestamp.future"))

    def _authenticate(self, signed: SignedData) -> None:
        assert self.certificate is not None
        usage = extension(self.certificate, x509.ExtendedKeyUsage)
        serves = usage is not None and ExtendedKeyUsageOID.TIME_STAMPING in usage
        self.checks.append(passed("timestamp.purpose") if serves else failed("timestamp.purpose"))
        if self.trust is None:
            self.checks.append(failed("key.embedded"))
            return
        above, trust = (*signed.certificates, *self.untrusted), self.trust
        if self.values is not None:
            trust = self.values.store_for(self.certificate, above, stamping=True)
        judged = judge_at_proven_time(
            self.certificate,
            above,
            trust=trust.for_timestamps,
            policy=self.policy,
            at=self.at,
            proven=self.proven,
        )
        self.checks += judged.checks
