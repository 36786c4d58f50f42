"""A certificate judged now and, where it no longer holds, at a proven time (EN 319 102-1 clauses 5.5.4, 5.6.2)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509

from signing.authenticity import Authenticity, judge_certificate
from signing.evidence import Evidence
from signing.policy import Policy
from signing.report import Outcome, conclude, failed
from signing.revocation import Revoked
from signing.trust import TrustStore

_INSTANT = timedelta(microseconds=1)
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


def end_of_authorities(
    certificate: x509.Certificate,
    above: Iterable[x509.Certificate],
    *,
    trust: TrustStore,
    policy: Policy,
    at: datetime,
) -> datetime | None:
    """When the first authority above a certificate ended, None if none had by `at` (of the path that lasts longest).

    An answer by an authority that has expired or was revoked could be anyone's who got hold of its key since: it counts
    only where it provably existed before (EN 319 102-1 clause 5.6.2.2).
    """
    ends = []
    for path in trust.paths.paths(certificate, tuple(above)):
        chain = path.certificates[1:]
        end = min((c.not_valid_after_utc for c in chain), default=at)
        for ca, issuer in pairwise(chain):
            status = trust.revocation.status(ca, issuer, at, policy.status_rules)
            end = min(end, status.at) if isinstance(status, Revoked) else end
        if trust.window(path.certificates[-1], at) is None:
            windows = trust.windows.get(path.certificates[-1], ())
            end = min(end, max((w.end for w in windows if w.end <= at), default=at - _INSTANT))
        ends.append(end)
    last = max(ends, default=at)
    return None if last >= at else last


def unproven_evidence(
    certificate: x509.Certificate,
    above: Iterable[x509.Certificate],
    evidence: Evidence,
    *,
    trust: TrustStore,
    policy: Policy,
    at: datetime,
) -> TrustStore:
    """The trust with the answers that came with a document, of which nothing proves since when they exist.

    They speak of a certificate as long as every authority above it stands; then its certificates alone are left.
    """
    if not policy.proven_times:
        return trust
    everything, pool = evidence.added_to(trust), tuple(above)
    end = end_of_authorities(certificate, pool, trust=everything, policy=policy, at=at)
    return everything if end is None else Evidence(evidence.certificates).added_to(trust)
