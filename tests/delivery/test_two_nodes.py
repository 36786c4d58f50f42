"""Two gateways on one PostgreSQL: whichever is asked, the same filings, receipts and clients; nothing doubled."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace

from adapters.simulator import Behaviour
from gateway.app import Running, running
from gateway.client.http import Connection, GatewayClient
from gateway.store.seeds import Seed
from tests.delivery.test_gate import EXPECTS, refused_unread
from tests.documents import signed
from tests.house import House, house_at
from tests.postgres import Cluster, require_postgres


@pytest.fixture
async def nodes(tmp_path: Path, pki_home: Path, postgres_place: str) -> AsyncIterator[tuple[House, Running]]:
    """A house, and a second gateway of the same settings on a port of its own."""
    async with AsyncExitStack() as stack:
        house = await stack.enter_async_context(house_at(tmp_path, pki_home, store=postgres_place))
        door = replace(house.settings.door, port=0)
        second = await stack.enter_async_context(running(replace(house.settings, door=door)))
        yield house, second


def client_of(house: House, gateway: Running) -> GatewayClient:
    connection = house.connection()
    url = f"https://localhost:{gateway.port}"
    return GatewayClient(Connection(url, connection.certificate, connection.key, connection.server_ca))


async def test_what_one_node_took_in_the_other_knows(nodes: tuple[House, Running]) -> None:
    house, second = nodes
    periods = [f"Q{quarter}/{year}" for year in (2022, 2023, 2024, 2025) for quarter in (1, 2, 3, 4)]
    async with house.client() as here, client_of(house, second) as there:
        numbers = []
        for period in periods:
            document, key = signed(house.pki, period=period), str(uuid.uuid4())
            replies = await asyncio.gather(*(client.submit(document, key) for client in (here, there, here)))
            assert sorted(reply.status for reply in replies) == [200, 200, 201]
            (number,) = {reply.body["number"] for reply in replies}
            numbers.append(number)
        for number in numbers:
            assert (await house.follow(there, number))["status"] == "accepted"
            receipts = {(await client.part(number, "receipt")).octets for client in (here, there)}
            assert len(receipts) == 1
        assert sorted(entry.number for entry in house.simulator.books.values()) == sorted(numbers)


async def test_a_client_switched_off_at_one_node_is_out_at_the_other_on_its_next_request(
    nodes: tuple[House, Running],
) -> None:
    house, second = nodes
    async with client_of(house, second) as there:
        number = (await there.submit(signed(house.pki))).body["number"]
        rows = await house.gateway.store._driver.read(
            "SELECT fingerprint FROM client_certificate WHERE party = 'beta'"
        )
        off = [Seed("client_certificate", {"fingerprint": row[0], "active": 0}) for row in rows]
        await house.gateway.store.seed(off, "admin")
        assert (await there.status(number)).status == 403


@pytest.mark.timeout(300)  # a database is made, stopped and started
async def test_a_lost_database_is_a_busy_gateway_that_comes_back_by_itself(
    tmp_path: Path, pki_home: Path
) -> None:
    """Nothing is read, nothing promised; what was sent meanwhile is sent again, and delivered once. A step whose
    outcome was lost with the database is done again once its lease is over."""
    require_postgres()
    slow = Behaviour(verdict_delay_s=0.05, delay_s=1.0, callback=False)
    lease = {"lease_seconds": 3.0}
    with Cluster.made() as cluster:
        async with (
            house_at(tmp_path, pki_home, store=cluster.url, behaviour=slow, delivery=lease) as house,
            house.client() as client,
        ):
            before, after = signed(house.pki, period="Q1/2025"), signed(house.pki, period="Q2/2025")
            number = (await client.submit(before, "k1")).body["number"]
            while not house.simulator.callers:
                await asyncio.sleep(0.02)
            await asyncio.to_thread(cluster.stop)
            while house.gateway.worker._running:  # the agency's answer finds no database
                await asyncio.sleep(0.02)
            away = await client.submit(after, "k2")
            assert (away.status, away.body["type"]) == (503, "urn:efile:problem:busy")
            assert (await client.status(number)).status == 503
            assert await house.gateway.store.fault() == "unavailable"
            unread = await refused_unread(house, EXPECTS)
            assert unread.startswith(b"HTTP/1.1 503 "), "nobody was told to go on"
            assert b"Retry-After: " in unread
            await asyncio.to_thread(cluster.start)
            reply = await client.submit(after, "k2")
            while reply.status == 503:  # the gate has seen the outage, and looks again in a second
                await asyncio.sleep(0.1)
                reply = await client.submit(after, "k2")
            assert reply.status == 201
            for one in (number, reply.body["number"]):
                assert (await house.follow(client, one))["status"] == "accepted"
            assert len(house.simulator.books) == 2
