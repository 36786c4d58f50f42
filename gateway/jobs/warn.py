"""Warnings sent: what is due is written down once, then claimed by one process for each channel, sent, and recorded."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from gateway.errors import StoreUnavailable
from gateway.ports import Clock
from gateway.warning.matter import Channel, Matter, Message, NotSent

log = structlog.get_logger("warnings")
MOST_MATTERS = 100
"""In one message; the rest goes into the next."""
GIVEN_UP_AFTER = timedelta(days=7)
_MOST_DELAY_SECONDS = 3600.0
_LEASE_SECONDS = 60.0
"""Beside what a channel may take: after that a claim is another process's."""


class Claimed(Protocol):
    """A matter to be sent by one channel. `failures`: so often it could not be."""

    @property
    def matter(self) -> Matter: ...
    @property
    def raised_at(self) -> datetime: ...
    @property
    def failures(self) -> int: ...


class Warnings(Protocol):
    """The part of the store that is needed."""

    async def raise_warnings(self, channels: Sequence[str], matters: Sequence[Matter], at: datetime) -> int:
        """Each once for each channel, whoever is first; answers how many are new. Raises StoreUnavailable."""
        ...

    async def claim_warnings(
        self, channel: str, owner: str, limit: int, lease_seconds: float
    ) -> Sequence[Claimed]:
        """What is to be sent by a channel now; nobody else's until the lease ends. Raises StoreUnavailable."""
        ...

    async def record_warnings(
        self,
        channel: str,
        owner: str,
        ids: Sequence[str],
        at: datetime,
        *,
        fault: str | None,
        again_seconds: float | None,
    ) -> None:
        """What came of claimed ones: sent where there is no fault, else tried again or, without a delay, given up.

        Raises StoreUnavailable.
        """
        ...


class Warner:
    """One per process. A channel that fails, or hangs for as long as it may, keeps no other from being served."""

    def __init__(
        self,
        store: Warnings,
        channels: Sequence[Channel],
        due: Callable[[], Awaitable[Sequence[Matter]]],
        now: Clock,
        *,
        owner: str,
        gateway: tuple[str, str],
        seconds: float,
        counted: Callable[[str, str], None],
    ) -> None:
        """`gateway`: its code and name. `counted` is told the channel and `sent`, `failed` or `given-up`, once for each
        matter."""
        self._store = store
        self._channels = channels
        self._due = due
        self._now = now
        self._owner = owner
        self._gateway = gateway
        self._seconds = seconds
        self._counted = counted
        self._raised: set[str] = set()
        self._trouble: str | None = None

    async def run(self) -> None:
        """Every so often, a quarter more or less by chance, until cancelled. Whatever goes wrong, intake goes on."""
        while True:
            try:
                await self.round()
            except StoreUnavailable as error:
                log.warning("warnings-not-looked-at", error=str(error))
            except Exception as error:
                known, self._trouble = self._trouble, repr(error)
                if known != self._trouble:
                    log.exception("warnings-not-looked-at")
            await asyncio.sleep(self._seconds * random.uniform(0.75, 1.25))  # noqa: S311 - spreads load

    async def round(self) -> None:
        """Write down what is due, then send what can be sent now. What could not be seen keeps nothing from being sent.

        Raises StoreUnavailable, and what `due` raises.
        """
        try:
            await self._raise()
        finally:
            ended = await asyncio.gather(
                *(self._serve(channel) for channel in self._channels), return_exceptions=True
            )
        for one in ended:
            if isinstance(one, BaseException):
                raise one

    async def _raise(self) -> None:
        new = [one for one in await self._due() if one.id not in self._raised]
        if new:
            names = [channel.name for channel in self._channels]
            await self._store.raise_warnings(names, new, self._now())
            self._raised.update(one.id for one in new)

    async def _serve(self, channel: Channel) -> None:
        lease = channel.seconds + _LEASE_SECONDS
        while claimed := await self._store.claim_warnings(channel.name, self._owner, MOST_MATTERS, lease):
            message = Message(*self._gateway, self._now(), tuple(one.matter for one in claimed))
            fault = await fault_in_sending(channel, message)
            if fault is None:
                ids = [one.matter.id for one in claimed]
                await self._store.record_warnings(
                    channel.name, self._owner, ids, self._now(), fault=None, again_seconds=None
                )
                log.info("warnings-sent", channel=channel.name, count=len(ids), message=message.id)
                for _ in ids:
                    self._counted(channel.name, "sent")
                continue
            await self._put_off(channel.name, claimed, fault)
            return

    async def _put_off(self, channel: str, claimed: Sequence[Claimed], fault: str) -> None:
        at = self._now()
        for one in claimed:
            given_up = at - one.raised_at > GIVEN_UP_AFTER
            delay = min(_MOST_DELAY_SECONDS, self._seconds * 2 ** min(one.failures, 16))
            again = None if given_up else delay * random.uniform(0.75, 1.0)  # noqa: S311 - spreads load
            await self._store.record_warnings(
                channel, self._owner, [one.matter.id], at, fault=fault, again_seconds=again
            )
            self._counted(channel, "given-up" if given_up else "failed")
            if given_up:
                log.error(
                    "warning-given-up", channel=channel, about=one.matter.about, text=one.matter.text.en
                )
        log.warning("warnings-not-sent", channel=channel, count=len(claimed), reason=fault)


async def fault_in_sending(channel: Channel, message: Message) -> str | None:
    """Why not, or None."""
    try:
        async with asyncio.timeout(channel.seconds):
            await channel.send(message)
    except NotSent as error:
        return str(error)
    except TimeoutError:
        return f"no answer within {channel.seconds:g} s"
    except Exception as error:  # a fault of ours: it must not end the job, and may hold what no log should
        return type(error).__name__
    return None
