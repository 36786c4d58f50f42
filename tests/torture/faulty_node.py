"""A node with one fault: it files, routes and delivers one filing on a real store, and fails or dies at one write.

`python -m tests.torture.faulty_node PLACE HOME [OPERATION:N:MODE]`. HOME holds its sender's book (`acknowledged`) and
the agency's (`books`, a line for each submission). It ends once the filing is final and held and released once.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import adapters
from gateway.delivery.room import Room
from gateway.delivery.world import Backoff, DeliveryWorld
from gateway.directory import OWN_DIRECTORY, load_directory
from gateway.errors import StoreUnavailable
from gateway.filing.status import FINAL
from gateway.jobs.carry_on import Worker
from gateway.journey import carry_on
from gateway.store.opening import open_store
from gateway.store.orders import NotHeld
from gateway.store.seeds import Seed
from gateway.store.statements import Driver, Operation
from gateway.store.store import Store
from tests.gateway.builders import prepared, verdict_notice

MODES = ("failed", "failed but written", "killed before", "killed after")


@dataclass
class Faulty:
    """A real driver whose Nth write of one operation goes wrong in one way."""

    driver: Driver
    operation: str
    number: int
    mode: str
    seen: Counter[str] = field(default_factory=Counter)

    async def write(self, operation: Operation, item: Any) -> Any:
        name = operation.__name__
        self.seen[name] += 1
        if (name, self.seen[name]) != (self.operation, self.number):
            return await self.driver.write(operation, item)
        if self.mode == "killed before":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.mode in ("failed but written", "killed after"):
            await self.driver.write(operation, item)
        if self.mode == "killed after":
            os.kill(os.getpid(), signal.SIGKILL)
        raise StoreUnavailable("as the test wants it")

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)


class Agency:
    """Takes everything in, once by key; decides when it is asked."""

    def __init__(self, books: Path) -> None:
        self._books = books

    async def submit(self, parcel: adapters.Parcel) -> adapters.Submitted:
        with self._books.open("a") as books:
            books.write(f"{parcel.key}\n")
        return adapters.Submitted("R-1", duplicate=False)

    async def fetch(self, key: str) -> adapters.Pending | adapters.Unknown | adapters.Verdict:
        if key not in self._books.read_text().splitlines():
            return adapters.Unknown()
        return adapters.Verdict("accepted", "R-1", datetime.now(UTC))


class Notary:
    """Signs nothing; only verdicts are asked of it here."""

    async def issued(self, make: Callable[[], Any]) -> Any:
        return make()

    def verdict_notice(self, *_: object) -> Any:
        return verdict_notice()


async def run(place: str, home: Path, fault: str) -> None:
    store = await open_store(place, lambda: datetime.now(UTC))
    if fault:
        operation, number, mode = fault.split(":")
        store._driver = Faulty(store._driver, operation, int(number), mode)  # type: ignore[assignment]
    plain = {"name": "tax", "adapter": "rest", "config": "{}", "poll_seconds": 0.05, "serves": '["tax"]'}
    await store.seed([Seed("agency", {"id": "tax", **plain})], "test")
    number = await acknowledged(store, home / "acknowledged")
    world = DeliveryWorld(
        store, store, {"tax": Agency(home / "books")}, Notary(), lambda: None, lambda: None,  # type: ignore
        lambda: load_directory(OWN_DIRECTORY), Backoff(0.02, 0.05), lambda: datetime.now(UTC), store.events,
        Room(10**9),
    )  # fmt: skip
    worker = Worker(
        f"node-{os.getpid()}", store.claim_due, partial(carry_on, world=world), store.renew,
        in_flight=4, lease_seconds=0.5, idle_seconds=0.02, step_seconds=30.0,
    )  # fmt: skip
    working = asyncio.create_task(worker.run())
    while (filing := await store.filing(number)) is None or filing.status not in FINAL:
        await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.wait([working])
    await audited(store)
    await store.close()


async def acknowledged(store: Store, book: Path) -> str:
    """File it, again under the same key until it is acknowledged, and keep that durably."""
    if book.exists():
        return book.read_text()
    while True:
        with suppress(StoreUnavailable):
            number = (await store.add(prepared(key="k"))).filing.number
            with book.open("w") as file:
                file.write(number)
                file.flush()
                os.fsync(file.fileno())
            return number


async def audited(store: Store) -> None:
    """An operator's order, given again until it is known to be done: held once, and not twice."""
    while True:
        with suppress(StoreUnavailable):
            try:
                await store.hold_agency("tax", "operator", "test")
            except NotHeld:
                return
            return


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else ""))
