"""The embedded engine: SQLite in WAL mode with `synchronous=FULL`, one writer thread, group commit.

Several processes on one machine share the file. A file lock around BEGIN … COMMIT, checkpoints included,
serves them fairly and keeps SQLite's WAL reset away from concurrent writers. Local file systems only.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.store.operations import probe
from gateway.store.room import require_room
from gateway.store.rows import Row
from gateway.store.sqlite_connection import in_sqlite, migrated, open_writer, run
from gateway.store.statements import Operation

_BATCH = 256
_GATHER_SECONDS = 0.002
"""Where several writes came together last time, a moment's wait makes the next commit carry more of them."""
_STALL_SECONDS = 30.0
"""A commit that takes longer than this hangs: another process was stopped while it held the lock, or the disk does."""
_SLOW_SECONDS = 5.0
"""A commit under way for so long is a reason to say that we are not ready."""
_MOST_WAITING = 4096
"""Writes that may wait for the next commit; what they carry lies within the doors' budgets of memory."""


class FatalStoreError(StoreUnavailable):
    """The disk failed under a write (I/O error, corruption): no further promise can be made by this process."""


@dataclass(frozen=True, slots=True)
class _Work:
    operation: Operation
    item: Any
    done: asyncio.Future[Any]


class SqliteDriver:
    """Runs operations (see `operations.py`) with group commit, and plain reads on a read-only connection.

    `write` and `read` belong to one event loop. `migrated` names what opening it applied. `on_fatal` is called
    once, from the writer thread, when the disk has failed.
    """

    def __init__(self, path: Path, on_fatal: Callable[[], None] | None = None) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(
            os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        )  # SQLite gives its WAL the mode of the database
        self._path = path
        self._lock = os.open(path.with_suffix(path.suffix + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        self._on_fatal = on_fatal
        self._failed: BaseException | None = None
        self._closed = False
        self._queue: queue.SimpleQueue[_Work | None] = queue.SimpleQueue()
        self._commit_since: float | None = None
        self._last_fault: str | None = None
        try:
            with self._locked():
                self._writer = open_writer(path)
                self.migrated = migrated(self._writer)
            self._reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
            self._reader.execute("PRAGMA query_only = 1")
        except sqlite3.Error as error:
            os.close(self._lock)
            raise StoreUnavailable(f"{path}: the store cannot be opened: {error}") from error
        except ConfigurationError:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    async def write(self, operation: Operation, item: Any) -> Any:
        """Run one item of an operation; returns after the commit is on the disk.

        Raises:
            StoreUnavailable: nothing is known to be durable; repeating the same item is safe.
        """
        if self._failed is not None:
            raise FatalStoreError("the store has failed; this process is stopping") from self._failed
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._commit_lasts() > _STALL_SECONDS or self._queue.qsize() >= _MOST_WAITING:
            raise StoreUnavailable("the store does not answer; too much waits for it already")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put(_Work(operation, item, done))
        try:
            async with asyncio.timeout(_STALL_SECONDS):
                return await done
        except TimeoutError as error:
            self._last_fault = "stalled"
            raise StoreUnavailable("the store does not answer") from error

    def fault(self) -> str | None:
        """Why no promise can be kept now, in a word: the last write failed, or one hangs. None when fine."""
        if self._failed is not None:
            return "failed"
        return "stalled" if self._commit_lasts() > _SLOW_SECONDS else self._last_fault

    async def probe(self) -> None:
        """After a bad write: try whether the disk has room, and takes a small one. Raises what is wrong."""
        await asyncio.to_thread(require_room, self._path.parent)
        await self.write(probe, None)
        self._last_fault = None

    def _commit_lasts(self) -> float:
        since = self._commit_since
        return 0.0 if since is None else time.monotonic() - since

    async def read(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """Rows of a query, as of the newest commit; on the event loop, since a look-up takes some microseconds."""
        try:
            return self._reader.execute(in_sqlite(sql), row).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store cannot be read: {error}") from error

    async def survey(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """See `statements.Driver.survey`: a connection and a thread of its own."""
        return await asyncio.to_thread(self._survey, in_sqlite(sql), row)

    def _survey(self, sql: str, row: Row) -> Sequence[Row]:
        try:
            with closing(sqlite3.connect(f"file:{self._path}?mode=ro", uri=True)) as connection:
                return connection.execute(sql, row).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"the store cannot be read: {error}") from error

    async def tend(self, code: str, at: datetime) -> int:  # noqa: ARG002
        """See `statements.Driver.tend`: nothing."""
        return 0

    async def close(self) -> None:
        """Finish what is queued and close. The last connection's checkpoint runs under the lock."""
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)
        self._reader.close()
        with self._locked():
            self._writer.close()
        os.close(self._lock)

    def _run(self) -> None:
        last, together = False, 1
        while not last:
            first = self._queue.get()
            if first is None:
                return
            if together > 1:
                time.sleep(_GATHER_SECONDS)
            batch, last = self._drain(first)
            together = len(batch)
            self._commit(batch)

    def _drain(self, first: _Work) -> tuple[list[_Work], bool]:
        batch = [first]
        while len(batch) < _BATCH:
            try:
                work = self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return batch, True
            batch.append(work)
        return batch, False

    def _commit(self, batch: list[_Work]) -> None:
        """One transaction for the batch; where it fails, one for each item, so that a bad item fails alone."""
        if self._failed is not None:  # queued before the disk failed
            _resolve(batch, [FatalStoreError(f"the store has failed: {self._failed}")] * len(batch))
            return
        try:
            batch, answers = self._transaction(batch)
        except Exception as error:
            if isinstance(error, sqlite3.OperationalError):
                self._last_fault = "full" if _is(error, sqlite3.SQLITE_FULL) else "unavailable"
            if self._is_fatal(error):
                _resolve(batch, [FatalStoreError(f"the store has failed: {error}")] * len(batch))
            elif len(batch) == 1:
                _resolve(batch, [_as_answer(error)])
            else:
                for work in batch:
                    self._commit([work])
            return
        _resolve(batch, answers)

    def _transaction(self, batch: list[_Work]) -> tuple[list[_Work], list[Any]]:
        """Writes, and answers, those of the batch for which somebody still waits once the lock is ours."""
        answers: list[Any] = []
        self._commit_since = time.monotonic()
        try:
            with self._locked():
                waited_for = [work for work in batch if not work.done.done()]
                if self._writer.in_transaction:  # its roll-back had failed too
                    self._writer.execute("ROLLBACK")
                changes = self._writer.total_changes
                self._writer.execute("BEGIN IMMEDIATE")
                try:
                    for operation, works in groupby(waited_for, key=lambda work: work.operation):
                        answers.extend(run(self._writer, operation, [work.item for work in works]))
                    self._writer.execute("COMMIT")
                except BaseException:
                    if self._writer.in_transaction:
                        self._writer.execute("ROLLBACK")
                    raise
                if self._writer.total_changes > changes and self._last_fault != "full":
                    self._last_fault = (
                        None  # a commit of nothing proves nothing; a small one, no room for more
                    )
        finally:
            self._commit_since = None
        return waited_for, answers

    def _is_fatal(self, error: Exception) -> bool:
        """After a failed fsync nobody knows what is on the disk: stop promising."""
        if not _is(error, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return False
        if self._failed is None:
            self._failed = error
            if self._on_fatal is not None:
                self._on_fatal()
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)


def _is(error: Exception, *codes: int) -> bool:
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in codes


def _as_answer(error: Exception) -> Exception:
    if isinstance(error, sqlite3.OperationalError):  # disk full, locked: may pass
        return StoreUnavailable(f"the store cannot write now: {error}")
    return error


def _resolve(batch: Sequence[_Work], answers: Sequence[Any]) -> None:
    """Wake the waiting tasks, one call into each event loop."""
    if not batch:
        return
    loop = batch[0].done.get_loop()

    def settle() -> None:
        for work, answer in zip(batch, answers, strict=True):
            if work.done.done():
                continue
            if isinstance(answer, Exception):
                work.done.set_exception(answer)
            else:
                work.done.set_result(answer)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
