"""The composition root: the only place that names concrete parts and knows the clock."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, Protocol

import structlog
from aiohttp import web

import adapters
import schemas
import signing
from gateway.admin.opening import open_admin
from gateway.agency_keys import AgencyKeys
from gateway.api.answers import errors_as_problems
from gateway.api.body import BodyBudget
from gateway.api.callbacks import CallbackDoor
from gateway.api.clients import Clients, ClientTrust
from gateway.api.filings import FilingsDoor
from gateway.api.health import health_routes, metrics_route
from gateway.api.pages import PagesDoor
from gateway.api.papers import PapersDoor
from gateway.beginning import announced, begun
from gateway.calendar import CalendarError, Deadlines, load_deadlines
from gateway.clock import clock
from gateway.delivery.agencies import KnownAgencies
from gateway.delivery.room import Room
from gateway.delivery.world import Backoff, DeliveryWorld
from gateway.directory import Directory, DirectoryError, load_directory
from gateway.errors import ConfigurationError
from gateway.filing.dossier_codes import DossierCodes
from gateway.intake.receive import SizeLimits
from gateway.intake.signed_papers import PaperLimits
from gateway.intake.verify import SignatureRules
from gateway.jobs.carry_on import C, Done, Worker
from gateway.jobs.gate import Gate
from gateway.jobs.incidents import KnownIncidents
from gateway.jobs.listen import keep_listening
from gateway.jobs.refresh import Reloading
from gateway.jobs.watch import Watch
from gateway.journey import Checks, IntakeWorld, carry_on, carry_over
from gateway.listening import Doors, listen
from gateway.metrics import Metrics
from gateway.notary import XmlNotary
from gateway.observed import figures, large_bodies, ready_checks
from gateway.pool import HybridCheckPool
from gateway.ports import Claim, Clock
from gateway.production import require_fit_for_production
from gateway.register.entry import Purpose
from gateway.reloaded import RegisterView, fetching, load_client_trust, load_forms
from gateway.rotation import Parts, Rotation
from gateway.served import ServedDoor
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.upkeep import opened_store, retention_rules, upkeep
from gateway.warned import Lookout, warning_job

log = structlog.get_logger("app")
_STEP_SECONDS = 120.0
"""What a step may take beside its call: twice the store's own bound for a write that hangs, and the signing."""
Role = Literal["all", "intake", "delivery"]


class Door(Protocol):
    """Handlers behind routes of their own."""

    def routes(self) -> list[web.RouteDef]: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway that serves. The ports are the real ones, also where the settings say 0; None: no such door."""

    port: int
    health_port: int | None
    admin_port: int | None
    store: Store
    worker: Worker[Claim]
    catalogue: Reloading[schemas.Catalogue]
    refresh: Callable[[], None]


UNFIT = (
    CalendarError,
    DirectoryError,
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
    share_ports: bool = False,
) -> AsyncIterator[Running]:
    """Serve until the block is left; then stop taking in, finish what was begun, and close the store.

    `role`: "intake" leaves the delivery to other processes of the same store; "delivery" opens no door.

    `on_fatal` is called once where this process can no longer keep a promise and must end. `share_ports`: other
    workers of the same gateway listen on its ports too; else a port in use is a fault of the installation.

    Raises:
        ConfigurationError: what is wrong with the installation.
        StoreUnavailable: the store cannot be opened.
    """
    require_fit_for_production(settings)
    async with AsyncExitStack() as stack:
        try:
            gateway = await stack.enter_async_context(_assembled(settings, role, now, on_fatal, share_ports))
        except UNFIT as error:
            raise ConfigurationError([str(error)]) from error
        yield gateway


@asynccontextmanager
async def _assembled(
    settings: Settings, role: Role, now: Clock, on_fatal: Callable[[], None], share_ports: bool
) -> AsyncIterator[Running]:
    """The parts, put together in the order in which they need each other, taken apart in reverse."""
    loop = asyncio.get_running_loop()

    def fatal() -> None:
        loop.call_soon_threadsafe(on_fatal)

    async with AsyncExitStack() as stack:
        store = await opened_store(settings, now, fatal, stack, tends=role != "intake")
        process = await announced(store, stack)
        metrics = Metrics()
        first = await begun(settings, store, now, metrics, stack)
        view, rules, notary, stamps = first.view, first.rules, first.notary, first.stamps
        limits = await store.limits()
        sources = Sources.load(settings, rules)
        retention_rules(settings, sources.catalogue().families)  # or say what is wrong with them
        incidents = KnownIncidents(
            store, sources.directory, sources.deadlines, settings.calendar.refresh_seconds
        )
        await incidents.refresh()
        shared = Shared(settings, limits, sources, store, notary, now)
        intake = _intake(shared, incidents, stack)
        agencies = await _open_agencies(store, view, stack)
        delivery = _delivery(shared, agencies)
        worker, delivering = _delivery_jobs(settings, store, delivery, sources.deadlines, metrics)
        gate = Gate(store, int(limits["waiting_filings"]))
        clients = Clients(store, client_trust := load_client_trust(settings.door, view), now)
        bodies = BodyBudget(int(limits["bodies_bytes"]))
        seconds = settings.door.body_seconds
        filings = FilingsDoor(
            intake, clients, bodies=bodies, body_seconds=seconds, wake=worker.wake, gate=gate,
            filed=metrics.filed,
        )  # fmt: skip
        admin = open_admin(settings, store, view, sources.deadlines, now) if role != "delivery" else None
        callers = {"clients": client_trust} | ({} if admin is None else {"admins": admin.trust})
        watched = sources.watched(settings, callers)
        jobs = warning_job(Lookout(settings, store, rules, [*callers.values()], now), metrics.warned)
        jobs |= {name: source.watch(every) for name, (source, every) in watched.items()}
        jobs |= {"incidents": incidents.run(), "gate": gate.run(), "lag": metrics.measure_lag()}
        asked, jobs["fetching"] = fetching(settings, rules, view, now)
        if role != "intake":
            jobs |= {name: job() for name, job in delivering.items()} | _listening(delivery, store)
            jobs["upkeep"] = upkeep(
                store, settings.gateway.code, lambda: retention_rules(settings, sources.catalogue().families)
            )
        tasks = {name: _background(job, on_fatal, stack) for name, job in jobs.items()}
        ready = health_routes(
            ready_checks(store, notary, now, tasks),
            {"bodies": partial(large_bodies, store), "time-stamps": stamps.fault},
        )
        showing = _showing(intake, filings, bodies, seconds)
        app = _application((filings, *showing, CallbackDoor(delivery, store, clients)), ready)
        health = [*ready, metrics_route(lambda: metrics.exposed(partial(figures, store), now()))]
        door = None if role == "delivery" else ServedDoor(settings.door, app, Purpose.TLS, view.entries)
        served = tuple(one for one in (door, admin.door if admin else None) if one is not None)
        doors = Doors(health, door.door if door else None, admin.door.door if admin else None)
        ports = await listen(settings, doors, stack, share_ports)
        parts = Parts(
            view,
            rules,
            tuple(callers.values()),
            notary,
            served,
            agencies,
            store.body_keys,
            asked,
            stamps,
            first.policy,
        )
        tasks["register"] = _background(Rotation(settings, store, parts, now, process).run(), on_fatal, stack)
        told = {"port": ports.machines, "health_port": ports.health, "admin_port": ports.admin}
        log.info("ready", **told, mode=settings.mode, pid=os.getpid())
        yield Running(
            ports.machines,
            ports.health,
            ports.admin,
            store,
            worker,
            sources.catalogue,
            partial(_refresh, watched),
        )
        log.info("stopping", pid=os.getpid())


@dataclass(frozen=True, slots=True)
class Sources:
    """What is made from folders, and made anew when they change."""

    rules: Reloading[SignatureRules]
    catalogue: Reloading[schemas.Catalogue]
    directory: Reloading[Directory]
    deadlines: Reloading[Deadlines]

    @classmethod
    def load(cls, settings: Settings, rules: Reloading[SignatureRules]) -> Sources:
        """Raises what UNFIT names."""
        return cls(
            rules,
            load_forms(settings, rules().policy),
            Reloading(settings.directory.folder, load_directory),
            Reloading(settings.calendar.folder, load_deadlines),
        )

    def watched(
        self, settings: Settings, callers: Mapping[str, Reloading[ClientTrust]]
    ) -> dict[str, tuple[Reloading[Any], float]]:
        """By name, with the seconds between two looks; `callers`: who may call, door by door."""
        return {
            "trust": (self.rules, settings.trust.refresh_seconds),
            "catalogue": (self.catalogue, settings.catalogue.refresh_seconds),
            "directory": (self.directory, settings.directory.refresh_seconds),
            "calendar": (self.deadlines, settings.calendar.refresh_seconds),
            **{name: (one, settings.trust.refresh_seconds) for name, one in callers.items()},
        }


@dataclass(frozen=True, slots=True)
class Shared:
    """What intake and delivery have in common."""

    settings: Settings
    limits: Mapping[str, float]
    sources: Sources
    store: Store
    notary: XmlNotary
    now: Clock


def _intake(of: Shared, incidents: KnownIncidents, stack: AsyncExitStack) -> IntakeWorld:
    sizes, parse_limits, papers = _check_limits(of.limits)

    def checks() -> Checks:
        return Checks(parse_limits, of.sources.rules(), of.sources.catalogue(), papers)

    return IntakeWorld(
        of.settings.gateway.code,
        DossierCodes(of.settings.gateway.agency_code),
        sizes,
        checks,
        of.store,
        of.notary,
        *_pools(of.limits, lambda: of.sources.catalogue().prepared, stack),
        of.now,
        incidents.in_time,
    )


def _delivery(of: Shared, agencies: AgencyKeys) -> DeliveryWorld:
    delivery = of.settings.delivery
    return DeliveryWorld(
        of.store,
        KnownAgencies(of.store.agencies),
        agencies.adapters,
        of.notary,
        of.sources.rules,
        of.sources.catalogue,
        of.sources.directory,
        Backoff(delivery.first_retry_seconds, delivery.most_retry_seconds),
        of.now,
        of.store.events,
        Room(int(of.limits["bodies_bytes"])),
    )


def _refresh(watched: Mapping[str, tuple[Reloading[Any], float]]) -> None:
    for source, _ in watched.values():
        source.refresh()


def _application(doors: Sequence[Door], ready: list[web.RouteDef]) -> web.Application:
    """What the machines' port serves."""
    app = web.Application(middlewares=[errors_as_problems])
    for routes in (*(door.routes() for door in doors), ready):
        app.add_routes(routes)
    return app


def _showing(
    intake: IntakeWorld, filings: FilingsDoor, bodies: BodyBudget, seconds: float
) -> tuple[PagesDoor, PapersDoor]:
    """The doors that show a provider what it has filed."""
    return (
        PagesDoor(intake, filings.own, bodies=bodies, body_seconds=seconds),
        PapersDoor(intake, filings.own, bodies=bodies, body_seconds=seconds),
    )


def _pools(
    limits: Mapping[str, float], prepared: Callable[[], bool], stack: AsyncExitStack
) -> tuple[HybridCheckPool, HybridCheckPool]:
    """For documents, and for those of them whose signed papers have to be judged."""
    documents = HybridCheckPool(
        inline_bytes=int(limits["inline_bytes"]),
        threads=int(limits["check_threads"]),
        waiting=int(limits["check_waiting"]),
        prepared=prepared,
    )
    papers = HybridCheckPool(
        inline_bytes=-1, threads=int(limits["paper_threads"]), waiting=int(limits["paper_waiting"])
    )
    for pool in (documents, papers):
        stack.callback(pool.close)
    return documents, papers


def _check_limits(limits: Mapping[str, float]) -> tuple[SizeLimits, signing.ParseLimits, PaperLimits]:
    count, octets = int(limits["signed_papers"]), int(limits["signed_papers_bytes"])
    papers = PaperLimits(count, octets, limits["signed_papers_seconds"])
    sizes = SizeLimits(int(limits["body_bytes"]), int(limits["parts_bytes"]))
    return sizes, signing.ParseLimits(max_bytes=sizes.body), papers


Job = Callable[[], Coroutine[None, None, None]]


def _delivery_jobs(
    settings: Settings, store: Store, world: DeliveryWorld, deadlines: Reloading[Deadlines], metrics: Metrics
) -> tuple[Worker[Claim], dict[str, Job]]:
    """What carries filings on, once each for this process; and its worker, to be woken."""
    longest = max((adapter.longest_call_s for adapter in world.adapters.values()), default=0.0)

    def worker(
        claim_due: Callable[[str, int, float], Awaitable[Sequence[C]]],
        step: Callable[[C], Awaitable[Done]],
        renew: Callable[[C, float], Awaitable[bool]],
    ) -> Worker[C]:
        return Worker(
            f"{socket.gethostname()}:{os.getpid()}:{os.urandom(4).hex()}",
            claim_due,
            step,
            renew,
            in_flight=settings.delivery.in_flight,
            lease_seconds=settings.delivery.lease_seconds,
            idle_seconds=settings.delivery.idle_poll_seconds,
            step_seconds=longest + _STEP_SECONDS,
            attempted=metrics.attempted,
        )

    deliveries = worker(store.claim_due, partial(carry_on, world=world), store.renew)
    handovers = worker(store.claim_handovers, partial(carry_over, world=world), store.renew_handover)
    watch = Watch(store, deadlines, world.clock, settings.calendar.watch_seconds)
    return deliveries, {"delivery": deliveries.run, "handover": handovers.run, "deadlines": watch.run}


def _listening(world: DeliveryWorld, store: Store) -> dict[str, Coroutine[None, None, None]]:
    """A job for each agency that leaves its verdicts where we fetch them."""
    return {
        f"listening-{name}": keep_listening(name, adapter, world, store)
        for name, adapter in world.adapters.items()
        if isinstance(adapter, adapters.Listener)
    }


async def _open_agencies(store: Store, view: RegisterView, stack: AsyncExitStack) -> AgencyKeys:
    opened = AgencyKeys(await store.agencies(), view.entries)
    for adapter in opened.adapters.values():
        stack.push_async_callback(adapter.close)
    return opened


def _background(
    job: Coroutine[None, None, None], on_fatal: Callable[[], None], stack: AsyncExitStack
) -> asyncio.Task[None]:
    """A job that ends by itself has failed: this process is of no use without it."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            on_fatal()
            log.critical("job-ended", job=str(task.get_coro()), error=repr(task.exception()))

    task = asyncio.create_task(job)
    task.add_done_callback(ended)
    stack.push_async_callback(_stopped, task)
    return task


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
