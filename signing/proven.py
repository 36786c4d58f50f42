"""A certificate judged now and, where it no longer holds, at a proven time (EN 319 102-1 clauses 5.5.4, 5.6.2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cryptography import x509

from signing.authenticity import Authenticity, judge_certificate
from signing.policy import Policy
from signing.report import Outcome, conclude, failed
from signing.trust import TrustStore

# What may have come about after the proven time. Everything else that is wrong now was wrong then.
_BY_TIME = frozenset({
    "certificate.expired",
    "certificate.revoked",
    "certificate.suspended",
    "certificate.status-unknown",
    "certificate.ca-expired",
    "certificate.ca-revoked",
    "certificate.ca-suspended",
    "certificate.ca-status-unknown",
    "certificate.anchor-dates",
})  # fmt: skip


def judge_at_proven_time(
    certificate: x509.Certificate,
    untrusted: Iterable[x509.Certificate],
    *,
    trust: TrustStore,
    policy: Policy,
    at: datetime,
    proven: datetime | None,
) -> Authenticity:
    """Judge at `at`; where only time is to blame, at `proven`: a time at which the signature provably existed.

    The verdict at the proven time stands only where it passes and nothing but time spoke against the certificate now.
    """
    pool = tuple(untrusted)
    now = judge_certificate(certificate, pool, trust=trust, policy=policy, at=at)
    bad = {c.code for c in now.checks if c.outcome in (Outcome.FAILED, Outcome.INDETERMINATE)}
    if not bad or proven is None or proven >= at or bad - _BY_TIME:
        return now
    then = judge_certificate(certificate, pool, trust=trust, policy=policy, at=proven)
    if conclude(then.checks)[1] is not None:
        return now
    return Authenticity(
        then.chain, (*then.checks, failed("time.proven", time=proven.isoformat())), then.evidence
    )
