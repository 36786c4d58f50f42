"""Strangers, and clients that are slow, cut off or lie about lengths: refused with a reason, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import zlib
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.client.http import GatewayClient, Unreachable
from gateway.clock import clock
from gateway.store.seeds import Seed
from tests.documents import signed
from tests.house import House, house_at


async def _raw(
    house: House, octets: bytes, who: str = "provider-b", *, then_wait: float = 5.0, eof: bool = False
) -> bytes:
    """Send bytes over TLS as they are; what comes back until the other side closes or the time is over."""
    connection = house.connection(who)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", house.gateway.port, ssl=connection.tls(), server_hostname="localhost"
    )
    received = b""
    try:
        writer.write(octets)
        await writer.drain()
        if eof:
            writer.close()
        async with asyncio.timeout(then_wait):
            while chunk := await reader.read(65536):
                received += chunk
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    finally:
        writer.close()
    return received


def _request(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = ["POST /v1/filings HTTP/1.1", "Host: localhost", "Content-Type: application/xml", *headers]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _ask(house: House, context: ssl.SSLContext) -> bytes:
    """One request with a context of the test's own; in TLS 1.3 a client learns of its refusal when it reads."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", house.gateway.port, ssl=context, server_hostname="localhost"
    )
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
    answer = await reader.read(100)
    writer.close()
    if not answer:
        raise ConnectionError("closed without an answer")
    return answer


async def _count(house: House) -> int:
    return int((await house.gateway.store._driver.read("SELECT count(*) FROM filing"))[0][0])


class TestStrangers:
    async def test_without_a_certificate_the_handshake_fails_and_says_why(self, house: House) -> None:
        context = ssl.create_default_context(cafile=str(house.pki.tls_ca))
        with capture_logs() as logs, pytest.raises((ssl.SSLError, ConnectionError)):
            await _ask(house, context)
        await asyncio.sleep(0.1)
        (entry,) = [log for log in logs if log["event"] == "client-refused"]
        assert entry["reason"] == "PEER_DID_NOT_RETURN_A_CERTIFICATE"

    @pytest.mark.parametrize(
        ("who", "reason"),
        [
            ("stranger-client", "unable to get local issuer certificate"),
            ("provider-expired", "certificate has expired"),
        ],
    )
    async def test_an_unknown_or_expired_certificate_fails_in_the_handshake(
        self, house: House, who: str, reason: str
    ) -> None:
        with capture_logs() as logs, pytest.raises(Unreachable):
            async with house.client(who) as client:
                await client.submit(signed(house.pki))
        assert reason in {log["reason"] for log in logs if log["event"] == "client-refused"}
        assert await _count(house) == 0

    @pytest.mark.parametrize(
        ("who", "reason"),
        [
            ("provider-unregistered", "not registered"),
            ("provider-revoked", "revoked"),
            ("agency-tax", "not for this door"),
        ],
    )
    async def test_an_unregistered_or_revoked_certificate_gets_403_with_the_reason(
        self, house: House, who: str, reason: str
    ) -> None:
        async with house.client(who) as client:
            with capture_logs() as logs:
                reply = await client.submit(signed(house.pki))
        assert (reply.status, reply.body["reason"]) == (403, reason)
        assert [log["reason"] for log in logs if log["event"] == "client-refused"] == [reason]
        assert await _count(house) == 0

    async def test_a_certificate_revoked_meanwhile_is_out_on_the_next_request(self, house: House) -> None:
        async with house.client() as client:
            assert (await client.submit(signed(house.pki))).status == 201
            house.pki.revoke("provider-b", clock())
            house.gateway.refresh()
            reply = await client.submit(signed(house.pki))  # the same kept-alive connection
        assert (reply.status, reply.body["reason"]) == (403, "revoked")

    async def test_a_suspended_provider_is_out_on_the_next_request(self, house: House) -> None:
        async with house.client() as client:
            assert (await client.submit(signed(house.pki))).status == 201
            await house.gateway.store.seed([Seed("provider", {"id": "beta", "active": 0})], "test")
            reply = await client.submit(signed(house.pki))
        assert (reply.status, reply.body["reason"]) == (403, "suspended")

    async def test_a_certificate_that_expires_on_a_kept_connection_is_out(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        offset = timedelta(0)
        async with (
            house_at(tmp_path, pki_home, now=lambda: clock() + offset) as house,
            house.client() as client,
        ):
            assert (await client.check(signed(house.pki))).status == 200
            offset = timedelta(days=4000)
            reply = await client.submit(signed(house.pki))
        assert (reply.status, reply.body["reason"]) == (403, "expired")

    async def test_old_tls_is_refused(self, house: House) -> None:
        context = house.connection().tls()
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(
                "127.0.0.1", house.gateway.port, ssl=context, server_hostname="localhost"
            )

    async def test_sessions_are_not_resumed(self, house: House) -> None:
        """A resumed session would skip the look at the client's certificate."""
        context = house.connection().tls()

        def handshake(previous: ssl.SSLSession | None) -> tuple[bool, ssl.SSLSession | None]:
            with (
                socket.create_connection(("127.0.0.1", house.gateway.port)) as raw,
                context.wrap_socket(raw, server_hostname="localhost", session=previous) as tls,
            ):
                tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                while tls.recv(4096):
                    pass
                return bool(tls.session_reused), tls.session

        _, session = await asyncio.to_thread(handshake, None)
        reused, _ = await asyncio.to_thread(handshake, session)
        assert not reused


class TestSlowAndBroken:
    async def test_a_slow_body_is_answered_408_and_leaves_nothing(
        self, tmp_path: Path, pki_home: Path
    ) -> None:
        async with house_at(tmp_path, pki_home, door={"body_seconds": 0.3}) as house:
            document = signed(house.pki)
            answer = await _raw(house, _request(document[:100], length=len(document)))
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert b"body-timeout" in answer
            assert await _count(house) == 0

    async def test_slow_headers_lose_the_connection(self, tmp_path: Path, pki_home: Path) -> None:
        async with house_at(tmp_path, pki_home, door={"idle_seconds": 0.3}) as house:
            loop = asyncio.get_running_loop()
            start = loop.time()
            answer = await _raw(house, b"POST /v1/filings HTTP/1.1\r\nHost: lo", then_wait=10.0)
            assert answer == b""
            assert loop.time() - start < 9.0  # closed by the door, not given up by this test

    async def test_a_slow_client_does_not_hold_up_others(self, house: House) -> None:
        document = signed(house.pki)
        slow = asyncio.create_task(_raw(house, _request(document[:100], length=len(document)), then_wait=2.0))
        async with house.client() as client:
            assert (await client.submit(document)).status == 201
        assert not slow.done()
        slow.cancel()

    async def test_a_body_cut_off_leaves_nothing(self, house: House) -> None:
        document = signed(house.pki)
        await _raw(house, _request(document[: len(document) // 2], length=len(document)), eof=True)
        await asyncio.sleep(0.1)
        assert await _count(house) == 0
        async with house.client() as client:
            assert (await client.submit(document)).status == 201

    async def test_a_connection_that_is_reset_is_no_fault_of_ours(self, house: House) -> None:
        document = signed(house.pki)
        connection = house.connection()
        with capture_logs() as logs:
            _, writer = await asyncio.open_connection(
                "127.0.0.1", house.gateway.port, ssl=connection.tls(), server_hostname="localhost"
            )
            writer.write(_request(document[:100], length=len(document)))
            await writer.drain()
            await asyncio.sleep(0.2)  # until the body is waited for
            writer.transport.abort()
            await asyncio.sleep(0.2)
        assert [log for log in logs if log["event"] == "internal-error"] == []
        assert await _count(house) == 0

    async def test_a_length_too_short_is_told(self, house: House) -> None:
        """The rest of the body is then read as a next request, which it is not."""
        document = signed(house.pki)
        answer = await _raw(house, _request(document, length=len(document) - 500), then_wait=2.0)
        assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
        assert await _count(house) == 0

    async def test_a_length_too_long_is_a_timeout(self, tmp_path: Path, pki_home: Path) -> None:
        async with house_at(tmp_path, pki_home, door={"body_seconds": 0.3}) as house:
            document = signed(house.pki)
            answer = await _raw(house, _request(document, length=len(document) + 10))
            assert answer.startswith(b"HTTP/1.1 408 ")
            assert await _count(house) == 0

    async def test_an_honest_chunked_body_is_taken(self, house: House) -> None:
        document = signed(house.pki)
        chunks = b"".join(
            b"%x\r\n%s\r\n" % (len(part), part)
            for part in (document[i : i + 1000] for i in range(0, len(document), 1000))
        )
        answer = await _raw(
            house, _request(chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked"), then_wait=1.0
        )
        assert answer.startswith(b"HTTP/1.1 201 ")

    async def test_an_endless_chunked_body_is_cut(self, tmp_path: Path, pki_home: Path) -> None:
        async with house_at(tmp_path, pki_home, limits={"body_bytes": 100_000}) as house:
            chunks = b"".join(b"ffff\r\n" + b"x" * 0xFFFF + b"\r\n" for _ in range(4))
            answer = await _raw(house, _request(chunks, "Transfer-Encoding: chunked"), then_wait=4.0)
            assert answer.startswith(b"HTTP/1.1 413 ")

    async def test_both_lengths_at_once_are_refused(self, house: House) -> None:
        """Request smuggling: Content-Length and Transfer-Encoding together (RFC 9112 clause 6.1)."""
        answer = await _raw(
            house, _request(b"0\r\n\r\n", "Transfer-Encoding: chunked", length=5), then_wait=1.0
        )
        assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
        assert await _count(house) == 0

    @pytest.mark.parametrize(
        "octets",
        [
            _request(b"", "Content-Length: -5"),
            _request(b"", "Content-Length: five"),
            _request(b"", "Content-Length: 5", length=6),
            _request(b"zz\r\n", "Transfer-Encoding: chunked"),
            _request(b"", "X-Long: " + "a" * 10_000, length=0),
            b"\x16\x03\x01 no HTTP at all\r\n\r\n",
        ],
        ids=["negative", "a word", "two lengths", "a chunk without a size", "a long header", "no HTTP"],
    )
    async def test_what_is_no_request_gets_a_problem_in_both_languages(
        self, house: House, octets: bytes
    ) -> None:
        head, _, body = (await _raw(house, octets, then_wait=2.0)).partition(b"\r\n\r\n")
        assert head.split(b" ", 2)[1] == b"400"
        assert b"application/problem+json" in head
        problem = json.loads(body)
        assert problem["type"] == "urn:efile:problem:http-malformed"
        assert problem["titles"]["vi"] != problem["titles"]["en"]
        assert "b'" not in body.decode()  # what was sent is not sent back
        assert await _count(house) == 0

    @pytest.mark.parametrize(
        ("method", "path", "status"), [("GET", "/nope", 404), ("DELETE", "/v1/filings", 405)]
    )
    async def test_what_is_not_offered_is_told_in_both_languages(
        self, house: House, method: str, path: str, status: int
    ) -> None:
        async with house.client() as client:
            reply = await client._call(method, path)
        assert reply.status == status
        assert reply.body["titles"]["vi"] != reply.body["titles"]["en"]

    async def test_two_idempotency_keys_are_none(self, house: House) -> None:
        """Which of them would be meant is anybody's guess: the sender's, and that of every proxy between."""
        document = signed(house.pki)
        keys = ("Idempotency-Key: a", "Idempotency-Key: b", "Connection: close")
        answer = await _raw(house, _request(document, *keys, length=len(document)))
        assert answer.startswith(b"HTTP/1.1 400 ")
        details = json.loads(answer.partition(b"\r\n\r\n")[2])["details"]
        assert details["vi"] != details["en"]
        assert await _count(house) == 0

    async def test_too_large_is_told_before_the_body_is_read(self, house: House) -> None:
        answer = await _raw(house, _request(b"", "Expect: 100-continue", length=30_000_000), then_wait=1.0)
        assert answer.startswith(b"HTTP/1.1 413 ")
        assert b"100 Continue" not in answer

    async def test_expect_is_honoured_for_who_may_file(self, house: House) -> None:
        document = signed(house.pki)
        answer = await _raw(
            house, _request(document, "Expect: 100-continue", length=len(document)), then_wait=1.0
        )
        assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 ")

    async def test_a_compressed_body_is_not_unpacked(self, house: House) -> None:
        """A bomb of a thousand times its size would pass the limit on the wire; we take only what is XML as sent."""
        bomb = zlib.compress(b"<a>" + b" " * 19_000_000 + b"</a>")
        answer = await _raw(
            house, _request(bomb, "Content-Encoding: deflate", length=len(bomb)), then_wait=2.0
        )
        assert answer.startswith(b"HTTP/1.1 415 ")
        assert b"Accept-Encoding: identity" in answer

    async def test_bodies_together_are_bounded(self, tmp_path: Path, pki_home: Path) -> None:
        async with house_at(tmp_path, pki_home, limits={"bodies_bytes": 30_000}) as house:
            document = signed(house.pki)
            half = _request(document[:-10], length=len(document))
            held = [asyncio.create_task(_raw(house, half, then_wait=3.0)) for _ in range(4)]
            await asyncio.sleep(0.3)
            async with house.client() as client:
                busy = await client.submit(document)
                assert busy.status == 503
                for task in held:
                    task.cancel()
                await asyncio.gather(*held, return_exceptions=True)
                await asyncio.sleep(0.2)
                assert (await client.submit(document)).status == 201

    async def test_a_full_check_pool_says_busy_before_reading(self, tmp_path: Path, pki_home: Path) -> None:
        async with house_at(
            tmp_path, pki_home, limits={"inline_bytes": 1, "check_threads": 1, "check_waiting": 1}
        ) as house:
            documents = [
                signed(house.pki, period=period) for period in ("Q1/2026", "Q2/2026", "Q1/2025", "Q2/2025")
            ] * 3
            connection = house.connection()
            async with GatewayClient(connection) as client:
                replies = await asyncio.gather(*(client.submit(document) for document in documents))
            statuses = {reply.status for reply in replies}
            assert statuses <= {200, 201, 503}
            assert 503 in statuses
            async with GatewayClient(connection) as client:
                for document in documents[:4]:
                    assert (await client.submit(document)).status in (200, 201)
