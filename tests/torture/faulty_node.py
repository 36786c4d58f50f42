"""A node with one fault: it files, routes and delivers one filing on a real store, and fails or dies at one write.

HOME holds its sender's book (`acknowledged`), the agency's (`books`, a line for each submission; `called`, once its
call was taken) and the folder of large bodies. The node ends once the filing is final and its agency is held.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
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
from gateway.filing.status import FINAL, Status
from gateway.jobs.carry_on import Worker
from gateway.journey import carry_on, hear_from
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.orders import NotHeld
from gateway.store.seeds import Seed
from gateway.store.statements import Driver, Operation
from gateway.store.store import Store
from tests.gateway.builders import prepared, verdict_notice

MODES = ("failed", "failed but written", "killed before", "killed after")
LARGE = random.Random(5).randbytes(4096)
"""A body that lies in the folder; another is in the store's own row."""
_OVER_BYTES = 1024


@dataclass
class Fault:
    """The Nth write of one kind goes wrong in one way."""

    write: str
    number: int
    mode: str
    seen: Counter[str] = field(default_factory=Counter)

    def now(self, write: str) -> str:
        """What happens to this write: a mode, or ""."""
        self.seen[write] += 1
        return self.mode if (write, self.seen[write]) == (self.write, self.number) else ""


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class Faulty:
    """A real driver with a fault."""

    driver: Driver
    fault: Fault

    async def write(self, operation: Operation, item: Any) -> Any:
        mode = self.fault.now(operation.__name__)
        if mode == "killed before":
            die()
        done = None if mode == "failed" else await self.driver.write(operation, item)
        if mode == "killed after":
            die()
        if mode:
            raise StoreUnavailable("as the test wants it")
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self.driver, name)


class FaultyBlobs(FolderBlobs):
    """A real folder with a fault."""

    def __init__(self, folder: Path, fault: Fault) -> None:
        super().__init__(folder, _OVER_BYTES)
        self.fault = fault

    def put(self, digest: str, octets: bytes) -> str:
        mode = self.fault.now("put")
        if mode == "killed before":
            die()
        name = "" if mode == "failed" else super().put(digest, octets)
        if mode == "killed after":
            die()
        if mode:
            raise OSError("as the test wants it")
        return name


class Agency:
    """Takes everything in, once by key; decides when it is asked or, where it `calls`, by a call of its own."""

    def __init__(self, home: Path, calls: bool) -> None:
        self._books = home / "books"
        self._called = home / "called"
        self._calls = calls

    async def submit(self, parcel: adapters.Parcel) -> adapters.Submitted:
        with self._books.open("a") as books:
            books.write(f"{parcel.key}\n")
        return adapters.Submitted("R-1", duplicate=False)

    async def fetch(self, key: str) -> adapters.Pending | adapters.Unknown | adapters.Verdict:
        if key not in self._books.read_text().splitlines():
            return adapters.Unknown()
        return adapters.Pending("R-1") if self._calls else self._verdict()

    async def call(self, number: str, world: DeliveryWorld, store: Store) -> None:
        """Bring the verdict, again until it is taken."""
        while self._calls and not self._called.exists():
            with suppress(StoreUnavailable):
                filing = await store.filing(number)
                if filing is not None and filing.status in (Status.DELIVERED, *FINAL):
                    heard = await hear_from("tax", number, self._verdict(), world, store)
                    self._called.write_text(heard.status)
            await asyncio.sleep(0.02)

    def _verdict(self) -> adapters.Verdict:
        return adapters.Verdict("accepted", "R-1", datetime.now(UTC))


class Notary:
    """Signs nothing; only verdicts are asked of it here."""

    async def issued(self, make: Callable[[], Any]) -> Any:
        return make()

    def verdict_notice(self, *_: object) -> Any:
        return verdict_notice()


async def run(place: str, home: Path, fault: Fault, large: bool, calls: bool) -> None:
    bodies = Bodies(FaultyBlobs(home / "bodies", fault))
    store = await open_store(place, lambda: datetime.now(UTC), bodies=bodies)
    store._driver = Faulty(store._driver, fault)  # type: ignore[assignment]
    plain = {"name": "tax", "adapter": "rest", "config": "{}", "poll_seconds": 0.05, "serves": '["tax"]'}
    await store.seed([Seed("agency", {"id": "tax", **plain})], "test")
    number = await acknowledged(store, LARGE if large else b"<a/>", home / "acknowledged")
    agency = Agency(home, calls)
    world = DeliveryWorld(
        store, store, {"tax": agency}, Notary(), lambda: None, lambda: None,  # type: ignore
        lambda: load_directory(OWN_DIRECTORY), Backoff(0.02, 0.05), lambda: datetime.now(UTC), store.events,
        Room(10**9),
    )  # fmt: skip
    worker = Worker(
        f"node-{os.getpid()}", store.claim_due, partial(carry_on, world=world), store.renew,
        in_flight=4, lease_seconds=0.5, idle_seconds=0.02, step_seconds=30.0,
    )  # fmt: skip
    working = asyncio.create_task(worker.run())
    await agency.call(number, world, store)
    while (filing := await store.filing(number)) is None or filing.status not in FINAL:
        await asyncio.sleep(0.02)
    working.cancel()
    await asyncio.wait([working])
    await audited(store)
    await store.close()


async def acknowledged(store: Store, document: bytes, book: Path) -> str:
    """File it, again under the same key until it is acknowledged, and keep that durably."""
    if book.exists():
        return book.read_text()
    while True:
        with suppress(StoreUnavailable):
            number = (await store.add(prepared(document, key="k"))).filing.number
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


def main(place: str, home: Path, fault: Fault, large: bool, calls: bool) -> None:
    """A process of its own, and what it says in its log."""
    with (home / "log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    asyncio.run(run(place, home, fault, large, calls))
