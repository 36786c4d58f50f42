"""efile serve: the gateway."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import signal
import sys
from pathlib import Path

import click
import structlog
import uvloop

from gateway.app import Role, running
from gateway.settings import Settings, load_settings
from gateway.supervisor import supervise

_STOP_SECONDS = 90.0
_M_ARENA_MAX = -8  # malloc.h


@click.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=Path("efile.toml"),
    show_default=True,
    help="The settings file.",
)
@click.option(
    "--processes", type=click.IntRange(1, 64), default=1, show_default=True, help="Worker processes."
)
@click.option(
    "--role",
    type=click.Choice(["all", "intake", "delivery"]),
    default="all",
    show_default=True,
    help="Only the doors, only the delivery, or both.",
)
@click.option("--worker", is_flag=True, hidden=True)
def serve(config: Path, processes: int, role: Role, worker: bool) -> None:
    """Run the gateway: the door for providers and agencies, and the delivery, in one process tree.

    Stops on SIGTERM or Ctrl-C: takes nothing new in, finishes what was begun, releases its leases. Logs go to
    standard error, as JSON lines unless that is a terminal.
    """
    configure_logging()
    settings = load_settings(config)
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
            "--worker",
        ]
        sys.exit(supervise(command, processes, _STOP_SECONDS))
    _one_malloc_arena()
    sys.exit(uvloop.run(_serve(settings, role, worker)))


def _one_malloc_arena() -> None:
    """One heap for all threads: glibc's heap per thread is trimmed and faulted in again with every parsed tree."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


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
    async with running(settings, role=role, on_fatal=fatal):
        await stop.wait()
    return 1 if failed else 0


def configure_logging() -> None:
    """Structured lines on standard error; no document contents, no secrets."""
    terminal = sys.stderr.isatty()
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("aiohttp.server").handlers = [_ProtocolFaults()]
    logging.getLogger("aiohttp.server").propagate = False


class _ProtocolFaults(logging.Handler):
    """What clients do wrong below HTTP requests, one line each; a traceback tells nothing about our code."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = f"{type(error).__name__}: {error}" if error else record.getMessage()
        structlog.get_logger("api").warning("bad-request", reason=reason.splitlines()[0][:200])
