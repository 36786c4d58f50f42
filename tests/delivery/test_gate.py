"""Back-pressure: 503 with Retry-After before a body is read, and never after an acknowledgement."""

from __future__ import annotations

import asyncio
import random
import sqlite3
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.errors import Busy, StoreUnavailable
from gateway.jobs.gate import Gate
from tests.documents import sign, signed
from tests.door.test_papers import larger
from tests.door.test_papers import unsigned as papers_beside
from tests.dossiers import KINDS, dossier
from tests.house import House, house_at
from tests.torture import disk


class Standing:
    """A store that stands as it is told."""

    def __init__(self) -> None:
        self.word: str | None = None
        self.length = 0
        self.lost = False
        self.counted = 0
        self.over: int | None = None

    async def fault(self) -> str | None:
        return self.word

    async def no_room_over(self) -> int | None:
        return self.over

    async def queue_length(self, most: int) -> int:
        if self.lost:
            raise StoreUnavailable("gone")
        self.counted += 1
        return min(self.length, most)


async def test_the_gate_closes_and_opens_as_the_store_stands() -> None:
    store = Standing()
    gate = Gate(store, 10)
    for changes, retry_after in (
        ({"length": 11}, 60),
        ({"length": 10}, None),
        ({"word": "full"}, 5),
        ({"word": None, "lost": True}, 5),
        ({"lost": False}, None),
    ):
        for name, value in changes.items():
            setattr(store, name, value)
        await gate.look()
        if retry_after is None:
            gate.refuse_when_closed()
            continue
        with pytest.raises(Busy) as busy:
            gate.refuse_when_closed()
        assert busy.value.retry_after == retry_after


async def test_a_long_queue_far_from_its_limit_is_not_counted_every_second() -> None:
    """A million rows are counted in a tenth of a second, by each process; but near the limit every look counts."""
    store = Standing()
    gate = Gate(store, 2_000_000)
    store.length = 1_000_000
    await gate.look()
    await gate.look()
    assert store.counted == 1
    near = Gate(store, 1_000_000)
    for _ in range(3):
        await near.look()
    assert store.counted == 4
    store.length += 1
    await near.look()
    with pytest.raises(Busy):
        near.refuse_when_closed()
    store.word = "full"
    await gate.look()
    with pytest.raises(Busy):
        gate.refuse_when_closed()


async def test_the_gate_closes_to_large_bodies_alone() -> None:
    store = Standing()
    gate = Gate(store, 10)
    gate.refuse_large(1 << 40)
    store.over = 1000
    await gate.look()
    gate.refuse_when_closed()
    gate.refuse_large(1000)
    with pytest.raises(Busy) as busy:
        gate.refuse_large(1001)
    assert busy.value.retry_after == 5
    store.over = None
    await gate.look()
    gate.refuse_large(1001)


EXPECTS = "Expect: 100-continue\r\n"
CHUNKED = "Transfer-Encoding: chunked\r\n"
WAYS = ("", EXPECTS, CHUNKED, "Content-Type: multipart/related; boundary=b\r\n")
"""Headers of a filing whose body is announced and never sent."""


def client_tls(house: House) -> ssl.SSLContext:
    beta = house.pki["provider-b"]
    tls = ssl.create_default_context(cafile=house.pki.tls_ca)
    tls.load_cert_chain(beta.certificate, beta.key)
    return tls


async def refused_unread(
    house: House, headers: str = "", length: int = 10_000_000, sent: bytes = b""
) -> bytes:
    """The answer to such a filing, or to one of which this alone is sent."""
    reader, writer = await asyncio.open_connection("localhost", house.gateway.port, ssl=client_tls(house))
    if "Transfer-Encoding" not in headers:
        headers += f"Content-Length: {length}\r\n"
    if "Content-Type" not in headers:
        headers += "Content-Type: application/xml\r\n"
    writer.write(f"POST /v1/filings HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode() + sent)
    try:
        return await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()


async def test_a_queue_beyond_its_limit_takes_nothing_in_and_goes_on_delivering(
    tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, limits={"waiting_filings": 1}) as house, house.client() as client:
        house.simulator.behaviour = house.simulator.behaviour.changed({"down": True})
        numbers = []
        async with asyncio.timeout(60):
            for period in ("Q1/2025", "Q2/2025", "Q3/2025", "Q4/2025", "Q1/2026", "Q2/2026", "Q3/2024"):
                filed = await client.submit(signed(house.pki, period=period))
                if filed.status == 503:
                    break
                numbers.append(filed.body["number"])
                await asyncio.sleep(1.2)
        assert filed.status == 503
        assert len(numbers) == 2
        for headers in WAYS:
            answer = await refused_unread(house, headers)
            assert answer.startswith(b"HTTP/1.1 503 "), "nobody was told to go on"
            assert b"Retry-After: 60" in answer
        assert (await client.status(numbers[0])).status == 200
        checked = await client.check(signed(house.pki))
        assert checked.status == 200, "a dry run adds nothing to the queue"
        house.simulator.behaviour = house.simulator.behaviour.changed({"down": False})
        for number in numbers:
            assert (await house.follow(client, number))["status"] == "accepted"
        async with asyncio.timeout(20):
            while (await client.submit(signed(house.pki))).status == 503:
                await asyncio.sleep(0.1)


@pytest.mark.parametrize("lies_there", ["store", "bodies"])
async def test_a_full_disk_is_said_before_a_body_is_read_and_takes_back_nothing(
    tmp_path: Path, pki_home: Path, lies_there: str
) -> None:
    """A real one, under the store or under the folder of bodies."""
    if needed := disk.missing():
        pytest.skip(f"MISSING: {needed}")
    bodies = {"folder": tmp_path / "bodies", "over_bytes": 1}
    with disk.SmallDisk.mounted(tmp_path / lies_there, 64) as small:
        lease = {"lease_seconds": 1.0}  # what is lost with an outcome that found no room
        async with (
            house_at(tmp_path, pki_home, bodies=bodies, delivery=lease) as house,
            house.client() as client,
        ):
            before, after = (signed(house.pki, period=period) for period in ("Q1/2025", "Q2/2025"))
            number = (await client.submit(before, "k1")).body["number"]
            receipt = await client.part(number, "receipt")
            small.fill()
            async with asyncio.timeout(60):
                while not (answer := await _refused_at_once(house)):
                    tried = await client.submit(after, "k2")
                    assert tried.status == 503, "nothing is promised"
            assert answer.startswith(b"HTTP/1.1 503 "), "nobody was told to go on"
            assert b"Retry-After: 5" in answer
            assert (await client.part(number, "receipt")).octets == receipt.octets
            assert (await client.submit(before, "k1")).status == 503, "a repeat may come again later"
            small.free()
            async with asyncio.timeout(60):
                while (reply := await client.submit(after, "k2")).status == 503:
                    await asyncio.sleep(0.1)
            again = await client.submit(before, "k1")
            assert (reply.status, again.status, again.body["number"]) == (201, 200, number)
            for one in (number, reply.body["number"]):
                assert (await house.follow(client, one))["status"] == "accepted"
            assert len(house.simulator.books) == 2


async def test_a_full_disk_under_large_bodies_refuses_them_alone(tmp_path: Path, pki_home: Path) -> None:
    """Unread where they say how long they are, at the limit where they do not; what is small is filed and delivered."""
    if needed := disk.missing():
        pytest.skip(f"MISSING: {needed}")
    over = 100_000
    bodies = {"folder": tmp_path / "bodies", "over_bytes": over}
    with disk.SmallDisk.mounted(tmp_path / "bodies", 64) as small:
        async with house_at(tmp_path, pki_home, bodies=bodies) as house, house.client() as client:
            picture = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(3 * over)
            large = dossier(house.pki, (KINDS[0], "to.png", picture))
            small.fill()
            async with asyncio.timeout(60):
                while not (answer := await _refused_at_once(house)):
                    assert (await client.submit(large, "k1")).status == 503, "nothing is promised"
            assert answer.startswith(b"HTTP/1.1 503 "), "nobody was told to go on"
            assert b"Retry-After: 5" in answer
            unread = await refused_unread(house, CHUNKED, sent=b"%x\r\n" % (over + 1) + b" " * (over + 1))
            assert unread.startswith(b"HTTP/1.1 503 "), "more than the limit has come, and the end has not"
            ready, told = await readiness(house)
            assert (ready, told["ready"]) == (200, True)
            assert told["checks"]["bodies"] == "large ones are refused"
            filed = await client.submit(signed(house.pki), "k2")
            assert filed.status == 201
            assert (await house.follow(client, filed.body["number"]))["status"] == "accepted"
            document, papers = larger(*papers_beside(house), 3 * over)
            document = sign(house.pki, document, target_id="_NODE_TO_SIGN")
            assert (await client.submit(document, "k3", papers)).status == 201, "papers lie elsewhere"
            small.free()
            async with asyncio.timeout(60):
                while (reply := await client.submit(large, "k1")).status == 503:
                    await asyncio.sleep(0.1)
            assert reply.status == 201
            assert (await client.part(reply.body["number"], "document")).octets == large
            assert (await readiness(house))[1]["checks"]["bodies"] == "ok"


async def readiness(house: House) -> tuple[int, Any]:
    """The status of /readyz, and what it says."""
    url = f"https://localhost:{house.gateway.port}/readyz"
    async with aiohttp.ClientSession() as session, session.get(url, ssl=client_tls(house)) as answer:
        return answer.status, await answer.json()


async def _refused_at_once(house: House) -> bytes:
    """The answer before any octet of the body; b"" where the door waits for it."""
    with suppress(TimeoutError):
        async with asyncio.timeout(2):
            answer = await refused_unread(house, EXPECTS)
            if not answer.startswith(b"HTTP/1.1 100 "):
                return answer
    return b""


async def test_a_lost_database_is_said_before_a_body_is_read(house: House) -> None:
    with sqlite3.connect(house.settings.store) as other:
        other.execute("ALTER TABLE epoch RENAME TO away")
    async with asyncio.timeout(60):
        while not (answer := await _refused_at_once(house)):
            await asyncio.sleep(0.1)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 5" in answer
    with sqlite3.connect(house.settings.store) as other:
        other.execute("ALTER TABLE away RENAME TO epoch")
