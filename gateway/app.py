"""The composition root: the only place that names concrete parts and knows the clock."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog
from aiohttp import web
from cryptography import x509

import adapters
import schemas
import signing
from gateway.api.answers import errors_as_problems
from gateway.api.body import BodyBudget
from gateway.api.callbacks import CallbackDoor
from gateway.api.clients import Clients, ClientTrust
from gateway.api.filings import FilingsDoor
from gateway.api.health import health_routes
from gateway.api.tls import server_context
from gateway.delivery.world import Backoff, DeliveryWorld
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.intake.verify import SignatureRules
from gateway.jobs.carry_on import Worker
from gateway.jobs.fetch import keep_fetching
from gateway.jobs.refresh import Reloading
from gateway.journey import Checks, IntakeWorld, carry_on
from gateway.notary import XmlNotary
from gateway.pool import HybridCheckPool
from gateway.ports import Clock
from gateway.production import require_fit_for_production
from gateway.seeding import seeds_of
from gateway.settings import Settings
from gateway.store.sqlite import SqliteDriver
from gateway.store.store import Store
from signing.answers import AnswerFolder
from signing.refresh import Refresher

log = structlog.get_logger("app")
Role = Literal["all", "intake", "delivery"]


def clock() -> datetime:
    """The time of business."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves. `port` and `health_port` are the real ones, also where the settings say 0."""

    port: int
    health_port: int | None
    store: Store
    worker: Worker
    refresh_trust: Callable[[], None]


def load_checks(settings: Settings, max_bytes: int) -> Reloading[Checks]:
    """What documents are judged by; trust is read again when its files change."""
    policy = signing.load_policy(settings.trust.policy)
    catalogue = schemas.load_catalogue()
    limits = signing.ParseLimits(max_bytes=max_bytes)

    before: list[signing.TrustStore] = []

    def make(directory: Path) -> Checks:
        trust = signing.TrustStore.load(directory, before=before[-1] if before else None)
        before[:] = [trust]
        for left_out in trust.left_out:
            log.warning("fetched-answer-left-out", reason=left_out)
        return Checks(limits, SignatureRules(policy, trust), catalogue)

    return Reloading(settings.trust.directory, make)


UNFIT = (
    adapters.ConfigError,
    schemas.CatalogueError,
    signing.CrlRefused,
    signing.KeyRefused,
    signing.PolicyRefused,
    signing.TrustRefused,
    OSError,
    ValueError,
)
"""What the parts raise where they cannot be made from what the installation has."""


@asynccontextmanager
async def running(
    settings: Settings,
    *,
    role: Role = "all",
    now: Clock = clock,
    on_fatal: Callable[[], None] = lambda: None,
) -> AsyncIterator[Running]:
    """Serve until the block is left; then stop taking in, finish what was begun, and close the store.

    `role`: "intake" leaves the delivery to other processes of the same store; "delivery" opens no door.

    `on_fatal` is called once where this process can no longer keep a promise and must end.

    Raises:
        ConfigurationError: what is wrong with the installation.
        StoreUnavailable: the store cannot be opened.
    """
    require_fit_for_production(settings)
    async with AsyncExitStack() as stack:
        try:
            gateway = await stack.enter_async_context(_assembled(settings, role, now, on_fatal))
        except UNFIT as error:
            raise ConfigurationError([str(error)]) from error
        yield gateway


@asynccontextmanager
async def _assembled(
    settings: Settings, role: Role, now: Clock, on_fatal: Callable[[], None]
) -> AsyncIterator[Running]:
    """The parts, put together in the order in which they need each other, taken apart in reverse."""
    loop = asyncio.get_running_loop()

    def fatal() -> None:
        loop.call_soon_threadsafe(on_fatal)

    async with AsyncExitStack() as stack:
        store = Store(SqliteDriver(settings.store, on_fatal=fatal), now)
        stack.callback(store.close)
        await store.seed(seeds_of(settings), actor="settings file")
        limits = store.limits()
        checks = load_checks(settings, int(limits["body_bytes"]))
        pool = HybridCheckPool(
            inline_bytes=int(limits["inline_bytes"]),
            threads=int(limits["check_threads"]),
            waiting=int(limits["check_waiting"]),
        )
        stack.callback(pool.close)
        key = signing.FileKey.from_pem(settings.notices.key, settings.notices.certificate)
        notary = XmlNotary(key, schemas.Office(settings.gateway.office_code, settings.gateway.name))
        intake = IntakeWorld(
            settings.gateway.code, int(limits["body_bytes"]), checks, store, notary, pool, now
        )
        opened = await _open_adapters(store, stack)
        backoff = Backoff(settings.delivery.first_retry_seconds, settings.delivery.most_retry_seconds)
        delivery = DeliveryWorld(store, store, opened, notary, lambda: checks().signatures, backoff, now)
        worker = _worker(settings, store, delivery)
        client_trust = Reloading(
            settings.door.client_crls, partial(load_client_trust, settings.door.client_ca)
        )
        clients = Clients(store, client_trust, now)
        bodies = BodyBudget(int(limits["bodies_bytes"]))
        filings = FilingsDoor(
            intake, clients, bodies=bodies, body_seconds=settings.door.body_seconds, wake=worker.wake
        )
        ready = health_routes({"store": partial(_store_fault, store)})
        app = web.Application(middlewares=[errors_as_problems])
        for routes in (filings.routes(), CallbackDoor(delivery, store, clients).routes(), ready):
            app.add_routes(routes)
        jobs = [refresher.watch(settings.trust.refresh_seconds) for refresher in (checks, client_trust)]
        if settings.trust.fetch_hosts:
            jobs.append(_fetching(settings, checks, now))
        if role != "intake":
            jobs.append(worker.run())
        for job in jobs:
            stack.push_async_callback(_stopped, _background(job, on_fatal))
        port = await _open_door(settings, app, stack) if role != "delivery" else 0
        health_port = await _open_health(settings, ready, stack)
        log.info("ready", port=port, health_port=health_port, mode=settings.mode, pid=os.getpid())

        def refresh_trust() -> None:
            checks.refresh()
            client_trust.refresh()

        yield Running(port, health_port, store, worker, refresh_trust)
        log.info("stopping", pid=os.getpid())


def load_client_trust(client_ca: Path, crls: Path) -> ClientTrust:
    """The issuers of client certificates and their revocation lists."""
    certificates = x509.load_pem_x509_certificates(client_ca.read_bytes())
    index = signing.RevocationIndex(certificates)
    for file in sorted(crls.glob("*.crl")):
        index.add_crl(file.read_bytes())
    return ClientTrust({c.subject.public_bytes(): c for c in certificates}, index)


def _fetching(settings: Settings, checks: Reloading[Checks], now: Clock) -> Coroutine[None, None, None]:
    hosts = frozenset(host.lower() for host in settings.trust.fetch_hosts)
    refresher = Refresher(AnswerFolder(settings.trust.directory / "fetched"), hosts)
    return keep_fetching(
        refresher, lambda: checks().signatures.trust, checks.refresh, settings.trust.fetch_seconds, now
    )


def _worker(settings: Settings, store: Store, delivery: DeliveryWorld) -> Worker:
    return Worker(
        f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
        store,
        lambda claim: carry_on(claim, delivery),
        in_flight=settings.delivery.in_flight,
        lease_seconds=settings.delivery.lease_seconds,
        idle_seconds=settings.delivery.idle_poll_seconds,
    )


async def _open_adapters(store: Store, stack: AsyncExitStack) -> dict[str, adapters.Adapter]:
    opened = {}
    for agency in store.agencies():
        adapter = adapters.open_adapter(agency.adapter, agency.config)
        stack.push_async_callback(adapter.close)
        opened[agency.id] = adapter
    return opened


async def _open_door(settings: Settings, app: web.Application, stack: AsyncExitStack) -> int:
    door = settings.door
    runner = web.AppRunner(
        app,
        access_log=None,
        keepalive_timeout=door.idle_seconds,
        shutdown_timeout=door.body_seconds,
        lingering_time=2.0,
        auto_decompress=False,
    )
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    context = server_context(door.certificate, door.key, door.client_ca)
    site = web.TCPSite(runner, door.host, door.port, ssl_context=context, reuse_port=True, backlog=1024)
    await site.start()
    return int(runner.addresses[0][1])


async def _open_health(settings: Settings, routes: list[web.RouteDef], stack: AsyncExitStack) -> int | None:
    if settings.door.health_port == 0:
        return None
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", settings.door.health_port, reuse_port=True).start()
    return int(runner.addresses[0][1])


def _background(job: Coroutine[None, None, None], on_fatal: Callable[[], None]) -> asyncio.Task[None]:
    """A job that ends by itself has failed: this process is of no use without it."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            log.critical("job-ended", job=str(task.get_coro()), error=repr(task.exception()))
            on_fatal()

    task = asyncio.create_task(job)
    task.add_done_callback(ended)
    return task


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _store_fault(store: Store) -> str | None:
    try:
        store.epoch()
    except StoreUnavailable:
        return "unavailable"
    return None
