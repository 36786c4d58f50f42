"""Which keys the bodies in the store are under, and how they come under another one, as the store gives it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import zstandard

from gateway.store.bodies import Bodies
from gateway.store.reseal import (
    BODY,
    COUNTS,
    PAPER,
    READ_TO_RESEAL,
    Note,
    Page,
    Resealed,
    note,
    page_of,
    seal_anew,
)
from gateway.store.rows import Row
from gateway.store.sealing import BodyKeys, Sealed
from gateway.store.statements import Driver

_PAGE = 100
_PAGE_OCTETS = 4_000_000
"""One transaction writes about so much: some milliseconds of the writer."""
_CANNOT = (Sealed, ValueError, zstandard.ZstdError, FileNotFoundError)


@dataclass(slots=True)
class Progress:
    """`resealed`: bodies and papers. `failed`: what could not be opened, and why; it is as it was."""

    resealed: int = 0
    failed: list[str] = field(default_factory=list)


class ResealSide:
    """A part of `Store`."""

    _driver: Driver
    _bodies: Bodies

    @property
    def body_keys(self) -> BodyKeys:
        """With which bodies and papers are sealed and opened."""
        return self._bodies.keys

    async def sealed_counts(self) -> dict[str | None, int]:
        """How many bodies and papers are under each key, by its name; None: not looked at yet."""
        counts: Counter[str | None] = Counter()
        for name, count in await self._driver.survey(COUNTS):
            counts[name] += count
        return dict(counts)

    async def reseal(
        self, sealed_by: str | None, only: str | None = None, told: Callable[[int], object] | None = None
    ) -> Progress:
        """Bring what is under a key under the one that seals now, by pages; others have the store for as long.

        `sealed_by`: None: what nobody has looked at; of that, where `only` is given, what is under that key alone.
        `told`: after each page, how many are done.
        Raises RegisterRefused where another key has become active meanwhile, StoreUnavailable: what is done stays done.
        """
        progress = Progress()
        for table in (BODY, PAPER):
            after: Row | None = None
            while rows := await self._driver.read(*page_of(table, sealed_by, after, _PAGE)):
                after = rows[-1][:-1]
                began = time.monotonic()
                await self._pages(table, rows, only, progress)
                if told is not None:
                    told(progress.resealed)
                await asyncio.sleep(time.monotonic() - began)
        return progress

    async def _pages(self, table: str, rows: Sequence[Row], only: str | None, progress: Progress) -> None:
        sealer = self.body_keys.sealer
        done: list[Resealed] = []
        octets = 0
        for *key, size in rows:
            try:
                one = await self._one(table, tuple(key), only)
            except _CANNOT as error:
                progress.failed.append(f"{' paper '.join(str(part) for part in key)}: {error}")
                continue
            if one is not None:
                done.append(one)
                octets += size
            if octets > _PAGE_OCTETS:
                await self._write(sealer.name, done, progress)
                done, octets = [], 0
        if done:
            await self._write(sealer.name, done, progress)

    async def _one(self, table: str, key: tuple[str | int, ...], only: str | None) -> Resealed | None:
        """None: it has been removed meanwhile."""
        rows = await self._driver.read(READ_TO_RESEAL[table], key)
        return await self._bodies.resealed(table, key, rows[0], only) if rows else None

    async def _write(self, sealer: str, done: Sequence[Resealed], progress: Progress) -> None:
        await self._driver.write(seal_anew, Page(sealer, tuple(done)))
        progress.resealed += sum(one.octets is not None for one in done)

    async def note_reseal(self, one: Note) -> None:
        """Have it in the audit record."""
        await self._driver.write(note, one)
