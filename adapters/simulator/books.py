"""What the simulated authority has taken in. With a file it remembers over a restart, even a violent one."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path

import msgspec

from adapters.told import Verdict


class BooksError(Exception):
    """The books' file is damaged in the middle; the message names the line."""


class Entry(msgspec.Struct, kw_only=True):
    """One filing, from its `wire`. `papers`: SHA-256 of each by its name; `times`: how often it was sent; its verdict
    is known from `decides_at` on."""

    key: str
    agency: str = ""
    number: str
    digest: str
    papers: dict[str, str] = {}
    reference: str
    decides_at: datetime
    verdict: Verdict
    times: int = 1
    callbacks: int = 0
    wire: str = "rest"


class _Taken(msgspec.Struct, frozen=True, tag="taken"):
    entry: Entry


class _Repeated(msgspec.Struct, frozen=True, tag="repeated"):
    key: str


class _CalledBack(msgspec.Struct, frozen=True, tag="called-back"):
    key: str


_Line = _Taken | _Repeated | _CalledBack


class Books:
    """All filings by key. Writes return once they are on the disk (where there is a file), many in one sync."""

    def __init__(self, path: Path | None) -> None:
        """Reads `path` (JSON lines) if it exists. Raises BooksError."""
        self.entries: dict[str, Entry] = {}
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writer: asyncio.Task[None] | None = None
        self._file: int | None = None
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._read(path)
            self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def take_in(self, entry: Entry) -> None:
        """Enter a new filing. Raises OSError where the disk refuses; then it was not entered."""
        self.entries[entry.key] = entry
        try:
            await self._write(_Taken(entry))
        except OSError:
            del self.entries[entry.key]
            raise

    async def repeat(self, key: str) -> None:
        """Count one more arrival of a known filing."""
        self.entries[key].times += 1
        await self._write(_Repeated(key))

    async def called_back(self, key: str) -> None:
        """Note that the gateway took a callback."""
        self.entries[key].callbacks += 1
        await self._write(_CalledBack(key))

    async def close(self) -> None:
        """Finish the writes under way and close the file."""
        if self._writer is not None:
            await self._writer
        if self._file is not None:
            os.close(self._file)
            self._file = None

    async def _write(self, line: _Line) -> None:
        if self._file is None:
            return
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((msgspec.json.encode(line) + b"\n", written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._drain(self._file))
        await written

    async def _drain(self, file: int) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(_append, file, b"".join(line for line, _ in batch))
            except OSError as error:
                for _, written in batch:
                    if not written.done():
                        written.set_exception(error)
            else:
                for _, written in batch:
                    if not written.done():
                        written.set_result(None)
        self._writer = None

    def _read(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        whole = data.rfind(b"\n") + 1
        if whole < len(data):
            # Cut off while writing: nobody was answered on the strength of it.
            os.truncate(path, whole)
        decoder = msgspec.json.Decoder(_Line)
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                self._apply(decoder.decode(line))
            except (msgspec.MsgspecError, KeyError) as error:
                raise BooksError(f"{path}, line {number}: {error}") from error

    def _apply(self, line: _Line) -> None:
        match line:
            case _Taken(entry=entry):
                self.entries[entry.key] = entry
            case _Repeated(key=key):
                self.entries[key].times += 1
            case _CalledBack(key=key):
                self.entries[key].callbacks += 1


def _append(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)
