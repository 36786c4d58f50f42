"""The ports on which a process listens: the machines' door, and the health door on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack

from aiohttp import web

from gateway.api.protocol import DoorRunner
from gateway.api.tls import exchangeable
from gateway.settings import DoorSettings, Settings

_ACCEPTED_SECONDS = 0.05
_HEALTH_SHUTDOWN_SECONDS = 2.0


async def listen(
    settings: Settings,
    door: MachinesDoor | None,
    health: list[web.RouteDef],
    stack: AsyncExitStack,
    share_ports: bool,
) -> tuple[int, int | None]:
    """The ports of the machines' door (0: none) and of the health door (None: none); both closed with the stack."""
    runners: list[web.AppRunner] = [] if door is None else [await door.open(stack, share_ports)]
    port = _port(runners[0]) if runners else 0
    health_port = None
    if settings.door.health_port != 0:
        runners.append(await _open_health(settings, health, stack, share_ports))
        health_port = _port(runners[-1])
    stack.push_async_callback(_stop_listening, runners)
    return port, health_port


class MachinesDoor:
    """The machines' door, whose certificate and authorities can be exchanged while it serves."""

    def __init__(self, settings: DoorSettings, app: web.Application, context: ssl.SSLContext) -> None:
        self._settings = settings
        self._context = exchangeable(context)
        self._runner = DoorRunner(
            app,
            access_log=None,
            keepalive_timeout=settings.idle_seconds,
            shutdown_timeout=settings.body_seconds,
            lingering_time=2.0,
            auto_decompress=False,
        )

    async def open(self, stack: AsyncExitStack, share_port: bool) -> web.AppRunner:
        """Listen; closed with the stack."""
        door = self._settings
        await self._runner.setup()
        stack.push_async_callback(self._runner.cleanup)
        site = web.TCPSite(
            self._runner, door.host, door.port, ssl_context=self._context, reuse_port=share_port, backlog=1024
        )
        await site.start()
        return self._runner

    def renew(self, context: ssl.SSLContext) -> None:
        """New connections have another context from now on; those that are open live out."""
        self._context.current = context


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
