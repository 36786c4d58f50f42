"""Sources of certificates' status before they are relied on: an answer of no use is told, in both languages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp

from gateway.clock import clock
from gateway.register.entry import Entry, RegisterRefused, State
from tests.register.changing import LAN
from tests.register.test_bad_input import Desk, desk, refused

__all__ = ["desk"]


@asynccontextmanager
async def publisher(answer: bytes, status: int = 200) -> AsyncIterator[str]:
    """A server that answers everything so; its host."""

    async def answered(_: web.Request) -> web.StreamResponse:
        return web.Response(body=answer, status=status)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answered)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def own_list(desk: Desk) -> bytes:
    return desk.pki.crl("public-sub-ca").public_bytes(Encoding.DER)


def strange_list(desk: Desk) -> bytes:
    return desk.pki.crl("stranger-sub-ca").public_bytes(Encoding.DER)


def answer_by(signer: str) -> Callable[[Desk], bytes]:
    """About an authority that the national root has issued, each of them."""

    def made(desk: Desk) -> bytes:
        by, root = desk.pki.authority(signer), desk.pki.authority("national-root").certificate
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=desk.pki.authority("public-sub-ca").certificate,
            issuer=root,
            algorithm=hashes.SHA1(),
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=clock() - timedelta(hours=1),
            next_update=clock() + timedelta(days=1),
            revocation_time=None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, by.certificate)
        return builder.sign(by.key, hashes.SHA256()).public_bytes(Encoding.DER)  # type: ignore[arg-type]

    return made


def unauthorized(_: Desk) -> bytes:
    made = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
    return made.public_bytes(Encoding.DER)


def nonsense(_: Desk) -> bytes:
    return b"<html>404, kindly</html>"


def nothing(_: Desk) -> bytes:
    return b""


async def rehearsed(desk: Desk, place: str, *, responder: bool = False) -> Entry:
    entry = await desk.register.add_source(place, LAN, responder=responder)
    return await desk.register.rehearse(entry.id, LAN)


@pytest.mark.parametrize(
    ("answer", "responder", "status", "fault"),
    [
        (strange_list, False, 200, "no known certificate"),
        (nonsense, False, 200, "is of no use"),
        (nothing, False, 200, "is of no use"),
        (own_list, False, 404, "status 404"),
        (own_list, False, 302, "status 302"),
        (nonsense, True, 200, "no OCSP response"),
        (nothing, True, 200, "no OCSP response"),
        (answer_by("stranger-root"), True, 200, "is of no use"),
        (own_list, True, 200, "no OCSP response"),
    ],
)
async def test_an_answer_of_no_use_is_told_and_the_host_is_not_asked(
    desk: Desk, answer: Callable[[Desk], bytes], responder: bool, status: int, fault: str
) -> None:
    async with publisher(answer(desk), status) as host:
        entry = await desk.register.add_source(f"http://{host}/path", LAN, responder=responder)
        await refused(desk, entry, fault)


@pytest.mark.parametrize(
    ("answer", "responder"), [(own_list, False), (answer_by("national-root"), True), (unauthorized, True)]
)
async def test_an_answer_that_is_of_use(desk: Desk, answer: Callable[[Desk], bytes], responder: bool) -> None:
    async with publisher(answer(desk)) as host:
        tried = await rehearsed(desk, f"http://{host}/path", responder=responder)
        assert tried.rehearsal is not None
        assert tried.rehearsed, tried.rehearsal
        assert bool(tried.rehearsal.doubts) is (answer is unauthorized)
        assert (await desk.register.activate(tried.id, LAN)).state is State.ACTIVE


async def test_nobody_there_and_a_host_alone(desk: Desk) -> None:
    entry = await desk.register.add_source("http://127.0.0.1:1/ca.crl", LAN)
    await refused(desk, entry, "It cannot be fetched")
    alone = await rehearsed(desk, "CRL.example.vn")
    assert alone.rehearsal is not None
    assert [text.en for text in alone.rehearsal.doubts] == [
        "A host alone cannot be tried; name the address of a list."
    ]
    with pytest.raises(RegisterRefused, match="is there already"):
        await desk.register.add_source("http://crl.example.vn:80/other.crl", LAN)


@pytest.mark.parametrize(
    "place",
    [
        "",
        "ftp://crl.example.vn/a",
        "crl.example.vn/a.crl",
        "http://u@crl.example.vn/",
        "a:b",
        "file:///etc/passwd",
    ],
)
async def test_a_place_that_is_none(desk: Desk, place: str) -> None:
    with pytest.raises(ValueError):
        await desk.register.add_source(place, LAN)
