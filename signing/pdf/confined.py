"""Reading PDF files in a process of its own, under limits on CPU time and memory (see `signing.pdf.child`).

The process starts with the first file and lives as long as its parent; threads that read at once have one each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from threading import Lock
from typing import Any

from signing.pdf.wire import LENGTH

MAX_PDF_BYTES = 64 << 20
MAX_ANSWER_BYTES = 256 << 20


class PdfUnreadable(Exception):
    """The file cannot be read as a PDF; the text says why. `limit`: reading it took too much time or memory."""

    def __init__(self, detail: str, *, limit: bool = False) -> None:
        self.limit = limit
        super().__init__(detail)


def read_confined(data: bytes) -> dict[str, Any]:
    """The facts of a PDF, as `signing.pdf.reading.read_pdf` tells them. Raises PdfUnreadable."""
    if len(data) > MAX_PDF_BYTES:
        raise PdfUnreadable(f"{len(data)} octets, at most {MAX_PDF_BYTES} are taken", limit=True)
    reader = _borrow()
    try:
        answer = _ask(reader, data)
    except (OSError, ValueError, EOFError) as error:
        reader.kill()
        reader.wait()
        raise PdfUnreadable(f"the reading process failed: {error}", limit=True) from None
    _give_back(reader)
    if "limit" in answer:
        raise PdfUnreadable(str(answer["limit"]), limit=True)
    if "fault" in answer:
        raise PdfUnreadable(str(answer["fault"]))
    return answer


def _ask(reader: subprocess.Popen[bytes], data: bytes) -> dict[str, Any]:
    assert reader.stdin is not None
    assert reader.stdout is not None
    reader.stdin.write(LENGTH.pack(len(data)))
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
