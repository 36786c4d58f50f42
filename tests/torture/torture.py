"""Chaos for a while, then the books compared: acknowledged filings that the agency lacks, or has twice."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
from collections import Counter
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from adapters.simulator import Behaviour, Simulator
from tests.house import simulator_config
from tests.postgres import Cluster
from tests.processes import Gateway, children, quick_installation
from tests.torture.senders import Books, Sender

PROCESSES = 2
SENDERS = 4
LEASE_SECONDS = 4.0  # as `quick_installation` sets it
DRAIN_SECONDS = 900.0


@dataclass
class Result:
    """What was done to it, and what came of it."""

    engine: str
    done: Counter[str] = field(default_factory=Counter)
    books: Books = field(default_factory=Books)
    sent_more_than_once: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """A table for people."""
        chaos = ", ".join(f"{count} × {name}" for name, count in sorted(self.done.items()))
        return [
            f"{self.engine}: {len(self.books.receipts)} acknowledged, {self.books.unanswered} sends unanswered, "
            f"{self.books.busy} busy, {self.sent_more_than_once} reached the agency more than once under one key",
            f"{self.engine}: {chaos}",
        ]


async def torture(seconds: float, *, postgres: bool, seed: int | None = None) -> Result:
    """Senders over mTLS, an agency that fails 30 % and calls back twice, and every few seconds something is killed."""
    chance = random.Random(seed)
    result = Result("postgresql" if postgres else "sqlite")
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="efile-torture-")))
        made = quick_installation(home)
        cluster = stack.enter_context(Cluster.made()) if postgres else None
        behaviour = Behaviour(verdict_delay_s=0.2, fail_rate=0.3, answer_twice=True)
        config = simulator_config(made, behaviour, port=made.ports.agency)
        authority = await stack.enter_async_context(Simulator(config))
        gateway = stack.enter_context(Gateway(made, PROCESSES, store=cluster.url if cluster else None))
        await gateway.start()
        senders = [Sender(made, index, result.books) for index in range(SENDERS)]
        over = asyncio.Event()
        sending = [asyncio.create_task(sender.send_until(over)) for sender in senders]
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    await asyncio.sleep(chance.uniform(1.0, 4.0))
                    await asyncio.shield(_harm(gateway, cluster, chance, result.done))
        await _settle(gateway)
        over.set()
        async with asyncio.timeout(DRAIN_SECONDS):
            await asyncio.gather(*sending)
            numbers = [number for number, _ in result.books.receipts.values()]
            verdicts = await senders[0].verdicts(numbers)
        _compare(result, verdicts, authority)
        await gateway.stop()
    return result


async def _harm(gateway: Gateway, cluster: Cluster | None, chance: random.Random, done: Counter[str]) -> None:
    """One thing that happens to machines."""
    assert gateway.process is not None
    kinds = ["kill -9 of a worker", "kill -9 of a worker", "SIGSTOP longer than a lease", "kill -9 of all"]
    kind = chance.choice(kinds + (["PostgreSQL stopped without warning"] if cluster else []))
    if kind == "PostgreSQL stopped without warning":
        assert cluster is not None
        await asyncio.to_thread(cluster.restart, signal.SIGQUIT)
    elif kind == "kill -9 of all":
        gateway.kill()
        await gateway.start()
    else:
        workers = await _workers(gateway)
        if not workers:
            return
        worker = chance.choice(workers)
        with suppress(ProcessLookupError):
            if kind == "kill -9 of a worker":
                os.kill(worker, signal.SIGKILL)
            else:
                os.kill(worker, signal.SIGSTOP)
                await asyncio.sleep(LEASE_SECONDS * 1.5)
                os.kill(worker, signal.SIGCONT)
    done[kind] += 1


async def _workers(gateway: Gateway) -> list[int]:
    assert gateway.process is not None
    with suppress(AssertionError):
        return await children(gateway.process.pid, PROCESSES)
    return []


async def _settle(gateway: Gateway) -> None:
    """Whatever was done to it, it gets ready again by itself."""
    async with asyncio.timeout(DRAIN_SECONDS):
        while await gateway.ready() != 200:
            await asyncio.sleep(0.2)


def _compare(result: Result, verdicts: dict[str, str], authority: Simulator) -> None:
    theirs = Counter(entry.number for entry in authority.books.values())
    digests = Counter(entry.digest for entry in authority.books.values())
    ours = Counter(number for number, _ in result.books.receipts.values())
    result.lost = [number for number in ours if not theirs[number] or verdicts.get(number) != "accepted"]
    result.doubled = [
        number for number, count in (ours + theirs).items() if theirs[number] > 1 or ours[number] > 1
    ]
    result.doubled += [digest for digest, count in digests.items() if count > 1]
    result.doubled += [number for number in theirs if number not in ours]  # a filing that no sender knows of
    result.sent_more_than_once = sum(entry.times > 1 for entry in authority.books.values())
