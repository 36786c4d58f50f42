"""What the second corridor needs from the world."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import adapters
import schemas
from gateway.delivery.agencies import KnownAgencies
from gateway.delivery.room import Room
from gateway.directory import Directory
from gateway.filing.attempt import Attempt
from gateway.filing.filing import Event, Filing
from gateway.filing.story import told
from gateway.intake.verify import SignatureRules
from gateway.ports import Claim, Clock, Deliveries, Notary, Outcome


@dataclass(frozen=True, slots=True)
class Backoff:
    """Retry delays in seconds: `first`, doubled at every failure up to `most`, with full jitter downwards by half."""

    first: float = 3.0
    most: float = 300.0

    def delay(self, failures: int, retry_after: float | None = None) -> float:
        """After `failures` failures in a row (0 for the first); the agency's Retry-After is a lower bound."""
        exponential = min(self.most, self.first * 2.0 ** min(failures, 30))
        return max(exponential * random.uniform(0.5, 1.0), retry_after or 0.0)  # noqa: S311 - spreads load


@dataclass(frozen=True, slots=True)
class DeliveryWorld:
    """`adapters` by the back-end's identifier; `signatures`, `catalogue` and `directory` give those in force now,
    `story` a filing's events."""

    deliveries: Deliveries
    agencies: KnownAgencies
    adapters: Mapping[str, adapters.Adapter]
    notary: Notary
    signatures: Callable[[], SignatureRules]
    catalogue: Callable[[], schemas.Catalogue]
    directory: Callable[[], Directory]
    backoff: Backoff
    clock: Clock
    story: Callable[[str], Awaitable[Sequence[Event]]]
    room: Room


def key_of(filing: Filing) -> str:
    """The idempotency key towards the agency: one filing, one key, for ever."""
    return filing.number


def failed(claim: Claim, event: str, attempt: Attempt, world: DeliveryWorld) -> Outcome:
    """The agency is out of reach: the filing stays where it is and is tried again ever more seldom."""
    return Outcome(
        claim,
        claim.filing.status,
        told(event, claim.failures),
        attempt.answer,
        due_seconds=world.backoff.delay(claim.failures, attempt.retry_after),
        progress=False,
        attempt=attempt,
    )


def without_adapter(claim: Claim, event: str, world: DeliveryWorld) -> Outcome:
    """This process started before the agency came into the registry, or without it: another process, or this one
    after a restart, can go on. No dead letter, for the filing is not at fault."""
    detail = f"this process has no adapter for agency {claim.filing.agency}"
    delay = world.backoff.delay(claim.failures)
    return Outcome(
        claim, claim.filing.status, told(event, claim.failures), detail, due_seconds=delay, progress=False
    )
