"""Which processes serve, and which epoch of the register each has taken over: how an administrator sees an effect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from gateway.store.rows import Row, json_text
from gateway.store.statements import NOW, Statement, Steps

ALIVE_SECONDS = 45.0
"""A process that has not said anything for so long is not counted any more."""
NOTHING_YET = -1
"""The epoch of a process that has not read the register."""
READ_TAKEN_OVER = f"SELECT process, epoch, faults, {NOW} - at FROM taken_over ORDER BY process"


@dataclass(frozen=True, slots=True)
class TakenOver:
    """A process that serves: the epoch that it works by, and what of it it could not take over."""

    process: str
    epoch: int
    faults: tuple[str, ...] = ()
    age: float = 0.0


def report(batch: Sequence[TakenOver]) -> Steps:
    """A process says where it is; what has long been silent is forgotten."""
    for one in sorted(batch, key=lambda one: one.process):
        faults = json_text(one.faults)
        yield Statement(
            f"""INSERT INTO taken_over (process, epoch, faults, at) VALUES (?, ?, ?, {NOW})
                ON CONFLICT (process) DO UPDATE SET epoch = ?, faults = ?, at = {NOW}""",
            [(one.process, one.epoch, faults, one.epoch, faults)],
        )
    yield Statement(f"DELETE FROM taken_over WHERE at < {NOW} - {20 * ALIVE_SECONDS}", [()])
    return [None] * len(batch)


def leave(batch: Sequence[str]) -> Steps:
    """A process that ends in order."""
    yield Statement("DELETE FROM taken_over WHERE process = ?", [(name,) for name in sorted(batch)])
    return [None] * len(batch)


def taken_over_of(row: Row) -> TakenOver:
    """From a row of READ_TAKEN_OVER."""
    return TakenOver(row[0], row[1], tuple(msgspec.json.decode(row[2])), float(row[3]))
