"""Verdicts on certificates that passed, with the time within which they stay the same: a known signer is a look-up."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from cryptography import x509

from signing.policy import Policy
from signing.report import Check, StatusEvidence

KEPT = 4096


@dataclass(frozen=True, slots=True)
class Authenticity:
    """The chain that was judged (leaf first; the leaf alone where none was found), every check of it, and the
    revocation answers that speak for it.
    """

    chain: tuple[x509.Certificate, ...]
    checks: tuple[Check, ...]
    evidence: tuple[StatusEvidence, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    verdict: Authenticity
    epoch: int
    start: datetime
    end: datetime


class VerdictCache:
    """Verdicts by certificate and policy. Of one trust store: other anchors or intermediates mean another cache.

    `epoch` is that of the revocation index: nothing concluded before the last change is given out.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[x509.Certificate, Policy], _Kept] = OrderedDict()

    def get(
        self, certificate: x509.Certificate, policy: Policy, epoch: int, at: datetime
    ) -> Authenticity | None:
        """The verdict that was kept, if it holds at that time."""
        found = self._kept.get((certificate, policy))
        if found is None or found.epoch != epoch or not found.start <= at <= found.end:
            return None
        return found.verdict

    def put(
        self,
        certificate: x509.Certificate,
        policy: Policy,
        verdict: Authenticity,
        *,
        epoch: int,
        start: datetime,
        end: datetime,
    ) -> None:
        """Keep a passed verdict that is the same from `start` to `end`; the oldest gives way."""
        with self._lock:
            self._kept[certificate, policy] = _Kept(verdict, epoch, start, end)
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
