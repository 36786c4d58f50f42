"""The worker: claims due filings and carries each one step on, a bounded number at a time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, Protocol, TypeVar

import structlog

from gateway.errors import StoreUnavailable
from gateway.filing.attempt import Attempt
from gateway.filing.filing import Filing

log = structlog.get_logger("delivery")
_BEATS = 3.0
"""In a lease: one that comes late, and one that fails, lose nothing."""


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
    @property
    def attempt(self) -> Attempt | None: ...


C = TypeVar("C", bound=Claimed)


class Worker(Generic[C]):
    """One per process and queue. `owner` must be unique among all processes and nodes.

    `claim_due` takes the owner, how many at most, and for how many seconds. `renew` is the heartbeat: thrice a lease,
    while the step runs, however slow the agency is; a claim that is lost ends its step. A step that takes longer than
    `step_seconds` hangs: it is ended, and the filing is anybody's once the lease is over. `attempted` hears of each
    attempt at an agency.
    """

    def __init__(
        self,
        owner: str,
        claim_due: Callable[[str, int, float], Awaitable[Sequence[C]]],
        step: Callable[[C], Awaitable[Done]],
        renew: Callable[[C, float], Awaitable[bool]],
        *,
        in_flight: int,
        lease_seconds: float,
        idle_seconds: float,
        step_seconds: float,
        attempted: Callable[[Attempt | None], None] = lambda _: None,
    ) -> None:
        self._owner = owner
        self._claim_due = claim_due
        self._step = step
        self._renew = renew
        self._in_flight = in_flight
        self._lease_seconds = lease_seconds
        self._idle_seconds = idle_seconds
        self._step_seconds = step_seconds
        self._attempted = attempted
        self._woken = asyncio.Event()
        self._running: dict[asyncio.Task[None], C] = {}

    def wake(self) -> None:
        """There may be work now; saves the wait for the next look."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled. A store that is out of reach is waited for, never given up on."""
        beating = asyncio.create_task(self._beat())
        try:
            while True:
                self._woken.clear()
                if not await self._claim_some():
                    await self._rest()
        finally:
            await self._drain()
            beating.cancel()

    async def _beat(self) -> None:
        """The heartbeat of all claims that are worked on."""
        while True:
            await asyncio.sleep(self._lease_seconds / _BEATS)
            await asyncio.gather(*(self._keep(task, claim) for task, claim in list(self._running.items())))

    async def _keep(self, task: asyncio.Task[None], claim: C) -> None:
        """Renew one claim; a store that cannot say now is asked at the next beat."""
        try:
            held = await self._renew(claim, self._lease_seconds)
        except Exception as error:
            log.warning("renew-failed", number=claim.filing.number, error=repr(error))
            return
        if not held and not task.done():  # taken over, or concluded by the agency's own call
            log.warning("lease-lost", number=claim.filing.number, attempt=claim.attempt)
            task.cancel()

    async def _claim_some(self) -> bool:
        """Whether anything was claimed."""
        free = self._in_flight - len(self._running)
        if free <= 0:
            await asyncio.wait(list(self._running), return_when=asyncio.FIRST_COMPLETED)
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
            self._running[task] = claim
            task.add_done_callback(self._running.pop)
        return bool(claims)

    async def _carry(self, claim: C) -> None:
        number, before = claim.filing.number, claim.filing.status
        try:
            async with asyncio.timeout(self._step_seconds):
                outcome = await self._step(claim)
        except TimeoutError:
            log.error("step-hung", number=number, status=before, seconds=self._step_seconds)  # noqa: TRY400
            return
        except StoreUnavailable as error:
            log.warning("outcome-lost", number=number, status=before, error=str(error))
            return  # the lease runs out, and the step is repeated
        except Exception:
            log.exception("outcome-failed", number=number, status=before, attempt=claim.attempt)
            return
        self._attempted(outcome.attempt)
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
            await asyncio.wait(list(self._running), timeout=self._step_seconds)
