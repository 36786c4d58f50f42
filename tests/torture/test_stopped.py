"""A process that stands still for longer than a lease loses its filing, learns of it, and writes nothing."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from gateway.filing.status import Status
from gateway.ports import Claim, Outcome
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared
from tests.torture.slow_worker import LEASE_SECONDS

ROOT = Path(__file__).resolve().parents[2]


async def take_over(store: Store) -> Claim:
    async with asyncio.timeout(60):
        while not (claims := await store.claim_due("other", 9, 60)):
            await asyncio.sleep(0.05)
    return claims[0]


async def test_sigstop_longer_than_a_lease(place: str) -> None:
    store = await open_store(place, lambda: AT)
    number = (await store.add(prepared())).filing.number
    command = [sys.executable, "-m", "tests.torture.slow_worker", place]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as slow:
        assert slow.stdout is not None
        try:
            assert await asyncio.to_thread(slow.stdout.readline) == "claimed\n"
            await asyncio.sleep(LEASE_SECONDS * 1.5)
            assert await store.claim_due("other", 9, 60) == [], "its heart beats: the filing is its own"
            slow.send_signal(signal.SIGSTOP)
            claim = await take_over(store)
            slow.send_signal(signal.SIGCONT)
            told = ""
            while told != "ended\n":
                told = await asyncio.to_thread(slow.stdout.readline)
                assert told, "it ended without a word"
        finally:
            slow.kill()
    done = Outcome(claim, Status.DELIVERED, "delivered", due_seconds=60)
    assert (await store.record_outcome(done)).applied
    (lost,) = await store.attempts(number)
    assert (lost.node, lost.result) == ("slow", "lost")
    await store.close()
