"""Real sockets, real TLS with client certificates, a simulated authority; and doors that misbehave."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import certs_dev
from adapters import Adapter, Parcel
from adapters.simulator import SimulatorConfig
from certs_dev import DevPki
from tests.adapters.families import FAMILIES, Agency, Family
from tests.adapters.families.over_https import https_settings, simulator_config

DECLARATION = (
    b'<HSoThueDTu xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue"><HSoKhaiThue id="ID_1">'
    b"<CTieuTKhaiChinh><ct36>120000000</ct36><ct40>98500000</ct40></CTieuTKhaiChinh></HSoKhaiThue></HSoThueDTu>"
)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevPki:
    return certs_dev.make(tmp_path_factory.mktemp("pki") / "dev", at=datetime.now(UTC))


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    def make(key: str = "f-1", document: bytes = DECLARATION, **changes: Any) -> Parcel:
        values: dict[str, Any] = {
            "key": key,
            "agency": "tax",
            "filing_number": "EF-260715-000001-4",
            "family": "tax-declaration",
            "form_code": "842",
            "form_version": "2.8.3",
            "kind": "C",
            "period": "Q2/2026",
            "taxpayer_code": "5500123457",
            "tax_office_code": "10100",
            "received_at": datetime(2026, 7, 15, 3, 4, 5, tzinfo=UTC),
            "media_type": "application/xml",
            "digest_hex": hashlib.sha256(document).hexdigest(),
            "document": document,
        }
        return Parcel(**{**values, **changes})

    return make


@pytest.fixture
def settings(pki: DevPki) -> Callable[..., dict[str, Any]]:
    return lambda url, **more: https_settings(pki, url, **more)


@pytest.fixture
def config(pki: DevPki) -> Callable[..., SimulatorConfig]:
    return lambda **more: simulator_config(pki, **more)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`family`: each of the file's FAMILIES_HERE, or of all, whose wire has what the test `needs`."""
    said = [str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize")]
    if "family" not in metafunc.fixturenames or any("family" in names for names in said):
        return
    needed = {what for mark in metafunc.definition.iter_markers("needs") for what in mark.args}
    names = getattr(metafunc.module, "FAMILIES_HERE", FAMILIES)
    fit = [name for name in names if needed.isdisjoint(FAMILIES[name].lacks)]
    assert fit, f"no family has {needed}"
    metafunc.parametrize("family", fit, indirect=True)


@pytest.fixture
def family(request: pytest.FixtureRequest) -> Family:
    return FAMILIES[request.param]


@pytest.fixture
async def agency(family: Family, pki: DevPki, tmp_path: Path) -> AsyncIterator[tuple[Adapter, Agency]]:
    async with family.start(pki, tmp_path, 30.0) as pair:
        yield pair


@pytest.fixture
async def hurried_agency(
    family: Family, pki: DevPki, tmp_path: Path
) -> AsyncIterator[tuple[Adapter, Agency]]:
    """The same, with an adapter that hardly waits."""
    async with family.start(pki, tmp_path, 0.5) as pair:
        yield pair


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def tls_door(pki: DevPki, server: str, answer: Answer) -> AsyncIterator[str]:
    """A server that asks for client certificates and answers everything with `answer`; gives its URL."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=pki.client_ca)
    context.load_cert_chain(pki[server].chain, pki[server].key)
    context.verify_mode = ssl.CERT_REQUIRED
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@pytest.fixture
def door(pki: DevPki) -> Callable[[str, Answer], Any]:
    return lambda server, answer: tls_door(pki, server, answer)


class CallbackDoor:
    """The gateway's callback door: keeps what it gets, answers with the next of `statuses`, then 204."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str], str]] = []
        self.statuses: list[int] = []
        self.url = ""
        self._arrived = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        subject = dict(pair[0] for pair in request.transport.get_extra_info("peercert")["subject"])
        self.got.append((await request.read(), dict(request.headers), subject["commonName"]))
        self._arrived.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    async def wait_for(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self._arrived.clear()
                await self._arrived.wait()


@pytest.fixture
async def callbacks(pki: DevPki) -> AsyncIterator[CallbackDoor]:
    inbox = CallbackDoor()
    async with tls_door(pki, "gateway-server", inbox.answer) as url:
        inbox.url = url + "/v1/callbacks/tax"
        yield inbox


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return tmp_path / "agency" / "books.jsonl"
