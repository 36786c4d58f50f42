"""Where large bodies lie, as a contract; and the folder, by the SHA-256 of the document.

One that is sealed with another key than what lies there has a name of its own, by document and key: what a name holds
never changes.
They are on the disk before the commit that names them. Nodes share the folder (a network file system with `flock` and
`fsync`), processes of one machine any.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Protocol

from gateway.store.room import require_room
from gateway.store.sealing import HEAD, key_of

ORPHANED_SECONDS = 86_400.0
"""Nothing younger is swept: its commit may still come."""
_PAGE = 500
_NAME = re.compile(r"^[0-9a-f]{64}(-[0-9a-f]{16})?$")
_PLACES = ("??/*", f"{'?' * 16}/??/*")


Lying = tuple[str, object]
"""A name, and a mark that is another one once the same name has been put again."""


class Blobs(Protocol):
    """Where large bodies lie; called in threads. `over_bytes`: what is larger, as stored, lies here."""

    over_bytes: int

    def put(self, digest: str, octets: bytes) -> str:
        """Keep the stored form of the document with this SHA-256 (hex); durable on return. Answers its name here.

        Raises OSError: nothing is known to be durable.
        """
        ...

    def get(self, name: str) -> bytes:
        """What was put. Raises FileNotFoundError where it is not there, OSError where that cannot be known."""
        ...

    def require_room(self) -> None:
        """Raises OSError where no body could be put."""
        ...

    def aged(self) -> Iterator[Sequence[Lying]]:
        """All that has lain here for longer than ORPHANED_SECONDS, page by page. Raises OSError."""
        ...

    def remove(self, lying: Sequence[Lying]) -> int:
        """Remove those that nobody has put again meanwhile; answers how many. Raises OSError."""
        ...


class FolderBlobs:
    """A folder of folders, by the first two digits; for names with a key in a folder of that key.

    Whoever puts holds the lock together, whoever removes alone.
    """

    def __init__(self, folder: Path, over_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(folder.parent)
        self.over_bytes = over_bytes
        self._folder = folder

    def put(self, digest: str, octets: bytes) -> str:
        """See `Blobs.put`: file first, then its name, then the folders that hold it."""
        key = hashlib.sha256(key_of(octets).encode()).hexdigest()[:16]
        for name in (digest, f"{digest}-{key}"):
            place = self._place(name)
            above = [folder for folder in place.parents if folder.is_relative_to(self._folder)]
            for folder in reversed(above[:-1]):
                folder.mkdir(exist_ok=True, mode=0o700)
            with self._locked(fcntl.LOCK_SH):
                if not self._kept(place, octets):
                    continue
            for folder in above:
                _sync_folder(folder)
            return name
        raise OSError(f"{place} is sealed with another key than it says")

    def _kept(self, place: Path, octets: bytes) -> bool:
        """Whether it lies there now, put or put again, sealed with the same key."""
        try:
            there = _head(place)
        except FileNotFoundError:
            try:
                self._write(place, octets)
            except FileExistsError:  # somebody came between
                there = _head(place)
            else:
                return True
        if key_of(there) != key_of(octets):
            return False
        os.utime(place)  # young again
        return True

    def get(self, name: str) -> bytes:
        """See `Blobs.get`."""
        return self._place(name).read_bytes()

    def require_room(self) -> None:
        """See `Blobs.require_room`."""
        require_room(self._folder)

    def aged(self) -> Iterator[Sequence[Lying]]:
        """See `Blobs.aged`; the mark is the time of the last put."""
        page: list[Lying] = []
        for place in chain.from_iterable(self._folder.glob(places) for places in _PLACES):
            with suppress(FileNotFoundError):
                put_at = place.stat().st_mtime
                if time.time() - put_at <= ORPHANED_SECONDS:
                    continue
                if _NAME.match(place.name) is None:
                    place.unlink()  # somebody was killed while writing it
                    continue
                apart = place.parent.parent
                page.append((place.name if apart == self._folder else f"{place.name}-{apart.name}", put_at))
            if len(page) == _PAGE:
                yield page
                page = []
        yield page

    def remove(self, lying: Sequence[Lying]) -> int:
        """See `Blobs.remove`."""
        removed = 0
        for name, put_at in lying:
            place = self._place(name)
            with self._locked(fcntl.LOCK_EX), suppress(FileNotFoundError):
                if place.stat().st_mtime == put_at:
                    place.unlink()
                    removed += 1
        return removed

    def _place(self, name: str) -> Path:
        if not _NAME.match(name):
            raise ValueError(f"{name!r} is not a SHA-256")
        digest, _, key = name.partition("-")
        return self._folder / key / digest[:2] / digest

    def _write(self, place: Path, octets: bytes) -> None:
        """Under another name until it is whole and on the disk. Raises FileExistsError rather than overwrite."""
        handle, temporary = tempfile.mkstemp(prefix=".", dir=place.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(octets)
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, place)
        finally:
            os.unlink(temporary)

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        handle = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


def _head(place: Path) -> bytes:
    with open(place, "rb") as file:
        return file.read(HEAD)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
