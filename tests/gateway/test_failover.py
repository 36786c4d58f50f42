"""A PostgreSQL primary dies amid writes and its synchronous standby takes over: what was acknowledged is there."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import asyncpg
import pytest

from gateway.errors import StoreUnavailable
from gateway.store.opening import open_store
from tests.gateway.builders import AT, prepared
from tests.postgres import Cluster, require_postgres


@pytest.fixture
def primary() -> Iterator[Cluster]:
    require_postgres()
    with Cluster.made() as made:
        yield made


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    """A synchronous one: the primary acknowledges only what it has on its disk too."""
    with Cluster.standby_of(primary) as made:
        yield made


async def synchronous(primary: Cluster) -> None:
    """From here on a commit waits for the standby."""
    admin = await asyncpg.connect(primary.url)
    await admin.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    await admin.execute("SELECT pg_reload_conf()")
    while await admin.fetchval("SELECT sync_state FROM pg_stat_replication") != "sync":
        await asyncio.sleep(0.05)
    await admin.close()


async def test_the_standby_takes_over_and_nothing_acknowledged_is_lost(
    primary: Cluster, standby: Cluster
) -> None:
    await synchronous(primary)
    both = f"postgresql://efile@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/postgres"
    store = await open_store(both, lambda: AT)
    acknowledged: dict[str, str] = {}
    stop = asyncio.Event()

    async def send(sender: int) -> None:
        """The same message under the same key until it is acknowledged, as a T-VAN sends it."""
        while not stop.is_set():
            key = os.urandom(8).hex()
            one = prepared(os.urandom(2000), key=key, period=f"{sender}")
            while key not in acknowledged:
                try:
                    acknowledged[key] = (await store.add(one)).filing.number
                except StoreUnavailable:
                    await asyncio.sleep(0.02)

    async def more(count: int) -> None:
        enough = len(acknowledged) + count
        while len(acknowledged) < enough:
            await asyncio.sleep(0.01)

    senders = [asyncio.create_task(send(sender)) for sender in range(8)]
    await more(100)
    await asyncio.to_thread(primary.stop, signal.SIGQUIT)
    await asyncio.to_thread(standby.promote)
    await more(100)
    stop.set()
    await asyncio.gather(*senders)
    rows = await store._driver.read("SELECT number, idempotency_key FROM filing JOIN body USING (number)")
    assert {key: number for number, key in rows} == acknowledged
    assert len(rows) == len(acknowledged)
    await store.close()


async def test_a_standby_is_not_taken_for_a_store(primary: Cluster, standby: Cluster) -> None:
    await (await open_store(primary.url, lambda: AT)).close()
    with pytest.raises(StoreUnavailable):
        await open_store(standby.url, lambda: AT)
