"""The worker: claims due filings and carries each one step on, a bounded number at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from gateway.errors import StoreUnavailable
from gateway.filing.filing import Filing

log = structlog.get_logger("delivery")


class Claimed(Protocol):
    """The right to work on something of a filing's."""

    @property
    def filing(self) -> Filing: ...
    @property
    def attempt(self) -> int: ...


class Done(Protocol):
    """What the work came to."""

    @property
    def status(self) -> str: ...
    @property
    def event(self) -> str | None: ...


C = TypeVar("C", bound=Claimed)


class Worker(Generic[C]):
    """One per process and queue. `owner` must be unique among all processes and nodes.

    `claim_due` takes the owner, how many at most, and for how many seconds.
    """

    def __init__(
        self,
        owner: str,
        claim_due: Callable[[str, int, float], Awaitable[Sequence[C]]],
        step: Callable[[C], Awaitable[Done]],
        *,
        in_flight: int,
        lease_seconds: float,
        idle_seconds: float,
    ) -> None:
        self._owner = owner
        self._claim_due = claim_due
        self._step = step
        self._in_flight = in_flight
        self._lease_seconds = lease_seconds
        self._idle_seconds = idle_seconds
        self._woken = asyncio.Event()
        self._running: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """There may be work now; saves the wait for the next look."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A store that is out of reach is waited for, never given up on."""
        try:
            while True:
                self._woken.clear()
                if not await self._claim_some():
                    await self._rest()
        finally:
            await self._drain()

    async def _claim_some(self) -> bool:
        """Whether anything was claimed."""
        free = self._in_flight - len(self._running)
        if free <= 0:
            await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            return True
        try:
            claims = await self._claim_due(self._owner, free, self._lease_seconds)
        except StoreUnavailable as error:
            log.warning("claim-failed", error=str(error))
            return False
        except Exception:  # a row that cannot be read must not stop the door too
            log.exception("claim-failed")
            return False
        for claim in claims:
            task = asyncio.create_task(self._carry(claim), name=claim.filing.number)
            self._running.add(task)
            task.add_done_callback(self._running.discard)
        return bool(claims)

    async def _carry(self, claim: C) -> None:
        number, before = claim.filing.number, claim.filing.status
        try:
            outcome = await self._step(claim)
        except StoreUnavailable as error:
            log.warning("outcome-lost", number=number, status=before, error=str(error))
            return  # the lease runs out, and the step is repeated
        except Exception:
            log.exception("outcome-failed", number=number, status=before, attempt=claim.attempt)
            return
        log.info("step", number=number, before=before, status=outcome.status, event_name=outcome.event)
        self.wake()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._idle_seconds * random.uniform(0.75, 1.25)):  # noqa: S311
                await self._woken.wait()
        except TimeoutError:
            pass

    async def _drain(self) -> None:
        """Let started steps finish: what they learnt from the agency should be written down."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._lease_seconds)
