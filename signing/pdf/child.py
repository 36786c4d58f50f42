"""The process that reads PDF files for `signing.pdf.confined`; run as a module, it serves until its input ends.

It forks for every file: each is read under limits of its own, and nothing of one file is left for the next.
A request is 8 octets of length, 8 of seconds and the file; an answer is 8 octets of length and JSON.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
import warnings
from contextlib import suppress

from signing.pdf.reading import Locked, read_pdf
from signing.pdf.wire import LENGTH, REQUEST, WALL_SECONDS

CPU_SECONDS = 0.9
CPU_SECONDS_PER_MB = 0.1
MEMORY_BYTES = 180 << 20
"""Beside what the process has when it starts, and ten times the file."""


def serve() -> None:
    """Answer requests on standard input until it ends."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(2000)
    while header := _exactly(0, REQUEST.size):
        size, seconds = REQUEST.unpack(header)
        answer = _read_in_child(_exactly(0, size), seconds)
        _write(1, LENGTH.pack(len(answer)) + answer)


def _read_in_child(data: bytes, seconds: float = WALL_SECONDS) -> bytes:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            for descriptor in (reading, 0, 1):  # where this process is killed, nobody waits for the child
                os.close(descriptor)
            _confine(len(data), seconds)
            _write(writing, _answer(data))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM:
        return json.dumps({"late": f"more than {seconds:.1f} s"}).encode()
    if os.WIFSIGNALED(status):
        return json.dumps({"limit": f"signal {os.WTERMSIG(status)}"}).encode()
    return answer or json.dumps({"limit": "no answer"}).encode()


def _confine(size: int, wall_seconds: float) -> None:
    seconds = CPU_SECONDS + CPU_SECONDS_PER_MB * size / (1 << 20)
    with suppress(OSError, ValueError):
        pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: SIM115
        limit = pages * resource.getpagesize() + MEMORY_BYTES + 10 * size
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 2, int(seconds) + 2))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, min(wall_seconds, WALL_SECONDS)))  # 0 would be for ever


def _answer(data: bytes) -> bytes:
    try:
        return json.dumps(read_pdf(data)).encode()
    except Locked as error:
        return json.dumps({"locked": str(error)}).encode()
    except MemoryError:
        return b'{"limit": "memory"}'
    except (
        Exception
    ) as error:  # pyHanko raises several types on broken files; whatever it was, it is the answer
        return json.dumps({"fault": f"{type(error).__name__}: {error}"[:300]}).encode()


def _exactly(descriptor: int, size: int) -> bytes:
    parts = []
    while size > 0:
        part = os.read(descriptor, min(size, 1 << 20))
        if not part:
            return b""
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


if __name__ == "__main__":
    serve()
