"""The engine to grow on: PostgreSQL, shared by the processes of several nodes; group commit by a few flushers.

One server takes the writes; after a failover, whichever of the URL's hosts does. What a COMMIT without an answer came
to is unknown, and is told so (StoreUnavailable): the sender repeats it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Self

import asyncpg
import structlog

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.store.lock_order import turn
from gateway.store.migrate import APPLIED, migrate, missing
from gateway.store.months import drop_empty_months, make_months
from gateway.store.operations import probe
from gateway.store.postgres_connection import (
    BEGIN,
    PASSING,
    RETRIED,
    Full,
    arguments,
    as_store_errors,
    commit,
    connect,
    in_postgres,
    run,
)
from gateway.store.rows import Row
from gateway.store.statements import Operation

log = structlog.get_logger("store")
_BATCH = 256
_FLUSHERS = 3
_READERS = 8
_GATHER_SECONDS = 0.002
"""Where several writes came together last time, a moment's wait makes the next commit carry more of them."""
_STALL_SECONDS = 30.0
"""A transaction that takes longer than this is given up, with its connection."""
_SLOW_SECONDS = 5.0
"""A transaction under way for so long is a reason to say that we are not ready."""
_READ_SECONDS = 10.0
_MOST_WAITING = 4096
"""Writes that may wait for the next commit; what they carry lies within the doors' budgets of memory."""
_ROOM_BYTES = 1 << 20
_TRIES = 3
_MONTHS_AHEAD = 2
_MIGRATION_TRIES = 10
_MIGRATING = 0x6566696C65
"""The advisory lock of whoever migrates."""


@dataclass(frozen=True, slots=True)
class _Work:
    operation: Operation
    item: Any
    done: asyncio.Future[Any]


class PostgresDriver:
    """Runs operations (see `operations.py`) with group commit, and plain reads on a pool of connections.

    Of one event loop. Made by `open`. `on_fatal` is called where writing has ended by itself.
    """

    def __init__(self, url: str, readers: asyncpg.Pool, on_fatal: Callable[[], None] | None = None) -> None:
        self._url = url
        self._readers = readers
        self._closed = False
        self._queue: asyncio.Queue[_Work | None] = asyncio.Queue()
        self._since: dict[int, float] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._last_fault: str | None = None
        self._flushers = [asyncio.create_task(self._flush(lane)) for lane in range(_FLUSHERS)]
        for flusher in self._flushers:
            flusher.add_done_callback(lambda _: None if self._closed or on_fatal is None else on_fatal())

    @classmethod
    async def open(cls, url: str, on_fatal: Callable[[], None] | None = None) -> Self:
        """Connect, and bring the schema up to this version; several nodes may do so at once.

        Raises:
            StoreUnavailable: no server that takes writes answers.
            ConfigurationError: the server, the URL or the schema is unfit.
        """
        await migrated(url)
        with as_store_errors():
            readers = await asyncpg.create_pool(
                **arguments(url),
                min_size=0,
                max_size=_READERS,
                reset=_as_it_is,
                command_timeout=_READ_SECONDS,
            )
        return cls(url, readers, on_fatal)

    async def write(self, operation: Operation, item: Any) -> Any:
        """See `statements.Driver.write`."""
        if self._closed:
            raise StoreUnavailable("the store is closed")
        if self._queue.qsize() >= _MOST_WAITING:
            raise StoreUnavailable("the store does not answer; too much waits for it already")
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put_nowait(_Work(operation, item, done))
        try:
            async with asyncio.timeout(_STALL_SECONDS):
                return await done
        except TimeoutError as error:
            self._last_fault = "stalled"
            raise StoreUnavailable("the store does not answer") from error

    async def read(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """See `statements.Driver.read`. A connection that the server closed meanwhile is replaced once."""
        text, _ = in_postgres(sql)
        for last in (False, True):
            try:
                with as_store_errors():
                    async with self._readers.acquire(timeout=_READ_SECONDS) as connection:
                        rows: Sequence[Row] = await connection.fetch(text, *row)
                        return rows
            except StoreUnavailable as error:
                if last or self._closed or isinstance(error.__cause__, TimeoutError):
                    raise
            except PASSING as error:
                if last:
                    raise StoreUnavailable(f"others came between, again and again: {error}") from error
        raise AssertionError("unreachable")

    async def survey(self, sql: str, row: Row = ()) -> Sequence[Row]:
        """See `statements.Driver.survey`: nothing on this side waits for the server."""
        return await self.read(sql, row)

    def fault(self) -> str | None:
        """See `statements.Driver.fault`."""
        oldest = min(self._since.values(), default=time.monotonic())
        return "stalled" if time.monotonic() - oldest > _SLOW_SECONDS else self._last_fault

    async def probe(self) -> None:
        """See `statements.Driver.probe`; where there was no room, there must be some for a body."""
        if self._last_fault == "full":
            await self._require_room()
        await self.write(probe, None)
        self._last_fault = None

    async def tend(self, code: str, at: datetime) -> int:
        """See `statements.Driver.tend`: tables of the months to come, and of those that are empty for ever."""
        made = await make_months(self._url, code, at, _MONTHS_AHEAD)
        return made + await drop_empty_months(self._url, at)

    async def close(self) -> None:
        """Finish what is queued, then close."""
        self._closed = True
        for _ in self._flushers:
            self._queue.put_nowait(None)
        await asyncio.gather(*self._flushers)
        await asyncio.gather(*self._ending)
        with suppress(TimeoutError):
            async with asyncio.timeout(_READ_SECONDS):
                await self._readers.close()
        self._readers.terminate()

    async def _flush(self, lane: int) -> None:
        """One of the connections that write: a batch, a transaction, the next batch."""
        connection: asyncpg.Connection | None = None
        last, together = False, 1
        while not last:
            first = await self._queue.get()
            if first is None:
                break
            if together > 1:
                await asyncio.sleep(_GATHER_SECONDS)
            batch, last = self._drain(first)
            together = len(batch)
            batch.sort(key=lambda work: (turn(work.operation), work.operation.__name__))
            self._since[lane] = time.monotonic()
            try:
                connection = await self._commit(connection, batch)
            finally:
                del self._since[lane]
        if connection is not None:
            with suppress(StoreUnavailable), as_store_errors():
                await connection.close(timeout=_SLOW_SECONDS)

    def _drain(self, first: _Work) -> tuple[list[_Work], bool]:
        batch = [first]
        while len(batch) < _BATCH and not self._queue.empty():
            work = self._queue.get_nowait()
            if work is None:
                return batch, True
            batch.append(work)
        return batch, False

    async def _commit(
        self, connection: asyncpg.Connection | None, batch: Sequence[_Work]
    ) -> asyncpg.Connection | None:
        """One transaction for the batch; where it fails, one for each item, so that a bad item fails alone.

        Answers the connection for the next batch, None where that must be a new one.
        """
        tries = _TRIES if len(batch) == 1 else 2
        waited_for: Sequence[_Work] = batch
        while True:
            tries -= 1
            waited_for = [work for work in batch if not work.done.done()]
            try:
                async with asyncio.timeout(_STALL_SECONDS):
                    connection = await self._begun(connection)
                    answers = await _transaction(connection, waited_for)
            except (StoreUnavailable, ConfigurationError, TimeoutError) as error:
                self._lost(connection, waited_for, error)
                return None
            except Exception as error:
                if tries and isinstance(error, RETRIED):
                    continue
                failure = error
                if isinstance(error, PASSING):
                    failure = StoreUnavailable(f"others came between, again and again: {error}")
            else:
                if self._last_fault != "full":  # a small one proves no room for more
                    self._last_fault = None
                _resolve(waited_for, answers)
                return connection
            break
        if len(waited_for) == 1:
            _resolve(waited_for, [failure])
            return connection
        for work in waited_for:
            connection = await self._commit(connection, [work])
        return connection

    async def _begun(self, connection: asyncpg.Connection | None) -> asyncpg.Connection:
        """With a transaction open: nothing has been written yet, so a connection that is gone is simply replaced."""
        if connection is not None:
            with suppress(StoreUnavailable), as_store_errors():
                await connection.execute(BEGIN)
                return connection
            connection.terminate()
        connection = await connect(self._url)
        try:
            with as_store_errors():
                await connection.execute(BEGIN)
        except BaseException:  # also where it took too long: nobody else knows of this connection
            connection.terminate()
            raise
        return connection

    def _lost(self, connection: asyncpg.Connection | None, batch: Sequence[_Work], error: Exception) -> None:
        """Nobody knows what came of it: the sender is told so, and the connection is no longer trusted."""
        if connection is not None:
            ending = asyncio.create_task(_ended(connection))
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)
        fault = "full" if isinstance(error, Full) else "unavailable"
        if fault != self._last_fault:  # once, however long it lasts
            log.warning("store-unavailable", fault=fault, reason=str(error) or type(error).__name__)
        self._last_fault = fault
        _resolve(batch, [StoreUnavailable(f"nothing is known to be stored: {error}")] * len(batch))

    async def _require_room(self) -> None:
        """Room for one body is taken, and given back."""
        connection = await connect(self._url)
        try:
            with as_store_errors():
                await connection.execute(BEGIN)
                await connection.execute(
                    "INSERT INTO body (number, encoding, octets) VALUES ('-', 'zstd', $1)", bytes(_ROOM_BYTES)
                )
        finally:
            connection.terminate()


async def migrated(url: str) -> list[str]:
    """Bring the schema up to this version; answers the names of the migrations applied.

    One process of all nodes at a time; where nothing is missing, no right to change the schema is needed. A node at
    work may hold a table that we want and want one that we hold: where that makes us the victim, all begins anew.
    Raises as `PostgresDriver.open`.
    """
    if not missing("postgresql", await applied(url)):
        return []
    for last in (*(False,) * _MIGRATION_TRIES, True):
        connection = await connect(url)
        try:
            with as_store_errors():
                await connection.execute(BEGIN)
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _MIGRATING)
                names = await run(connection, lambda _: migrate("postgresql"), [None])
                await commit(connection)
                return list(names)
        except asyncpg.PostgresError as error:
            if last or not isinstance(error, asyncpg.DeadlockDetectedError):
                raise ConfigurationError(
                    [f"the schema cannot be brought up to this version: {error}"]
                ) from error
            log.warning("migration-begins-anew", why=str(error))
        finally:
            connection.terminate()
    raise AssertionError("unreachable")


async def applied(url: str) -> Sequence[Row]:
    """The rows of APPLIED; none where there is no schema yet. Raises as `PostgresDriver.open`."""
    connection = await connect(url)
    try:
        with as_store_errors():
            if not await connection.fetchval("SELECT to_regclass('migration') IS NOT NULL"):
                return []
            rows: Sequence[Row] = await connection.fetch(APPLIED)
            return rows
    finally:
        connection.terminate()


async def _transaction(connection: asyncpg.Connection, batch: Sequence[_Work]) -> list[Any]:
    """Writes the batch in the transaction that was begun, and commits it."""
    answers: list[Any] = []
    try:
        for operation, works in groupby(batch, key=lambda work: work.operation):
            answers.extend(await run(connection, operation, [work.item for work in works]))
        await commit(connection)
    except Exception:
        with suppress(StoreUnavailable), as_store_errors():
            await connection.execute("ROLLBACK")
        raise
    return answers


async def _ended(connection: asyncpg.Connection) -> None:
    """The server is asked to end what it still does for us: it would hold its locks as long as it waits for others'."""
    with suppress(StoreUnavailable), as_store_errors():
        await connection.close(timeout=_SLOW_SECONDS)  # where it does not answer, it is left behind


async def _as_it_is(_: asyncpg.Connection) -> None:
    """A connection for reads goes back as it is: it has no state, and forgetting it would be one more round trip."""


def _resolve(batch: Sequence[_Work], answers: Sequence[Any]) -> None:
    for work, answer in zip(batch, answers, strict=True):
        if work.done.done():
            continue
        if isinstance(answer, Exception):
            work.done.set_exception(answer)
        else:
            work.done.set_result(answer)
