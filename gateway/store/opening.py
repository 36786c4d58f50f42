"""Which engine a place names: the path of an SQLite file, or the URL of PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from gateway.clock import clock
from gateway.ports import Clock
from gateway.settings import URL_SCHEMES
from gateway.store import postgres, sqlite_connection
from gateway.store.bodies import Bodies
from gateway.store.migrate import missing
from gateway.store.months import make_months
from gateway.store.postgres import PostgresDriver
from gateway.store.sqlite import SqliteDriver
from gateway.store.statements import Driver
from gateway.store.store import Store

_MONTHS_AHEAD = 12


async def open_store(
    place: str, clock: Clock, on_fatal: Callable[[], None] | None = None, bodies: Bodies | None = None
) -> Store:
    """The store at `place`, with the schema of this version; its bodies as `bodies` has them.

    `on_fatal` is called once, from any thread, where this process can make no further promise.

    Raises:
        StoreUnavailable: it cannot be opened now.
        ConfigurationError: the schema, the server or the URL is unfit.
    """
    driver: Driver
    if is_url(place):
        driver = await PostgresDriver.open(place, on_fatal)
    else:
        driver = SqliteDriver(Path(place), on_fatal)
    return Store(driver, clock, bodies)


async def migrate_store(place: str, code: str | None = None) -> list[str]:
    """Bring the schema at `place` up to this version; the names of the migrations applied. Raises like `open_store`.

    On PostgreSQL the tables of the next year's months are made, too, for numbers that begin with `code`.
    """
    if is_url(place):
        names = await postgres.migrated(place)
        if code is not None:
            await make_months(place, code, clock(), _MONTHS_AHEAD)
        return names
    driver = SqliteDriver(Path(place))
    await driver.close()
    return driver.migrated


async def missing_migrations(place: str) -> list[str]:
    """The names of those that `migrate_store` would apply; nothing is changed. Raises like `open_store`."""
    if is_url(place):
        wanted = missing("postgresql", await postgres.applied(place))
    else:
        wanted = missing("sqlite", sqlite_connection.applied(Path(place)))
    return [one.name for one in wanted]


def is_url(place: str) -> bool:
    """Whether the place is PostgreSQL's."""
    return urlsplit(place).scheme in URL_SCHEMES
