"""One fault: the Nth write of a kind fails, fails but is written, or takes its process with it."""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.store.blobs import FolderBlobs
from gateway.store.statements import Driver, Operation

MODES = ("failed", "failed but written", "killed before", "killed after")
OVER_BYTES = 1024
"""A body that is larger lies in the folder."""


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
        super().__init__(folder, OVER_BYTES)
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
