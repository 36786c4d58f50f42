"""A worker whose step never ends by itself: it tells what it claimed, and when its step was ended for it."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, datetime

from gateway.jobs.carry_on import Worker
from gateway.ports import Claim, Outcome
from gateway.store.opening import open_store

LEASE_SECONDS = 2.0


async def run(place: str) -> None:
    store = await open_store(place, lambda: datetime.now(UTC))

    async def step(claim: Claim) -> Outcome:
        print("claimed", flush=True)
        try:
            await asyncio.Event().wait()
        finally:
            print("ended", flush=True)
        raise AssertionError("unreachable")

    worker = Worker(
        "slow", store.claim_due, step, store.renew,
        in_flight=1, lease_seconds=LEASE_SECONDS, idle_seconds=600.0, step_seconds=600.0,
    )  # fmt: skip
    await worker.run()


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1]))
