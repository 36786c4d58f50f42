"""Runs the gateway as an operator does, and senders that file as fast as they are answered."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import IO

import aiohttp

from benchmarks.documents import Corpus
from gateway.development import Installation

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cell:
    """One measurement."""

    name: str
    processes: int
    senders: int


@dataclass(frozen=True, slots=True)
class Result:
    """`rate` in filings/s answered; latencies as the senders see them; CPU of the gateway alone, per filing."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float


async def measure(made: Installation, corpus: Corpus, cell: Cell, seconds: float) -> Result:
    """Start everything anew, warm up, measure, stop."""
    for file in (made.directory / "store").glob("*"):
        file.unlink()
    command = ["-m", "gateway.cli", "serve", "--config", str(made.settings), "--role", "intake"]
    with (
        process("-m", "adapters.simulator", *made.simulator_command()),
        process(*command, "--processes", str(cell.processes)) as gateway,
    ):
        await ready(made.ports.health, cell.processes)
        await at_rest(gateway.pid)
        sender = Sender(made, corpus)
        await sender.run(cell.senders, min(3.0, seconds / 3))
        sender.latencies.clear()
        before, start = cpu_seconds(gateway.pid), time.monotonic()
        await sender.run(cell.senders, seconds)
        elapsed = time.monotonic() - start
        spent = cpu_seconds(gateway.pid) - before
    filed = len(sender.latencies)
    cuts = statistics.quantiles(sender.latencies, n=100)
    return Result(filed / elapsed, cuts[49] * 1000, cuts[98] * 1000, spent / filed * 1000)


class Sender:
    """A T-VAN's machine: mTLS connections kept alive, one filing after another on each."""

    def __init__(self, made: Installation, corpus: Corpus) -> None:
        beta = made.pki["provider-b"]
        self._tls = ssl.create_default_context(cafile=str(made.pki.tls_ca))
        self._tls.load_cert_chain(beta.certificate, beta.key)
        self._url = f"https://localhost:{made.ports.door}/v1/filings"
        self._documents = corpus.documents
        self._numbers = count()
        self.latencies: list[float] = []
        self.busy = 0

    async def run(self, senders: int, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls, limit=senders)
        ) as session:
            await asyncio.gather(*(self._send_until(session, deadline) for _ in range(senders)))

    async def _send_until(self, session: aiohttp.ClientSession, deadline: float) -> None:
        while time.monotonic() < deadline:
            await self._send(session, time.monotonic())

    async def _send(self, session: aiohttp.ClientSession, start: float) -> None:
        octets = self._distinct(next(self._numbers))
        async with session.post(
            self._url, data=octets, headers={"Content-Type": "application/xml"}
        ) as answer:
            await answer.read()
            if answer.status == 503:  # full: the sender comes again, and somebody else waits no longer for it
                self.busy += 1
                return
            if answer.status != 201:
                raise AssertionError(f"HTTP {answer.status}: {await answer.text()}")
        self.latencies.append(time.monotonic() - start)

    async def run_at(self, rate: float, seconds: float, connections: int) -> None:
        """File so many a second, whether answers come or not; latencies count from when each was due to be sent."""
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=connections)
        async with aiohttp.ClientSession(connector=connector) as session:
            await asyncio.gather(*(self._connect(session) for _ in range(connections // 4)))
            start = time.monotonic()
            async with asyncio.TaskGroup() as sending:
                for n in range(int(rate * seconds)):
                    due = start + n / rate
                    await asyncio.sleep(max(0.0, due - time.monotonic()))
                    sending.create_task(self._send(session, due))

    async def _connect(self, session: aiohttp.ClientSession) -> None:
        """A connection that is there before it is needed, as a T-VAN's is."""
        async with session.get(self._url.removesuffix("/v1/filings") + "/healthz") as answer:
            await answer.read()

    def _distinct(self, number: int) -> bytes:
        """White space after the root makes the bytes, and so the filing, another one; the signature still holds."""
        document = self._documents[number % len(self._documents)]
        return document + bytes(b" \n"[number >> bit & 1] for bit in range(24))


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Stopped at the end; what it logged is kept for nothing but a failure, and then told."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log)
        whole = False
        try:
            yield process
            whole = True
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
            if not whole:
                _tell_errors(log)


def _tell_errors(log: IO[bytes]) -> None:
    log.seek(0)
    errors = deque((line for line in log if b'"info"' not in line), maxlen=20)
    sys.stderr.writelines(line.decode(errors="replace")[:4000] + "\n" for line in errors)


async def ready(port: int, processes: int) -> None:
    """Until all processes listen: connections made before would all be the first one's."""
    for _ in range(1200):
        with contextlib.suppress(aiohttp.ClientError):
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"http://127.0.0.1:{port}/readyz") as answer,
            ):
                if answer.status == 200 and _listening(port) == processes:
                    return
        await asyncio.sleep(0.05)
    raise AssertionError("the gateway did not get ready")


async def at_rest(pid: int) -> None:
    """Until it has done what its start leaves for later (forms are loaded beside), for ten seconds at most."""
    before = cpu_seconds(pid)
    for _ in range(20):
        await asyncio.sleep(0.5)
        spent, before = cpu_seconds(pid) - before, cpu_seconds(pid)
        if spent < 0.05:
            return


def _listening(port: int) -> int:
    """How many sockets listen on an IPv4 port of this machine (proc_net_tcp(5): state 0A)."""
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    return sum(
        fields[1].endswith(f":{port:04X}") and fields[3] == "0A"
        for fields in (line.split() for line in lines)
    )


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and its children."""
    total = 0.0
    for child in [pid, *descendants(pid)]:
        with contextlib.suppress(FileNotFoundError):
            fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


def resident_bytes(pid: int) -> int:
    """Memory of a process and its children that no other shares (USS)."""
    total = 0
    for child in [pid, *descendants(pid)]:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            lines = Path(f"/proc/{child}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total * 1024


def descendants(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return children + [grandchild for child in children for grandchild in descendants(child)]
    return []
