"""The simulated authority's doors over HTTP: one for each wire, the control door and the open books."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from adapters.simulator.authority import AnswerLost, Authority, Failure, Simulated
from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Entry
from adapters.simulator.bus import BusWire
from adapters.simulator.calling import Caller
from adapters.simulator.edxml import EdxmlWire
from adapters.simulator.permit import PermitWire
from adapters.simulator.rest import RestWire, json_answer, problem
from adapters.simulator.soap import PASSWORDS
from adapters.simulator.spoiling import GARBAGE, HUGE
from adapters.simulator.tax import TaxWire
from adapters.simulator.wire import Handler, Wire

WIRES: tuple[Wire, ...] = (RestWire(), BusWire(), TaxWire(), PermitWire(), EdxmlWire())
"""All that it speaks over HTTP, at once, each on paths of its own."""

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_LARGEST_BODY = 256 << 20


class SimulatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where to listen, whom to let in, whom to call back. All paths are PEM files, except `books` (JSON lines).

    Port 0 takes a free one. Without `tls_cert` it speaks plain HTTP, which is for this machine alone, as is a
    server without `client_ca`. `soap_passwords`, by username: who may speak SOAP; none: everybody that is let in.
    """

    host: str = "127.0.0.1"
    port: int = 0
    tls_cert: Path | None = None
    tls_key: Path | None = None
    client_ca: Path | None = None
    callback: str | None = None
    callback_ca: Path | None = None
    callback_cert: Path | None = None
    callback_key: Path | None = None
    books: Path | None = None
    seed: int = 0
    behaviour: Behaviour = Behaviour()
    soap_passwords: dict[str, str] = msgspec.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.host not in _LOOPBACK and (self.tls_cert is None or self.client_ca is None):
            raise ValueError(f"to listen on {self.host} the simulator needs tls_cert and client_ca")


class Simulator(Simulated):
    """A believable authority in this process.

    `async with Simulator(config) as simulator:` or start() and stop(), once each. `behaviour` may be set at
    any time. Raises BooksError, ValueError or OSError for settings that cannot work.
    """

    def __init__(
        self, config: SimulatorConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.config = config
        self.url = ""
        self.callers: Counter[str] = Counter()
        """Requests, by the client certificate (SHA-256, hex) that they came with."""
        self._clock = clock
        self._authority = Authority(config.books, config.behaviour, config.seed, clock)
        self._caller: Caller | None = None
        self._runner: web.AppRunner | None = None

    async def start(self) -> str:
        """Listen; returns the base URL. Raises OSError where the address is taken."""
        config = self.config
        app = web.Application(client_max_size=_LARGEST_BODY)
        app[PASSWORDS] = config.soap_passwords
        for wire in WIRES:
            for method, path, handler in wire.doors(self._authority):
                app.router.add_route(method, path, self._in_character(wire, handler))
        app.router.add_post("/control", self._control)
        app.router.add_get("/control", self._show_control)
        app.router.add_get("/books", self._show_books)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        tls = _server_tls(config)
        site = web.TCPSite(self._runner, config.host, config.port, ssl_context=tls)
        await site.start()
        port = self._runner.addresses[0][1]
        host = f"[{config.host}]" if ":" in config.host else config.host
        self.url = f"{'https' if tls else 'http'}://{host}:{port}"
        if config.callback is not None:
            self._call_back_to(config.callback)
        return self.url

    async def stop(self) -> None:
        """Close the doors, finish the books. May be called twice."""
        runner, self._runner = self._runner, None
        caller, self._caller = self._caller, None
        if runner is not None:
            await runner.cleanup()
        if caller is not None:
            await caller.close()
        await self._authority.books.close()

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _call_back_to(self, url: str) -> None:
        letters = {wire.name: wire.callback for wire in WIRES}
        tls = _caller_tls(self.config)
        self._caller = Caller(
            url,
            tls,
            self._authority.books,
            letters=letters,
            behaviour=lambda: self.behaviour,
            clock=self._clock,
        )
        self._authority.on_new = self._caller.promise
        for entry in self.books.values():
            if not entry.callbacks:
                self._caller.promise(entry)

    def _in_character(self, wire: Wire, handler: Handler) -> Handler:
        """Slow, down and garbled as told; the control door and the books are always well."""

        async def door(request: web.Request) -> web.Response:
            behaviour = self.behaviour
            self.callers.update(_shown(request))
            await asyncio.sleep(behaviour.delay_s)
            try:
                if behaviour.down:
                    return wire.failed(request, Failure("busy", "The authority is down", 1.0))
                answer = await handler(request)
            except Failure as failure:
                answer = wire.failed(request, failure)
            except AnswerLost:
                _cut(request)
                return web.Response()
            return _spoilt(wire, request, answer, behaviour)

        return door

    async def _control(self, request: web.Request) -> web.StreamResponse:
        try:
            self.behaviour = self.behaviour.changed(
                msgspec.json.decode(await request.read(), type=dict[str, Any])
            )
        except msgspec.MsgspecError as error:
            return problem(400, str(error))
        return json_answer(self.behaviour)

    async def _show_control(self, _: web.Request) -> web.StreamResponse:
        return json_answer(self.behaviour)

    async def _show_books(self, _: web.Request) -> web.StreamResponse:
        return json_answer({key: self._page(entry) for key, entry in self.books.items()})

    def _page(self, entry: Entry) -> dict[str, Any]:
        return {
            "times": entry.times,
            "number": entry.number,
            "digest": entry.digest,
            "papers": entry.papers,
            "reference": entry.reference,
            "verdict": self._authority.decided(entry),
            "callbacks": entry.callbacks,
        }


def _spoilt(wire: Wire, request: web.Request, answer: web.Response, behaviour: Behaviour) -> web.Response:
    if behaviour.garbage:
        return web.Response(status=answer.status, body=GARBAGE, content_type="text/html")
    if behaviour.bomb:
        return wire.bomb(request)
    if behaviour.mistyped:
        return web.Response(status=answer.status, body=answer.body, content_type="text/html")
    if behaviour.huge:
        assert isinstance(answer.body, bytes)
        return web.Response(
            status=answer.status,
            body=answer.body + b" " * HUGE,
            headers={"Content-Type": answer.headers["Content-Type"]},
        )
    return answer


def _shown(request: web.Request) -> Iterator[str]:
    tls = None if request.transport is None else request.transport.get_extra_info("ssl_object")
    if tls is not None and (der := tls.getpeercert(binary_form=True)):
        yield hashlib.sha256(der).hexdigest()


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _server_tls(config: SimulatorConfig) -> ssl.SSLContext | None:
    if config.tls_cert is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(config.tls_cert, config.tls_key)
    if config.client_ca is not None:
        context.load_verify_locations(config.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _caller_tls(config: SimulatorConfig) -> ssl.SSLContext | None:
    if config.callback is None or not config.callback.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=config.callback_ca)
    if config.callback_cert is not None:
        context.load_cert_chain(config.callback_cert, config.callback_key)
    return context
