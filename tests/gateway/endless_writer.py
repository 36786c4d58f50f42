"""A process that records filings until it is killed, and prints each number once it has been acknowledged."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.store import Store
from tests.gateway.builders import AT, prepared


async def write(store: Store) -> None:
    while True:
        recorded = await store.add(prepared(os.urandom(2000), period=os.urandom(8).hex()))
        print(recorded.filing.number, flush=True)


async def main() -> None:
    blobs = FolderBlobs(Path(sys.argv[2]), over_bytes=1000) if sys.argv[2:] else None
    store = await open_store(sys.argv[1], lambda: AT, bodies=Bodies(blobs))
    await asyncio.gather(*(write(store) for _ in range(16)))


asyncio.run(main())
