"""What is done to a gateway while filings come in, and by what is seen that it happened."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from random import Random

from tests.postgres import Cluster
from tests.processes import Gateway, children, lives, state
from tests.torture.clock import Clock
from tests.torture.disk import SmallDisk
from tests.torture.network import Host
from tests.torture.pair import Pair
from tests.torture.senders import Books

LEASE_SECONDS = 4.0  # as `quick_installation` sets it
PROCESSES = 2
JUMPS = (86_400, -600, 120, -86_400)
SHORT_JUMPS = (86_400, -600, -86_400)
"""In seconds. What is due by a clock that was ahead waits so long once it is right again, but an hour at most: minutes
forward are not for the short form."""
_NOTICED_SECONDS = 30.0
_READY_SECONDS = 300.0


@dataclass(frozen=True)
class Harm:
    """`do` answers what was seen of it; "" where nothing was. `beside`: a worker may be killed meanwhile. `short`: part
    of the short form too."""

    name: str
    do: Callable[[], Awaitable[str]]
    beside: bool = False
    short: bool = True


async def until(true: Callable[[], Awaitable[bool]], seconds: float) -> bool:
    """Whether it became true in time."""
    end = time.monotonic() + seconds
    while not await true():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.1)
    return True


async def ready(gateway: Gateway) -> None:
    """Whatever was done to it, it gets ready again by itself."""

    async def is_ready() -> bool:
        return await gateway.ready() == 200

    assert await until(is_ready, _READY_SECONDS), "it never got ready again"


@dataclass
class Machine:
    """A gateway of PROCESSES workers, and what can be done to it."""

    gateway: Gateway
    chance: Random

    def harms(self, short: bool = True) -> list[Harm]:
        return [
            Harm("kill -9 of a worker", self.kill_worker),
            Harm("SIGSTOP longer than a lease", self.stop_worker, short=short),
            Harm("kill -9 of all", self.kill_all, short=short),
        ]

    async def kill_worker(self) -> str:
        if (worker := await self._worker()) is None:
            return ""
        with suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)

        async def gone() -> bool:
            return not lives(worker)

        return "its process was gone" if await until(gone, 10.0) else ""

    async def stop_worker(self) -> str:
        if (worker := await self._worker()) is None:
            return ""
        return await stopped(worker)

    async def kill_all(self) -> str:
        self.gateway.kill()
        assert self.gateway.process is not None
        code = self.gateway.process.returncode
        await self.gateway.start()
        return "no process was left" if code == -signal.SIGKILL else ""

    async def _worker(self) -> int | None:
        assert self.gateway.process is not None
        with suppress(AssertionError):
            return self.chance.choice(await children(self.gateway.process.pid, PROCESSES))
        return None


async def stopped(process: int) -> str:
    """It stands still for longer than a lease, and goes on."""
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGSTOP)
        await asyncio.sleep(LEASE_SECONDS * 1.5)
        stood = state(process) == "T"
        os.kill(process, signal.SIGCONT)
        return f"its process stood still for {LEASE_SECONDS * 1.5:g} s" if stood else ""
    return ""


@dataclass
class FullDisk:
    """`mend`: what an operator does once there is room again."""

    disk: SmallDisk
    gateway: Gateway
    books: Books
    mend: Callable[[], None] = lambda: None

    async def __call__(self) -> str:
        busy = self.books.busy
        await asyncio.to_thread(self.disk.fill)
        left = self.disk.left

        async def noticed() -> bool:
            checks = await self.gateway.checks()
            return self.books.busy > busy and any(word != "ok" for word in checks.values())

        seen = await until(noticed, _NOTICED_SECONDS)
        await asyncio.sleep(1.0)
        self.disk.free()
        await asyncio.to_thread(self.mend)
        await ready(self.gateway)
        return f"{left} octets were left, /readyz and senders were told so" if seen and left < 4096 else ""


async def jumping(
    clock: Clock, time_of: Callable[[], Awaitable[float | None]], jumps: Sequence[int], chance: Random
) -> str:
    """The clock jumps there and back; `time_of` asks a process that goes by it. Right again at the end."""
    seen = []
    try:
        for seconds in (*chance.sample(jumps, len(jumps)), 0):
            clock.jump(seconds)

            async def there(seconds: int = seconds) -> bool:
                told = await time_of()
                return told is not None and abs(told - time.time() - seconds) < 30

            if not await until(there, 20.0):
                return ""
            seen.append(f"{seconds:+d}")
            await asyncio.sleep(chance.uniform(0.5, 2.0))
    finally:
        clock.jump(0)
    return f"it said {', '.join(seen)} s"


async def clock_of(gateway: Gateway) -> float | None:
    """Seconds since 1970, by the gateway's own clock: what it dates its answers with."""
    _, date = await gateway.told()
    return parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp() if date else None


async def clock_of_database(cluster: Cluster) -> float | None:
    """By what leases are measured."""
    return float(await asyncio.to_thread(cluster.ask, "SELECT extract(epoch FROM now())"))


@dataclass
class Database:
    """A pair of PostgreSQL servers, and what can be done to it."""

    pair: Pair
    gateway: Gateway
    books: Books

    def harms(self) -> list[Harm]:
        return [
            Harm("PostgreSQL stopped without warning", self.restart, beside=True),
            Harm("failover to the standby", self.fail_over, beside=True),
        ]

    async def restart(self) -> str:
        primary = self.pair.primary
        before = primary.process
        await asyncio.to_thread(primary.stop, signal.SIGQUIT)

        async def lost() -> bool:
            return await self.gateway.ready() != 200

        seen = await until(lost, _NOTICED_SECONDS)
        await asyncio.to_thread(primary.start)
        await ready(self.gateway)
        return "the gateway was without a database" if seen and primary.process is not before else ""

    async def fail_over(self) -> str:
        await asyncio.to_thread(self.pair.fail_over)
        receipts = len(self.books.receipts)

        async def goes_on() -> bool:
            return len(self.books.receipts) > receipts + 3

        seen = await until(goes_on, 60.0)
        role = await asyncio.to_thread(self.pair.primary.ask, "SELECT pg_is_in_recovery()")
        await asyncio.to_thread(self.pair.rebuild)
        return "the standby took the writes, and got one of its own" if seen and role == "f" else ""


@dataclass
class Nodes:
    """Gateways of one process each, in namespaces of their own, at one database."""

    hosts: Sequence[Host]
    gateways: Sequence[Gateway]
    chance: Random

    def harms(self) -> list[Harm]:
        return [
            Harm("a node cut off from the database", self.without_database),
            Harm("a node cut off from senders and agency", self.without_world),
            Harm("a node cut off from everything", self.alone, short=False),
            Harm("all nodes cut off from the database", self.all_without_database, short=False),
            Harm("kill -9 of a node", self.kill_node, short=False),
            Harm("SIGSTOP of a node longer than a lease", self.stop_node, short=False),
        ]

    async def without_database(self) -> str:
        index = self._one()
        return await self._cut([(index, "database")], [index])

    async def without_world(self) -> str:
        return await self._cut([(self._one(), "world")], [])

    async def alone(self) -> str:
        index = self._one()
        return await self._cut([(index, "database"), (index, "world")], [index])

    async def all_without_database(self) -> str:
        everyone = list(range(len(self.hosts)))
        return await self._cut([(index, "database") for index in everyone], everyone)

    async def kill_node(self) -> str:
        gateway = self.gateways[self._one()]
        gateway.kill()
        assert gateway.process is not None
        code = gateway.process.returncode
        await asyncio.sleep(LEASE_SECONDS * 1.5)
        await gateway.start()
        return "the other one was alone for longer than a lease" if code == -signal.SIGKILL else ""

    async def stop_node(self) -> str:
        process = self.gateways[self._one()].process
        assert process is not None
        return await stopped(process.pid)

    def _one(self) -> int:
        return self.chance.randrange(len(self.hosts))

    async def _cut(self, links: Sequence[tuple[int, str]], unready: Sequence[int]) -> str:
        """For longer than a lease; where the database is out of reach, until the node says so."""
        for index, link in links:
            self.hosts[index].cut(link)
        try:
            passes = [await self._passes(index, link) for index, link in links]

            async def noticed() -> bool:
                return all([await self.gateways[index].ready() != 200 for index in unready])

            seen = await until(noticed, 60.0)
            await asyncio.sleep(LEASE_SECONDS * 1.5)
        finally:
            for index, link in links:
                self.hosts[index].mend(link)
        for gateway in self.gateways:
            await ready(gateway)
        told = "nothing passed for longer than a lease" + (", /readyz said so" if unready else "")
        return told if seen and not any(passes) else ""

    async def _passes(self, index: int, link: str) -> bool:
        """Whether an answer comes over a link, be it that nobody listens."""
        address = self.hosts[index].links[link][2]
        try:
            async with asyncio.timeout(1.0):
                await asyncio.open_connection(address, 9)
        except ConnectionRefusedError:
            return True
        except (TimeoutError, OSError):
            return False
        return True
