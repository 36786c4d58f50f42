"""A certificate judged now and, where it no longer holds, at a proven time (EN 319 102-1 clauses 5.5.4, 5.6.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509

from signing.authenticity import Authenticity, judge_certificate
from signing.evidence import Evidence, with_evidence
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


@dataclass(frozen=True, slots=True)
class Piece:
    """Values that stand together in a document. `proven`: since when they provably exist, as far as is known when it
    is asked: time stamps are judged from the latest to the earliest.
    """

    evidence: Evidence
    proven: Callable[[], datetime | None]


@dataclass(slots=True)
class DocumentEvidence:
    """The certificates and revocation values that came with a document, and which of them may speak of whom."""

    trust: TrustStore
    policy: Policy
    at: datetime
    pieces: tuple[Piece, ...]
    _all: TrustStore | None = None

    def store_for(
        self, certificate: x509.Certificate, above: Iterable[x509.Certificate], *, stamping: bool = False
    ) -> TrustStore:
        """The trust with those values that may speak of a certificate (EN 319 102-1 clause 5.6.2.2).

        An answer by an authority that has expired or was revoked since could be anyone's who got hold of its key:
        it counts only where a time stamp proves that it existed before. `stamping`: of a time-stamping unit.
        """
        if self._all is None:  # made once, because reading them costs
            self._all = with_evidence(self.trust, [piece.evidence for piece in self.pieces])
        store = self._all.for_timestamps if stamping else self._all
        end = end_of_authorities(certificate, above, trust=store, policy=self.policy, at=self.at)
        if end is None:
            return self._all
        told = [(piece.evidence, piece.proven()) for piece in self.pieces]
        return with_evidence(
            self.trust,
            [
                held if since is not None and since <= end else Evidence(held.certificates)
                for held, since in told
            ],
        )
