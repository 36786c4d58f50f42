"""Who asks for a large document and does not read it holds bounded memory, for a bounded time."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from tests.documents import signed
from tests.house import House, house_at

MEGA = 1_000_000


async def idle_reader(
    house: House, tls: ssl.SSLContext, path: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Asks, and lets only what fits into the buffers come."""
    reader, writer = await asyncio.open_connection("localhost", house.gateway.port, ssl=tls, limit=1024)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await writer.drain()
    return reader, writer


async def test_an_answer_that_nobody_reads_is_given_up(tmp_path: Path, pki_home: Path) -> None:
    async with house_at(
        tmp_path, pki_home, door={"body_seconds": 1.5}, limits={"bodies_bytes": 30 * MEGA}
    ) as house:
        document = signed(house.pki)
        large = document.replace(
            b"</HSoThueDTu>", 2 * (b"<!--" + b" " * 8 * MEGA + b"-->") + b"</HSoThueDTu>"
        )
        async with house.client() as client:
            filed = await client.submit(large)
            path = f"/v1/filings/{filed.body['number']}/document"
            tls = house.connection().tls()
            first, kept_open = await idle_reader(house, tls, path)
            await asyncio.sleep(0.5)
            second = await client._call("GET", path)
            assert (second.status, second.body["type"]) == (503, "urn:efile:problem:busy")
            await asyncio.sleep(2.0)
            again = await client._call("GET", path)
            assert (again.status, again.octets == large) == (200, True)
            head = await client._call("HEAD", path)
            assert (head.status, head.octets) == (200, b"")
        got = 0
        while chunk := await asyncio.wait_for(_read(first), 5):
            got += len(chunk)
        kept_open.close()
        assert got < 10 * MEGA, "the gateway holds no more than the buffers of the connection"


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65_536)
    except (ConnectionError, ssl.SSLError):
        return b""
