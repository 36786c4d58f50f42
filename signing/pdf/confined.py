"""Reading PDF files in a process of its own, under limits on CPU time and memory (see `signing.pdf.child`).

The process starts with the first file and lives as long as its parent; threads that read at once have one each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from threading import Lock, Timer
from typing import Any

from signing.pdf.wire import LENGTH, REQUEST, WALL_SECONDS
from signing.report import Check, CheckFailed, failed

MAX_PDF_BYTES = 64 << 20
MAX_ANSWER_BYTES = 64 << 20
HANGS_SECONDS = 30.0
"""Beyond the time for a file: a reading process that is silent for so long, be it at its start, is ended."""


def read_confined(data: bytes, seconds: float = WALL_SECONDS) -> dict[str, Any]:
    """The facts of a PDF, as `signing.pdf.reading.read_pdf` tells them; `seconds` by the clock, WALL_SECONDS at most.

    Raises CheckFailed. `pdf.reader` is no fault of the file: too long by the clock, or the reading process failed.
    """
    if len(data) > MAX_PDF_BYTES:
        raise CheckFailed(failed("pdf.work", detail=f"{len(data)} octets, at most {MAX_PDF_BYTES} are taken"))
    seconds = min(seconds, WALL_SECONDS)
    try:
        reader = _borrow()
    except OSError as error:
        raise CheckFailed(failed("pdf.reader", detail=f"no reading process: {error}")) from None
    watch = Timer(seconds + HANGS_SECONDS, reader.kill)
    watch.daemon = True
    watch.start()
    try:
        answer = _ask(reader, data, seconds)
    except (OSError, ValueError, EOFError) as error:
        reader.kill()
        reader.wait()
        raise CheckFailed(failed("pdf.reader", detail=f"the reading process failed: {error}")) from None
    finally:
        watch.cancel()
    _give_back(reader)
    if (check := _unread(answer)) is not None:
        raise CheckFailed(check)
    return answer


def _unread(answer: dict[str, Any]) -> Check | None:
    """What the child answers instead of facts, as the check that fails by it."""
    if "fault" in answer:
        return failed("pdf.structure", detail=str(answer["fault"]))
    if "limit" in answer:
        return failed("pdf.work", detail=str(answer["limit"]))
    if "late" in answer:
        return failed("pdf.reader", detail=str(answer["late"]))
    if "locked" in answer:
        return failed("pdf.encrypted", detail=str(answer["locked"]))
    return None


def _ask(reader: subprocess.Popen[bytes], data: bytes, seconds: float) -> dict[str, Any]:
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(REQUEST.pack(len(data), seconds))
    reader.stdin.write(data)
    reader.stdin.flush()
    header = reader.stdout.read(LENGTH.size)
    if len(header) != LENGTH.size:
        raise EOFError("no answer")
    size = LENGTH.unpack(header)[0]
    if size > MAX_ANSWER_BYTES:
        raise ValueError(f"an answer of {size} octets")
    answer: dict[str, Any] = json.loads(reader.stdout.read(size))
    return answer


_lock = Lock()
_idle: list[subprocess.Popen[bytes]] = []


def _borrow() -> subprocess.Popen[bytes]:
    with _lock:
        while _idle:
            reader = _idle.pop()
            if reader.poll() is None:
                return reader
    path = os.pathsep.join(each for each in sys.path if each)
    return subprocess.Popen(
        [sys.executable, "-m", "signing.pdf.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PYTHONPATH": path, "PATH": os.defpath},
    )


def _give_back(reader: subprocess.Popen[bytes]) -> None:
    with _lock:
        _idle.append(reader)


def _forget() -> None:
    """After a fork the processes are the parent's: two that write to one pipe would mix their files."""
    global _lock  # noqa: PLW0603
    _lock = Lock()
    _idle.clear()


os.register_at_fork(after_in_child=_forget)
