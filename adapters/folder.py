"""Agencies with a folder on this machine (kind "folder"): a mounted share, or a directory that others fetch from."""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from adapters.base import Unavailable
from adapters.config import read_config
from adapters.drop import MOST_NAMES, DropAdapter, DropConfig, Folder, NoFile, Stamp

T = TypeVar("T")
_FOLDER = os.O_RDONLY | os.O_DIRECTORY
_LINK = {errno.ELOOP, errno.EMLINK}


class FolderConfig(DropConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The two folders, which the agency has made; `done` and `refused` are made in the folder of answers.

    Files are written with mode 660, less the umask. The file system must know fsync and rename as POSIX does.
    """

    out_folder: str
    answers_folder: str

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the folders."""
        names = [name for name in ("out_folder", "answers_folder") if name in values]
        return [f"{name}: no folder {values[name]}" for name in names if not Path(values[name]).is_dir()]


class LocalPlace:
    """Fulfils `adapters.drop.Place`. Every file is opened relative to its folder, and no link in it is followed."""

    def __init__(self, out: Path, answers: Path) -> None:
        self._out, self._answers = out, answers

    async def put(self, folder: Folder, name: str, octets: bytes) -> None:
        await _in_thread(self._put, folder, name, octets)

    async def names(self, folder: Folder) -> Mapping[str, Stamp]:
        return await _in_thread(self._names, folder)

    async def read(self, folder: Folder, name: str, limit: int) -> bytes | None:
        return await _in_thread(self._read, folder, name, limit)

    async def move(self, name: str, to: Folder) -> None:
        await _in_thread(self._move, name, to)

    async def close(self) -> None:
        """Nothing is kept open."""

    def _put(self, folder: Folder, name: str, octets: bytes) -> None:
        with self._opened(folder) as directory:
            written = f".{name}.{uuid.uuid4().hex}.tmp"
            file = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o660, dir_fd=directory)
            try:
                try:
                    _write(file, octets)
                finally:
                    os.close(file)
                os.rename(written, name, src_dir_fd=directory, dst_dir_fd=directory)
            except OSError:
                with suppress(OSError):
                    os.unlink(written, dir_fd=directory)
                raise
            os.fsync(directory)

    def _names(self, folder: Folder) -> Mapping[str, Stamp]:
        found = {}
        with self._opened(folder) as directory, os.scandir(directory) as entries:
            for entry in islice(entries, MOST_NAMES):
                with suppress(FileNotFoundError):  # moved meanwhile
                    seen = entry.stat(follow_symlinks=False)
                    found[entry.name] = (seen.st_size, seen.st_mtime_ns)
        return found

    def _read(self, folder: Folder, name: str, limit: int) -> bytes | None:
        with self._opened(folder) as directory:
            try:
                file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=directory)
            except FileNotFoundError:
                return None
            except OSError as error:
                if error.errno in _LINK:
                    raise NoFile("a link") from error
                raise
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise NoFile("no regular file")
                return _bounded(file, limit)
            finally:
                os.close(file)

    def _move(self, name: str, to: Folder) -> None:
        with self._opened("answers") as source, self._opened(to) as target:
            with suppress(FileNotFoundError):  # another process of ours was first
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            os.fsync(target)
            os.fsync(source)

    @contextmanager
    def _opened(self, folder: Folder) -> Iterator[int]:
        if folder in ("out", "answers"):
            directory = os.open(self._out if folder == "out" else self._answers, _FOLDER)
        else:
            directory = self._opened_within(folder)
        try:
            yield directory
        finally:
            os.close(directory)

    def _opened_within(self, folder: Folder) -> int:
        answers = os.open(self._answers, _FOLDER)
        try:
            with suppress(FileExistsError):
                os.mkdir(folder, 0o770, dir_fd=answers)
            return os.open(folder, _FOLDER | os.O_NOFOLLOW, dir_fd=answers)
        finally:
            os.close(answers)


def open_folder(config: Mapping[str, Any]) -> DropAdapter:
    """A folder adapter from a table of settings (see FolderConfig). Raises ConfigError."""
    read = read_config("folder", config, FolderConfig)
    return DropAdapter(read, LocalPlace(Path(read.out_folder), Path(read.answers_folder)))


async def _in_thread(call: Callable[..., T], *arguments: object) -> T:
    try:
        return await asyncio.to_thread(call, *arguments)
    except OSError as error:
        raise Unavailable(f"no connection to the agency's folder: {error.strerror}") from error


def _bounded(file: int, limit: int) -> bytes:
    octets = bytearray()
    while chunk := os.read(file, limit + 1 - len(octets)):
        octets += chunk
        if len(octets) > limit:
            raise NoFile(f"larger than {limit} bytes")
    return bytes(octets)


def _write(file: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(file, view) :]
    os.fsync(file)
