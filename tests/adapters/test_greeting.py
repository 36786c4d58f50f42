"""A greeting tells whether an agency lets our certificate in, whatever it speaks; and disturbs nobody."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from adapters import Greeting, greet
from certs_dev import DevPki
from tests.adapters import broker
from tests.adapters.families.over_https import https_settings, simulator_config
from tests.adapters.families.queue import queue_settings

Serve = Callable[[ssl.SSLSocket], object]


@contextmanager
def server(pki: DevPki, version: ssl.TLSVersion, serve: Serve, ca: str = "client") -> Iterator[int]:
    """Answers one connection; its port."""
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=pki.client_ca if ca == "client" else pki.tls_ca
    )
    context.load_cert_chain(pki["agency-server"].chain, pki["agency-server"].key)
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version

    def answer() -> None:
        raw, _ = listening.accept()
        with raw, suppress(OSError), context.wrap_socket(raw, server_side=True) as tls:
            serve(tls)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        thread.join(20)


def said(octets: bytes) -> Serve:
    def serve(tls: ssl.SSLSocket) -> None:
        assert tls.recv(1000).startswith(b"OPTIONS /path HTTP/1.1\r\nHost: localhost")
        tls.sendall(octets)

    return serve


def met(pki: DevPki, port: int) -> Greeting:
    return greet(https_settings(pki, f"https://localhost:{port}/path"))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_is_refused_in_the_handshake(pki: DevPki, version: ssl.TLSVersion) -> None:
    with server(pki, version, said(b""), ca="tls") as port:
        greeting = met(pki, port)
    assert (greeting.answered, greeting.refused) == (False, True)
    assert "ALERT_UNKNOWN_CA" in greeting.words


@pytest.mark.parametrize(
    ("answer", "status", "answered"),
    [
        (b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", 404, True),
        (b"HTTP/1.1 403 No\r\n\r\n", 403, True),
        (b"nonsense", None, False),
        (b"", None, False),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, None, False),
        (b"HTTP/1.1 200 " + b"y" * 10_000_000, None, False),
    ],
    ids=["not found", "forbidden", "nonsense", "nothing", "headers without end", "a line without end"],
)
def test_what_a_server_answers(pki: DevPki, answer: bytes, status: int | None, answered: bool) -> None:
    with server(pki, ssl.TLSVersion.TLSv1_3, said(answer)) as port:
        greeting = met(pki, port)
    assert (greeting.answered, greeting.status, greeting.refused) == (answered, status, False)


def test_nobody_there_and_somebody_else_there(pki: DevPki) -> None:
    assert met(pki, 1) == Greeting("[Errno 111] Connection refused")
    with server(pki, ssl.TLSVersion.TLSv1_3, said(b"")) as port:
        strange = https_settings(pki, f"https://127.0.0.2:{port}", ca_file=str(pki.client_ca))
        assert (
            "its own certificate is not trusted"
            in greet({**strange, "base_url": f"https://localhost:{port}"}).words
        )
    assert "no TLS" in greet({"base_url": "http://localhost:1"}).words
    assert "no TLS" in greet({"host": "localhost", "tls": False}).words


async def test_the_simulated_authority_and_a_broker(pki: DevPki, tmp_path) -> None:
    import asyncio

    from adapters.simulator import Simulator

    async with Simulator(simulator_config(pki)) as simulator:
        config = https_settings(pki, simulator.url)
        greeting = await asyncio.to_thread(greet, config)
        assert greeting.answered
        assert simulator.books == {}
    shared = await broker.shared(pki, tmp_path)
    assert await asyncio.to_thread(greet, queue_settings(pki, tmp_path, shared.port)) == Greeting(
        "AMQP", answered=True
    )
