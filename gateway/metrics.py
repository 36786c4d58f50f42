"""What is counted and measured, for Prometheus; docs/delivery.md names every figure.

Counters are of this process, or of all workers of a supervisor together (prometheus-client's multi-process mode);
figures of the queue come from the store when they are asked for, and so are everybody's.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from gateway.filing.attempt import Attempt

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable by which prometheus-client lets processes count together, in a directory."""

_LAG_EVERY_SECONDS = 0.1
_LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)
BREAKER_STATES = ("closed", "half-open", "open", "asked", "maintenance", "held")


@dataclass(frozen=True, slots=True)
class AgencyFigures:
    """How a back-end stands; `oldest`: the receipt of the oldest filing that waits for it."""

    agency: str
    state: str
    waiting: int
    in_flight: int
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class CertificateFigures:
    """An entry of the register that is in use, and when it ends."""

    id: str
    purpose: str
    until: datetime


@dataclass(frozen=True, slots=True)
class QueueFigures:
    """What only the store knows: filings in the queue by how they stand, agencies, overdue ones by milestone, warnings
    that wait by channel."""

    waiting: dict[str, int]
    agencies: Sequence[AgencyFigures]
    overdue: dict[str, int]
    certificates: Sequence[CertificateFigures] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        self._own = CollectorRegistry()
        self._filings = Counter(
            "efile_filings", "Filings and what they were answered", ["outcome"], registry=self._own
        )
        self._attempts = Counter(
            "efile_attempts",
            "Attempts at agencies and what came of them",
            ["agency", "result"],
            registry=self._own,
        )
        self._warnings = Counter(
            "efile_warnings",
            "Warnings to people and what came of them",
            ["channel", "result"],
            registry=self._own,
        )
        self._stamps = Counter(
            "efile_time_stamps",
            "Notices that were to bear a time stamp, and what became of it",
            ["result"],
            registry=self._own,
        )
        self._lag = Histogram(
            "efile_loop_lag_seconds",
            "How much later than asked the event loop went on",
            buckets=_LAG_BUCKETS,
            registry=self._own,
        )

    def filed(self, outcome: str) -> None:
        """One filing was answered: its status, `repeat`, or the type of the problem."""
        self._filings.labels(outcome).inc()

    def attempted(self, attempt: Attempt | None) -> None:
        """One attempt at an agency came to something."""
        if attempt is not None:
            self._attempts.labels(attempt.agency, attempt.result.value).inc()

    def warned(self, channel: str, result: str) -> None:
        """One warning was sent by a channel, failed, or was given up."""
        self._warnings.labels(channel, result).inc()

    def stamped(self, result: str) -> None:
        """One notice was stamped, or the asking failed, or nobody was asked."""
        self._stamps.labels(result).inc()

    async def measure_lag(self) -> None:
        """Until cancelled."""
        while True:
            asked = time.monotonic() + _LAG_EVERY_SECONDS
            await asyncio.sleep(_LAG_EVERY_SECONDS)
            self._lag.observe(max(0.0, time.monotonic() - asked))

    async def exposed(self, figures: Callable[[], Awaitable[QueueFigures]], now: datetime) -> bytes:
        """All of it in Prometheus' text format. Raises what `figures` raises."""
        registry = CollectorRegistry()
        registry.register(_Snapshot(await figures(), now))
        own = self._own
        if SHARED in os.environ:
            own = CollectorRegistry()
            MultiProcessCollector(own)  # type: ignore[no-untyped-call]
        return generate_latest(own) + generate_latest(registry)


class _Snapshot(Collector):
    """The store's figures, as they were read."""

    def __init__(self, figures: QueueFigures, now: datetime) -> None:
        self._figures = figures
        self._now = now

    def collect(self) -> Iterable[Metric]:
        figures = self._figures
        yield _gauge("efile_queue_filings", "Filings in the queue", "stands", figures.waiting)
        yield _gauge("efile_overdue_filings", "Filings past their term", "milestone", figures.overdue)
        yield _gauge(
            "efile_warnings_waiting", "Warnings that are to be sent yet", "channel", {**figures.warnings}
        )
        by_agency = {
            "efile_agency_waiting": ("Filings whose next step is at the agency", "waiting"),
            "efile_agency_in_flight": ("Of them, those that a process works on", "in_flight"),
        }
        for name, (text, figure) in by_agency.items():
            values = {one.agency: getattr(one, figure) for one in figures.agencies}
            yield _gauge(name, text, "agency", values)
        ages = {
            one.agency: (self._now - one.oldest).total_seconds() if one.oldest else 0.0
            for one in figures.agencies
        }
        yield _gauge(
            "efile_agency_oldest_seconds", "Age of the oldest filing that waits for it", "agency", ages
        )
        states = GaugeMetricFamily(
            "efile_agency_state", "1 for the state in which the agency is", labels=["agency", "state"]
        )
        for one in figures.agencies:
            for state in BREAKER_STATES:
                states.add_metric([one.agency, state], float(one.state == state))
        yield states
        left = GaugeMetricFamily(
            "efile_certificate_seconds_left",
            "Until a certificate or list in use ends",
            labels=["entry", "purpose"],
        )
        for certificate in figures.certificates:
            seconds = (certificate.until - self._now).total_seconds()
            left.add_metric([certificate.id, certificate.purpose], seconds)
        yield left


def _gauge(name: str, text: str, label: str, values: dict[str, float] | dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, figure in values.items():
        family.add_metric([value], figure)
    return family
