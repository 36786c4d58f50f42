"""The simulated tax authority's doors: filings, polls, the control door and the open books."""

from __future__ import annotations

import asyncio
import hashlib
import random
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from adapters import rest_wire as wire
from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Books, Entry
from adapters.simulator.calling import Caller
from adapters.simulator.deciding import decide

_LOOPBACK = {"127.0.0.1", "::1", "localhost"}
_LARGEST_BODY = 64 << 20
_CONTROL = {"/control", "/books"}
_GARBAGE = b"<html><body>Bad gateway of somebody on the way</body></html>"


class SimulatorConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where to listen, whom to let in, whom to call back. All paths are PEM files, except `books` (JSON lines).

    Port 0 takes a free one. Without `tls_cert` it speaks plain HTTP, which is for this machine alone, as is a
    server without `client_ca`.
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

    def __post_init__(self) -> None:
        if self.host not in _LOOPBACK and (self.tls_cert is None or self.client_ca is None):
            raise ValueError(f"to listen on {self.host} the simulator needs tls_cert and client_ca")


class Simulator:
    """A believable tax authority in this process.

    `async with Simulator(config) as simulator:` or start() and stop(), once each. `behaviour` may be set at
    any time. Raises BooksError, ValueError or OSError for settings that cannot work.
    """

    def __init__(
        self, config: SimulatorConfig, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.config = config
        self.behaviour = config.behaviour
        self.url = ""
        self._clock = clock
        self._chance = random.Random(config.seed)  # noqa: S311 - whether to fail, no secret
        self._books = Books(config.books)
        self._caller: Caller | None = None
        self._runner: web.AppRunner | None = None

    @property
    def books(self) -> dict[str, Entry]:
        """Every filing taken in, by key."""
        return self._books.entries

    async def start(self) -> str:
        """Listen; returns the base URL. Raises OSError where the address is taken."""
        config = self.config
        app = web.Application(client_max_size=_LARGEST_BODY, middlewares=[self._in_character])
        app.router.add_post("/filings", self._take_in)
        app.router.add_get("/filings/{key}", self._tell)
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
            self._caller = Caller(
                config.callback, _caller_tls(config), self._books, lambda: self.behaviour, self._clock
            )
            for entry in self.books.values():
                if not entry.callbacks:
                    self._caller.promise(entry)
        return self.url

    async def stop(self) -> None:
        """Close the doors, finish the books. May be called twice."""
        runner, self._runner = self._runner, None
        caller, self._caller = self._caller, None
        if runner is not None:
            await runner.cleanup()
        if caller is not None:
            await caller.close()
        await self._books.close()

    async def __aenter__(self) -> Simulator:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @web.middleware
    async def _in_character(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Slow, down and garbled as told; the control door and the books are always well."""
        if request.path in _CONTROL:
            return await handler(request)
        behaviour = self.behaviour
        await asyncio.sleep(behaviour.delay_s)
        if behaviour.down:
            return _problem(503, "The authority is down", {"Retry-After": "1"})
        answer = await handler(request)
        if behaviour.garbage:
            return web.Response(status=answer.status, body=_GARBAGE, content_type="text/html")
        return answer

    async def _take_in(self, request: web.Request) -> web.StreamResponse:
        try:
            envelope = msgspec.json.decode(await request.read(), type=wire.Envelope)
        except msgspec.MsgspecError as error:
            return _problem(400, f"Not an envelope: {error}")
        fault = _fault(request, envelope)
        if fault is not None:
            return fault
        fails = self._chance.random() < self.behaviour.fail_rate
        if fails and self._chance.random() < 0.5:
            return _problem(503, "Failed before taking the filing in")
        known = self.books.get(envelope.key)
        if known is not None and known.digest != envelope.document.digest:
            return _problem(409, "This key belongs to another document")
        entry = known or self._enter(envelope)
        if known is None:
            await self._books.take_in(entry)
            if self._caller is not None:
                self._caller.promise(entry)
        else:
            await self._books.repeat(entry.key)
        if fails:
            return _problem(503, "Failed after taking the filing in")
        if self.behaviour.lose_answer:
            self.behaviour = self.behaviour.changed({"lose_answer": self.behaviour.lose_answer - 1})
            _cut(request)
        told = wire.Acknowledgement(entry.key, entry.digest, entry.reference, self._decided(entry))
        return _json(told, 201 if known is None else 200)

    async def _tell(self, request: web.Request) -> web.StreamResponse:
        entry = self.books.get(request.match_info["key"])
        if entry is None:
            return _problem(404, "No filing with this key")
        verdict = self._decided(entry)
        return _json(wire.State(entry.key, "decided" if verdict else "pending", entry.reference, verdict))

    async def _control(self, request: web.Request) -> web.StreamResponse:
        try:
            self.behaviour = self.behaviour.changed(
                msgspec.json.decode(await request.read(), type=dict[str, Any])
            )
        except msgspec.MsgspecError as error:
            return _problem(400, str(error))
        return _json(self.behaviour)

    async def _show_control(self, _: web.Request) -> web.StreamResponse:
        return _json(self.behaviour)

    async def _show_books(self, _: web.Request) -> web.StreamResponse:
        return _json({key: self._page(entry) for key, entry in self.books.items()})

    def _page(self, entry: Entry) -> dict[str, Any]:
        return {
            "times": entry.times,
            "number": entry.number,
            "digest": entry.digest,
            "reference": entry.reference,
            "verdict": self._decided(entry),
            "callbacks": entry.callbacks,
        }

    def _enter(self, envelope: wire.Envelope) -> Entry:
        now = self._clock()
        reference = f"CQT{now:%Y%m%d}{len(self.books) + 1:07d}"
        decides_at = now + timedelta(seconds=self.behaviour.verdict_delay_s)
        verdict = decide(envelope.document.content, reference, decides_at, self.behaviour.refuse)
        return Entry(
            key=envelope.key,
            agency=envelope.agency,
            number=envelope.number,
            digest=envelope.document.digest,
            reference=reference,
            decides_at=decides_at,
            verdict=verdict,
        )

    def _decided(self, entry: Entry) -> wire.Verdict | None:
        return entry.verdict if self._clock() >= entry.decides_at else None


def _fault(request: web.Request, envelope: wire.Envelope) -> web.Response | None:
    if request.headers.get("Idempotency-Key") != envelope.key:
        return _problem(400, "The Idempotency-Key header and the envelope's key differ")
    if hashlib.sha256(envelope.document.content).hexdigest() != envelope.document.digest:
        return _problem(422, "The document's SHA-256 is not the digest in the envelope")
    return None


def _cut(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> web.Response:
    body = msgspec.json.encode({"status": status, "title": "Simulated tax authority", "detail": detail})
    return web.Response(body=body, status=status, content_type="application/problem+json", headers=headers)


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
