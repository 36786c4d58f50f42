"""Keeps a number of worker processes running; a worker that dies is started again with growing delays."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

import structlog

log = structlog.get_logger("supervisor")

_CALM_SECONDS = 30.0
_MOST_DELAY = 30.0
_LOOK_SECONDS = 0.2


@dataclass
class _Slot:
    process: subprocess.Popen[bytes]
    started: float
    failures: int = 0
    not_before: float = field(default=0.0)


def supervise(command: Sequence[str], processes: int, stop_seconds: float) -> int:
    """Run `processes` copies of `command` until SIGTERM or SIGINT; then stop them gently, at last firmly.

    Each worker gets a pipe as standard input, which closes when this process ends, however it ends: no worker
    outlives its supervisor. Answers the exit code: 0, or 1 where a worker had to be killed.
    """
    stopping: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    slots = [_Slot(_start(command), time.monotonic()) for _ in range(processes)]
    while not stopping:
        time.sleep(_LOOK_SECONDS)
        for slot in slots:
            _revive(slot, command)
    return _stop_all(slots, stop_seconds)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - our own


def _revive(slot: _Slot, command: Sequence[str]) -> None:
    code = slot.process.poll()
    if code is None:
        return
    now = time.monotonic()
    if slot.not_before == 0.0:
        calm = now - slot.started > _CALM_SECONDS
        slot.failures = 1 if calm else slot.failures + 1
        delay = min(_MOST_DELAY, 0.5 * 2.0 ** (slot.failures - 1))
        slot.not_before = now + delay
        log.warning("worker-died", pid=slot.process.pid, code=code, restart_in=delay)
    if now >= slot.not_before:
        try:
            slot.process, slot.started, slot.not_before = _start(command), now, 0.0
        except OSError:  # no memory or no process left: the others go on, this one waits
            slot.not_before = now + _MOST_DELAY
            log.exception("worker-not-started", restart_in=_MOST_DELAY)


def _stop_all(slots: Sequence[_Slot], seconds: float) -> int:
    for slot in slots:
        if slot.process.poll() is None:
            slot.process.terminate()
    deadline = time.monotonic() + seconds
    killed = 0
    for slot in slots:
        try:
            slot.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            slot.process.kill()
            killed += 1
    return 1 if killed else 0
