"""The ports on which a process listens: the machines' door, and the health door on loopback."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from gateway.api.protocol import DoorRunner
from gateway.api.tls import server_context
from gateway.settings import Settings

_ACCEPTED_SECONDS = 0.05
_HEALTH_SHUTDOWN_SECONDS = 2.0


async def listen(
    settings: Settings,
    app: web.Application | None,
    health: list[web.RouteDef],
    stack: AsyncExitStack,
    share_ports: bool,
) -> tuple[int, int | None]:
    """The ports of the machines' door (0: none) and of the health door (None: none); both closed with the stack."""
    runners = [] if app is None else [await _open_door(settings, app, stack, share_ports)]
    port = _port(runners[0]) if runners else 0
    health_port = None
    if settings.door.health_port != 0:
        runners.append(await _open_health(settings, health, stack, share_ports))
        health_port = _port(runners[-1])
    stack.push_async_callback(_stop_listening, runners)
    return port, health_port


async def _open_door(
    settings: Settings, app: web.Application, stack: AsyncExitStack, share_port: bool
) -> web.AppRunner:
    door = settings.door
    runner = DoorRunner(
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
    site = web.TCPSite(runner, door.host, door.port, ssl_context=context, reuse_port=share_port, backlog=1024)
    await site.start()
    return runner


async def _open_health(
    settings: Settings, routes: list[web.RouteDef], stack: AsyncExitStack, share_port: bool
) -> web.AppRunner:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_HEALTH_SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", settings.door.health_port, reuse_port=share_port).start()
    return runner


async def _stop_listening(runners: Sequence[web.AppRunner]) -> None:
    """Free all ports at once, before any connection is waited for: who comes next needs them.

    Then a moment for connections just accepted: one whose handler has not begun when aiohttp is told to end is
    neither answered nor closed until its time-out.
    """
    for runner in runners:
        for site in list(runner.sites):
            await site.stop()
    await asyncio.sleep(_ACCEPTED_SECONDS)


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])
