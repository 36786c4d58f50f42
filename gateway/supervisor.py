"""Keeps a number of worker processes running; one that dies or hangs is replaced, with growing delays."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

import structlog

log = structlog.get_logger("supervisor")

BEAT_SECONDS = 1.0
UNFIT = 2
"""The exit code of a worker that finds the installation wrong."""

_CALM_SECONDS = 30.0
_HUNG_SECONDS = 30.0
_MOST_DELAY = 30.0
_LOOK_SECONDS = 0.2


@dataclass
class _Slot:
    """A place for one worker. `beat`: when it last said that it lives; None until it is ready."""

    process: subprocess.Popen[bytes]
    line: socket.socket
    started: float
    beat: float | None = None
    failures: int = 0
    not_before: float = 0.0


def supervise(command: Sequence[str], processes: int, stop_seconds: float) -> int:
    """Run `processes` copies of `command` until SIGTERM or SIGINT; then stop them gently, at last firmly.

    Each worker's standard input is a socket. It closes when this process ends, however it ends: no worker outlives
    its supervisor. Once ready, the worker sends a byte over it every BEAT_SECONDS; the first one must, before the
    others are started. Answers the exit code: 0; 1 where a worker had to be killed; UNFIT where the first worker
    ended so before it was ever ready.
    """
    stopping: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopping.append(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    slots = [_start(command)]
    looked = time.monotonic()
    fit = False
    while not stopping:
        time.sleep(_LOOK_SECONDS)
        paused, looked = time.monotonic() - looked > _HUNG_SECONDS / 2, time.monotonic()
        for slot in slots:
            _listen(slot, paused)
        if not fit and slots[0].process.poll() == UNFIT:
            return UNFIT
        if not fit and slots[0].beat is not None:
            fit = True
            slots += [_start(command) for _ in range(processes - 1)]
        for slot in slots:
            _revive(slot, command)
    return _stop_all(slots, stop_seconds)


def _start(command: Sequence[str]) -> _Slot:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    try:
        process = subprocess.Popen(command, stdin=theirs.fileno(), start_new_session=True)  # noqa: S603 - our own
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return _Slot(process, ours, time.monotonic())


def _listen(slot: _Slot, paused: bool) -> None:
    """Note the worker's beats; kill it where they have stopped. `paused`: it was we who did not look for long."""
    with suppress(OSError):
        if slot.line.recv(4096):
            slot.beat = time.monotonic()
    if slot.beat is None or slot.process.poll() is not None:
        return
    if paused:
        slot.beat = time.monotonic()
    elif time.monotonic() - slot.beat > _HUNG_SECONDS:
        slot.process.kill()
        slot.process.wait()
        log.error("worker-hung", pid=slot.process.pid, seconds=_HUNG_SECONDS)


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
            new = _start(command)
        except OSError:  # no memory or no process left: the others go on, this one waits
            slot.not_before = now + _MOST_DELAY
            log.exception("worker-not-started", restart_in=_MOST_DELAY)
            return
        slot.line.close()
        slot.process, slot.line, slot.started = new.process, new.line, new.started
        slot.beat, slot.not_before = None, 0.0


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
