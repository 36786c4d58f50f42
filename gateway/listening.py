"""The ports on which a process listens: the doors of machines and administrators, and the health door on loopback."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from gateway.api.protocol import DoorRunner
from gateway.api.tls import exchangeable
from gateway.settings import AdminSettings, DoorSettings, Settings

_ACCEPTED_SECONDS = 0.05
_HEALTH_SHUTDOWN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Doors:
    """What is to be opened; None: that door stays shut."""

    health: list[web.RouteDef]
    machines: TlsDoor | None
    admin: TlsDoor | None = None


@dataclass(frozen=True, slots=True)
class Ports:
    """Where a process listens: the machines' door (0: none), the health door and the administrators' (None: none)."""

    machines: int
    health: int | None
    admin: int | None


async def listen(settings: Settings, doors: Doors, stack: AsyncExitStack, share_ports: bool) -> Ports:
    """Open what is given; all of it is closed with the stack."""
    runners: list[web.AppRunner] = []
    if doors.machines is not None:
        runners.append(await doors.machines.open(stack, share_ports))
    port = _port(runners[0]) if runners else 0
    health_port = admin_port = None
    if settings.door.health_port != 0:
        runners.append(await _open_health(settings, doors.health, stack, share_ports))
        health_port = _port(runners[-1])
    if doors.admin is not None:
        runners.append(await doors.admin.open(stack, share_ports))
        admin_port = _port(runners[-1])
    stack.push_async_callback(_stop_listening, runners)
    return Ports(port, health_port, admin_port)


class TlsDoor:
    """A door of machines or administrators, whose certificate and authorities can be exchanged while it serves."""

    def __init__(
        self, settings: DoorSettings | AdminSettings, app: web.Application, context: ssl.SSLContext
    ) -> None:
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
