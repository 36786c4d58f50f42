"""What all tests share: a development PKI made once, documents signed with it, and a gateway to file them at."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

import certs_dev
from tests import postgres
from tests.adapters import broker
from tests.cli import running
from tests.house import House, house_at

LONGEST_FIRST = (
    "tests/torture/",
    "tests/delivery/test_kill",
    "tests/register/",
    "tests/gateway/test_failover",
)
"""Files are handed to whichever process is free: none of the long ones may be the last."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.nodeid.startswith(LONGEST_FIRST))


@pytest.fixture(scope="session")
def pki_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the development PKI, made once; every house gets a copy of its own."""
    home = tmp_path_factory.mktemp("home")
    certs_dev.make(home / "pki", at=datetime.now(UTC))
    return home


@pytest.fixture(scope="session")
def pki(pki_home: Path) -> certs_dev.DevPki:
    return certs_dev.load(pki_home / "pki")


@pytest.fixture(scope="session", autouse=True)
def what_is_shared_ends() -> Iterator[None]:
    yield
    broker.end_shared()
    running.end_shared()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL on which databases can be made; one for the whole run."""
    if elsewhere := os.environ.get(postgres.ELSEWHERE):
        yield elsewhere
        return
    postgres.require_postgres()
    with postgres.Cluster.made() as cluster:
        yield cluster.url


@pytest.fixture
async def postgres_place(postgres_server: str) -> AsyncIterator[str]:
    """The URL of a fresh database of the newest schema."""
    url = await postgres.fresh_database(postgres_server)
    yield url
    await postgres.drop_database(postgres_server, url)


@pytest.fixture(params=["sqlite", "postgresql"])
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """Where a store can be opened, once for each engine."""
    if request.param == "sqlite":
        yield str(tmp_path / "efile.sqlite")
        return
    server = request.getfixturevalue("postgres_server")
    url = await postgres.fresh_database(server)
    yield url
    await postgres.drop_database(server, url)


@pytest.fixture
async def house(tmp_path: Path, pki_home: Path) -> AsyncIterator[House]:
    """A gateway with its simulated tax authority, both on loopback."""
    async with house_at(tmp_path, pki_home) as running:
        yield running
