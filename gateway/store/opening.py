"""Which engine a place names: the path of an SQLite file, or the URL of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gateway.ports import Clock
from gateway.store.postgres import PostgresDriver
from gateway.store.postgres_connection import SCHEMES
from gateway.store.sqlite import SqliteDriver
from gateway.store.statements import Driver
from gateway.store.store import Store


async def open_store(place: str, clock: Clock, on_fatal: Callable[[], None] | None = None) -> Store:
    """The store at `place`, with the schema of this version.

    `on_fatal` is called once, from any thread, where this process can make no further promise.

    Raises:
        StoreUnavailable: it cannot be opened now.
        ConfigurationError: the schema, the server or the URL is unfit.
    """
    driver: Driver
    if place.startswith(SCHEMES):
        driver = await PostgresDriver.open(place, on_fatal)
    else:
        driver = SqliteDriver(Path(place), on_fatal)
    return Store(driver, clock)
