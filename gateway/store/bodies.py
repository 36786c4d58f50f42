"""How a body is stored and read back: compressed, sealed where there is a key, in a folder where it is large."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import StoreUnavailable
from gateway.filing.attachments import NewPaper
from gateway.filing.filing import NewFiling
from gateway.ports import Prepared
from gateway.store.blobs import Blobs
from gateway.store.rows import Row, pack, pack_paper, unpack, unpack_paper
from gateway.store.sealing import BodyKeys, looks_sealed

READ_BODY = (
    "SELECT b.octets, b.blob, f.digest FROM body b JOIN filing f ON f.number = b.number WHERE b.number = ?"
)

READ_PAPER = "SELECT encoding, octets, digest FROM paper WHERE number = ? AND place = ?"


class Bodies:
    """Without `blobs` every body lies in the database."""

    def __init__(self, blobs: Blobs | None = None, keys: BodyKeys | None = None) -> None:
        self._blobs = blobs
        self._keys = keys or BodyKeys({}, None)
        self._failed = False

    def prepared(self, new: NewFiling) -> Prepared:
        """See `ports.Filings.prepare`."""
        octets = self._keys.seal(pack(new.document), new.filing.digest)
        papers = tuple(self._packed(paper) for paper in new.papers)
        return Prepared(new, octets, pack(new.evidence), papers)

    def _packed(self, paper: NewPaper) -> tuple[str, bytes]:
        encoding, octets = pack_paper(paper.content)
        if encoding == "plain" and looks_sealed(octets):
            encoding, octets = "zstd", pack(paper.content)  # it is not, and must not seem so when it is read
        return encoding, self._keys.seal(octets, paper.about.digest)

    async def put_away(self, prepared: Prepared) -> Prepared:
        """A large body goes to its folder, and is on the disk there before the commit that names it.

        Raises StoreUnavailable.
        """
        if self._blobs is None or len(prepared.octets) <= self._blobs.over_bytes:
            return prepared
        name = prepared.new.filing.digest.hex()
        try:
            await asyncio.to_thread(self._blobs.put, name, prepared.octets)
        except OSError as error:
            self._failed = True
            raise StoreUnavailable(f"the folder of bodies cannot take one now: {error}") from error
        self._failed = False
        return replace(prepared, octets=b"", blob=name)

    async def document(self, row: Row) -> bytes:
        """From a row of READ_BODY, the document that was filed, to the byte.

        Raises:
            StoreUnavailable: the folder cannot be read.
            Sealed: its key is not here.
            ValueError, zstandard.ZstdError: it is not what was stored.
        """
        octets, blob, digest = row
        if blob is not None and self._blobs is None:
            raise StoreUnavailable(f"the body {blob} lies in a folder that this process was not told of")
        try:
            return await asyncio.to_thread(self._document, octets, blob, digest)
        except OSError as error:
            raise StoreUnavailable(f"the body {blob} cannot be read: {error}") from error

    def _document(self, octets: bytes, blob: str | None, digest: bytes) -> bytes:
        if blob is not None and self._blobs is not None:
            octets = self._blobs.get(blob)
        document = unpack(self._keys.open(octets, digest))
        if hashlib.sha256(document).digest() != digest:
            raise ValueError(f"the body {digest.hex()} is not what was filed")
        return document

    async def paper(self, row: Row) -> bytes:
        """From a row of READ_PAPER, the paper as it was filed. Raises like `document`."""
        encoding, octets, digest = row
        return await asyncio.to_thread(lambda: unpack_paper(encoding, self._keys.open(octets, digest)))

    async def fault(self) -> bool:
        """After a body could not be put: whether there is still no room for one."""
        if self._failed and self._blobs is not None:
            try:
                await asyncio.to_thread(self._blobs.require_room)
            except OSError:
                return True
            self._failed = False
        return False

    async def orphans(self) -> Sequence[str]:
        """See `Blobs.orphans`."""
        return [] if self._blobs is None else await asyncio.to_thread(self._blobs.orphans)

    async def remove(self, names: Sequence[str]) -> int:
        """See `Blobs.remove`."""
        return 0 if self._blobs is None else await asyncio.to_thread(self._blobs.remove, names)
