"""How a body is stored and read back: compressed, sealed where there is a key, apart where it is large."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

from gateway.errors import StoreUnavailable
from gateway.filing.attachments import NewPaper
from gateway.filing.filing import NewFiling
from gateway.ports import Prepared
from gateway.store.blobs import Blobs, Lying
from gateway.store.reseal import BODY, Resealed
from gateway.store.rows import Row, pack, pack_paper, unpack, unpack_paper
from gateway.store.sealing import BodyKeys, Sealer, key_of, looks_sealed

READ_BODY = (
    "SELECT b.octets, b.blob, f.digest FROM body b JOIN filing f ON f.number = b.number WHERE b.number = ?"
)

READ_PAPER = "SELECT encoding, octets, digest FROM paper WHERE number = ? AND place = ?"

_SEEN_SECONDS = 3_000.0
_PROBE_SECONDS = 1.0


class Bodies:
    """Without `blobs` every body lies in the database."""

    def __init__(self, blobs: Blobs | None = None, keys: BodyKeys | None = None) -> None:
        self.keys = keys or BodyKeys({}, None)
        self._blobs = blobs
        self._failed = False
        self._probe: asyncio.Task[None] | None = None
        self._unnamed: dict[Lying, float] = {}

    def prepared(self, new: NewFiling) -> Prepared:
        """See `ports.Filings.prepare`."""
        sealer = self.keys.sealer
        octets = sealer.seal(pack(new.document), new.filing.digest)
        papers = tuple(_packed(paper, sealer) for paper in new.papers)
        return Prepared(new, octets, pack(new.evidence), papers, sealed_by=sealer.name)

    async def put_away(self, prepared: Prepared) -> Prepared:
        """A large body goes to its place, and is durable there before the commit that names it.

        Raises StoreUnavailable.
        """
        name = await self._put(prepared.new.filing.digest, prepared.octets)
        return prepared if name is None else replace(prepared, octets=b"", blob=name)

    async def _put(self, digest: bytes, octets: bytes) -> str | None:
        """Where it lies, once it is durable there; None: it is not large. Raises StoreUnavailable."""
        if self._blobs is None or len(octets) <= self._blobs.over_bytes:
            return None
        try:
            name = await asyncio.to_thread(self._blobs.put, digest.hex(), octets)
        except OSError as error:
            self._failed = True
            raise StoreUnavailable(f"a large body cannot be put now: {error}") from error
        self._failed = False
        return name

    async def document(self, row: Row) -> bytes:
        """From a row of READ_BODY, the document that was filed, to the byte.

        Raises:
            StoreUnavailable: its place cannot be read.
            Sealed: its key is not here.
            ValueError, zstandard.ZstdError: it is not what was stored.
        """
        octets, blob, digest = row
        try:
            return await asyncio.to_thread(self._document, octets, blob, digest)
        except OSError as error:
            raise StoreUnavailable(f"the body {blob} cannot be read: {error}") from error

    def _document(self, octets: bytes, blob: str | None, digest: bytes) -> bytes:
        document = unpack(self.keys.open(self._lying(octets, blob), digest))
        if hashlib.sha256(document).digest() != digest:
            raise ValueError(f"the body {digest.hex()} is not what was filed")
        return document

    def _lying(self, octets: bytes, blob: str | None) -> bytes:
        if blob is None:
            return octets
        if self._blobs is None:
            raise StoreUnavailable(f"the body {blob} lies in a place that this process was not told of")
        return self._blobs.get(blob)

    async def paper(self, row: Row) -> bytes:
        """From a row of READ_PAPER, the paper as it was filed. Raises like `document`."""
        encoding, octets, digest = row
        return await asyncio.to_thread(lambda: unpack_paper(encoding, self.keys.open(octets, digest)))

    async def resealed(
        self, table: str, key: tuple[str | int, ...], row: Row, only: str | None = None
    ) -> Resealed:
        """From a row of READ_TO_RESEAL, its form under the key that seals now; a large body is put there already.

        What is under that key, or under another than `only`, stays as it is: the key's name is noted. Raises like
        `document`, and FileNotFoundError where a large body is not in its place.
        """
        sealer = self.keys.sealer
        try:
            sealed_by, sealed = await asyncio.to_thread(self._anew, table, row, sealer, only)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreUnavailable(f"a large body cannot be read: {error}") from error
        blob = await self._put(row[1], sealed) if sealed is not None and table == BODY else None
        return Resealed(table, key, sealed_by, sealed if blob is None else b"", blob)

    def _anew(self, table: str, row: Row, sealer: Sealer, only: str | None) -> tuple[str, bytes | None]:
        octets, digest, more = row  # where a body lies instead, or how a paper is encoded
        stored = self._lying(octets, more) if table == BODY else octets
        name = key_of(stored)
        if name == sealer.name or only not in (None, name):
            return name, None
        packed = self.keys.open(stored, digest)
        content = unpack(packed) if table == BODY else unpack_paper(more, packed)
        if hashlib.sha256(content).digest() != digest:
            raise ValueError(f"{digest.hex()} is not what was filed")
        return sealer.name, sealer.seal(packed, digest)

    async def no_room_over(self) -> int | None:
        """After a large body could not be put, and until one could be: the octets over which a body is large. None: all
        can be kept. Answers within a second or so."""
        if not self._failed or self._blobs is None:
            return None
        if self._probe is None or self._probe.done():
            self._probe = asyncio.create_task(self._try(self._blobs))
        await asyncio.wait([self._probe], timeout=_PROBE_SECONDS)
        return self._blobs.over_bytes if self._failed else None

    async def _try(self, blobs: Blobs) -> None:
        with suppress(OSError):
            await asyncio.to_thread(blobs.require_room)
            self._failed = False

    async def close(self) -> None:
        """Leave a look at the place of bodies that is under way."""
        if self._probe is not None:
            self._probe.cancel()
            await asyncio.wait([self._probe])

    async def sweep(self, named: Callable[[Sequence[str]], Awaitable[set[str]]]) -> int:
        """Remove what nobody names a day after it was put, nor named an hour ago by a clock that does not jump.

        `named`: which of some names are. Answers how many went. For one task. Raises OSError, StoreUnavailable.
        """
        if self._blobs is None:
            return 0
        before, self._unnamed = self._unnamed, {}
        pages, now = self._blobs.aged(), time.monotonic()
        ripe: list[Lying] = []
        while (page := await asyncio.to_thread(next, pages, None)) is not None:
            kept = await named([name for name, _ in page]) if page else set()
            for one in page:
                if one[0] not in kept:
                    since = self._unnamed[one] = before.get(one, now)
                    if now - since >= _SEEN_SECONDS:
                        ripe.append(one)
        return await asyncio.to_thread(self._blobs.remove, ripe) if ripe else 0


def _packed(paper: NewPaper, sealer: Sealer) -> tuple[str, bytes]:
    encoding, octets = pack_paper(paper.content)
    if encoding == "plain" and looks_sealed(octets):
        encoding, octets = "zstd", pack(paper.content)  # it is not, and must not seem so when it is read
    return encoding, sealer.seal(octets, paper.about.digest)
