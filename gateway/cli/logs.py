"""Where the log goes: structured lines on standard error; no document contents, no secrets."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from typing_extensions import Buffer


def configure_logging() -> None:
    """JSON lines, or words where standard error is a terminal."""
    terminal = sys.stderr.isatty()
    raw = _StandardError(sys.stderr.fileno(), "w", closefd=False)
    lines = io.TextIOWrapper(raw, "utf-8", "backslashreplace", write_through=True)
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
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )
    logging.getLogger("aiohttp.server").handlers = [_ProtocolFaults()]
    logging.getLogger("aiohttp.server").propagate = False


class _StandardError(io.FileIO):
    """Drops what cannot be written (a full disk, a collector that is gone): no filing may wait for a log line."""

    def write(self, octets: Buffer) -> int:
        """All of it or what can be; unbuffered, so that nothing is left over to fail later."""
        left = memoryview(octets)
        with suppress(OSError):
            while left:
                left = left[os.write(self.fileno(), left) :]
        return len(memoryview(octets))


class _ProtocolFaults(logging.Handler):
    """What clients do wrong below HTTP requests, one line each; a traceback tells nothing about our code."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        reason = f"{type(error).__name__}: {error}" if error else record.getMessage()
        structlog.get_logger("api").warning("bad-request", reason=reason.splitlines()[0][:200])
