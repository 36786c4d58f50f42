"""efile serve: the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import structlog
import uvloop
from msgspec.structs import replace

from gateway.app import Role, running
from gateway.cli.logs import configure_logging
from gateway.cli.place import settings_of, settings_options
from gateway.errors import ConfigurationError
from gateway.metrics import SHARED
from gateway.settings import Settings
from gateway.supervisor import BEAT_SECONDS, supervise
from schemas import Catalogue

log = structlog.get_logger("app")
_STOP_SECONDS = 90.0
_PORT_SECONDS = 10.0
_FORM_PAUSE_SECONDS = 0.1
_M_ARENA_MAX = -8  # malloc.h
_GC_THRESHOLDS = (20_000, 20, 20)


@click.command()
@settings_options
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    help="Worker processes.  [default: half of the cores at hand, rounded up]",
)
@click.option(
    "--role",
    type=click.Choice(["all", "intake", "delivery"]),
    default="all",
    show_default=True,
    help="Only the doors, only the delivery, or both.",
)
@click.option(
    "--health-port",
    type=click.IntRange(0, 65535),
    help="Another than the settings file names: two roles on one machine have one each.",
)
@click.option("--worker", is_flag=True, hidden=True)
def serve(config: Path, processes: int | None, role: Role, health_port: int | None, worker: bool) -> None:
    """Run the gateway: the door for providers and agencies, and the delivery, in one process tree.

    Stops on SIGTERM or Ctrl-C: takes nothing new in, finishes what was begun, releases its leases. Logs go to
    standard error, as JSON lines unless that is a terminal.
    """
    configure_logging()
    settings = settings_of(config)
    if health_port is not None:
        settings = replace(settings, door=replace(settings.door, health_port=health_port))
    processes = 1 if worker else processes or half_of_the_cores()
    if processes > 1:
        command = [
            sys.executable,
            "-m",
            "gateway.cli",
            "serve",
            "--config",
            str(config),
            "--role",
            role,
            "--store",
            settings.store,
            "--health-port",
            str(settings.door.health_port),
            "--worker",
        ]
        _require_free_ports(settings, role)
        with tempfile.TemporaryDirectory(prefix="efile-metrics-") as shared:
            os.environ.setdefault(SHARED, shared)  # the workers count together
            raise click.exceptions.Exit(supervise(command, processes, _STOP_SECONDS))
    _one_malloc_arena()
    raise click.exceptions.Exit(uvloop.run(_serve(settings, role, worker)))


def half_of_the_cores() -> int:
    """Rounded up: the others are left to check threads, the database, and whatever else the machine does."""
    return (len(os.sched_getaffinity(0)) + 1) // 2


def _one_malloc_arena() -> None:
    """One heap for all threads: glibc's heap per thread is trimmed and faulted in again with every parsed tree."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _leave_what_stays() -> None:
    """The garbage collector walks over what requests leave behind, not over the catalogue and the trusted certificates
    too: some 270,000 objects, for which the event loop would stand still for a fifth of a second and more."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


def _require_free_ports(settings: Settings, role: Role) -> None:
    """Workers share their ports with whoever listens there too: another gateway must be noticed before.

    The workers of one that has just been killed are given a moment to go. Raises ConfigurationError.
    """
    door = settings.door
    wanted = [(door.host, door.port)] if role != "delivery" else []
    if settings.admin is not None and role != "delivery":
        wanted.append((settings.admin.host, settings.admin.port))
    for host, port in [*wanted, ("127.0.0.1", door.health_port)]:
        deadline = time.monotonic() + _PORT_SECONDS
        while port:
            try:
                family = socket.AF_INET6 if ":" in host else socket.AF_INET
                socket.create_server((host, port), family=family).close()
                break
            except OSError as error:
                if time.monotonic() > deadline:
                    raise ConfigurationError([f"{host}:{port}: {error.strerror or error}"]) from error
                time.sleep(0.2)


async def _serve(settings: Settings, role: Role, worker: bool) -> int:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    failed: list[bool] = []

    def fatal() -> None:
        failed.append(True)
        stop.set()

    def orphaned() -> None:
        """Standard input is readable only by its end: the supervisor is gone."""
        loop.remove_reader(sys.stdin.fileno())
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if worker:
        loop.add_reader(sys.stdin.fileno(), orphaned)

    def prepared(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()):
            log.critical("forms-unusable", error=repr(error))
            fatal()

    async with running(settings, role=role, on_fatal=fatal, share_ports=worker) as gateway:
        _leave_what_stays()
        preparing = asyncio.create_task(_prepare_forms(gateway.catalogue))
        preparing.add_done_callback(prepared)
        beating = asyncio.create_task(_beat(sys.stdin.fileno())) if worker else None
        await stop.wait()
        preparing.cancel()
    if beating is not None:
        beating.cancel()
    return 1 if failed else 0


async def _prepare_forms(catalogue: Callable[[], Catalogue]) -> None:
    """Load the forms that nobody has filed yet, with pauses: each takes a turn of some 30 ms from those who file."""
    while await asyncio.to_thread(catalogue().prepare_one):  # noqa: ASYNC110 - each turn loads a form
        await asyncio.sleep(_FORM_PAUSE_SECONDS)
    _leave_what_stays()


async def _beat(line: int) -> None:
    """Tell the supervisor that the event loop turns, until the process ends."""
    os.set_blocking(line, False)
    while True:
        with contextlib.suppress(OSError):
            os.write(line, b".")
        await asyncio.sleep(BEAT_SECONDS)
