"""`python -m benchmarks.gateway`: filings taken in and carried to the agency, by engine, processes, size and backlog.

FULL=1 measures all cells, and memory over ten minutes; BENCH_SECONDS sets how long a cell takes (30).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import statistics
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import aiohttp
import asyncpg

from benchmarks.backlog import fill
from benchmarks.documents import Corpus, make_corpus
from benchmarks.load import Sender, at_rest, cpu_seconds, process, ready, resident_bytes
from gateway.development import Installation, Ports, install
from tests.postgres import Cluster, drop_database, empty_database

SECONDS = float(os.environ.get("BENCH_SECONDS", "30"))
POSTGRES = next(Path("/usr/lib/postgresql").glob("*/bin/postgres"), None)
_LONG_SECONDS = 600.0
_CONNECTIONS = {5: 32, 20: 32, 1000: 8}
_DOCUMENTS = {5: 600, 20: 1500, 1000: 24}
_LAG = re.compile(r'^efile_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)
_TAKEN = re.compile(r'^efile_attempts_total\{agency="tax",result="taken"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class GatewayCell:
    """One measurement: `size` in thousands of octets, `backlog` in filings that wait already."""

    engine: str
    processes: int = 2
    size: int = 20
    backlog: int = 0
    seconds: float = SECONDS


@dataclass(frozen=True, slots=True)
class Measured:
    """Filings/s answered and handed over at full load, and then at 80 % of it: what senders and the loop feel.

    `memory`: in octets, each second of both. `refused`: answered 503, at full load.
    """

    accepted: float
    delivered: float
    refused: int
    milliseconds: tuple[float, float, float]
    lag_ms: float
    cpu_ms: float
    memory: tuple[int, ...]


def main_cells() -> list[GatewayCell]:
    """What `make bench` measures."""
    both = ("sqlite", "postgresql")
    return [
        *(GatewayCell(engine, processes) for engine in both for processes in (1, 2)),
        GatewayCell("sqlite", size=5),
        GatewayCell("sqlite", size=1000),
        *(GatewayCell(engine, backlog=100_000) for engine in both),
    ]


def all_cells() -> list[GatewayCell]:
    """And what `FULL=1` does; at last, memory over ten minutes."""
    return [
        *(
            GatewayCell(engine, processes, size, backlog)
            for engine in ("sqlite", "postgresql")
            for processes in (1, 2)
            for size in (5, 20, 1000)
            for backlog in (0, 100_000, 1_000_000)
        ),
        *(GatewayCell(engine, seconds=max(SECONDS, _LONG_SECONDS)) for engine in ("sqlite", "postgresql")),
    ]


def print_gateway(made: Installation, corpus: Corpus | None = None) -> None:
    """Measure and print the table; `corpus`: of 20 KB, where there is one already."""
    cells = all_cells() if os.environ.get("FULL") else main_cells()
    corpora = {20: corpus} if corpus is not None else {}
    print(
        f"\n{'gateway':12} {'procs':>5} {'KB':>5} {'backlog':>8} {'accepted/s':>10} {'delivered/s':>11} {'503':>5}"
        f" {'p50 ms':>7} {'p99 ms':>7} {'p99.9 ms':>8} {'loop p99 ms':>11} {'CPU ms':>7} {'MB':>9}"
    )
    if POSTGRES is None:
        print("!!! MISSING: PostgreSQL (sh tests/tools.sh postgres); its cells are left out")
        cells = [cell for cell in cells if cell.engine == "sqlite"]
    _let_deliveries_run(made)
    with _server(cells) as server:
        for cell in cells:
            if cell.size not in corpora:
                corpora[cell.size] = make_corpus(made.pki, count=_DOCUMENTS[cell.size], size=cell.size * 1000)
            got = _in_a_fresh_store(made, corpora[cell.size], cell, server)
            p50, p99, p999 = got.milliseconds
            memory = [octets // 1_000_000 for octets in got.memory]
            print(
                f"{cell.engine:12} {cell.processes:5} {cell.size:5} {cell.backlog:8} {got.accepted:10.0f} "
                f"{got.delivered:11.0f} {got.refused:5} {p50:7.1f} {p99:7.1f} {p999:8.1f} {got.lag_ms:11.1f} "
                f"{got.cpu_ms:7.2f} {memory[0]:4}→{memory[-1]:<4}",
                flush=True,
            )
            if cell.seconds >= _LONG_SECONDS:
                each = [memory[n] for n in range(0, len(memory), 60)]
                print(f"{'':12} MB each minute: {' '.join(map(str, each))}")
    print(
        "accepted/s, delivered/s, 503, CPU ms a filing: as fast as the senders are answered. Then at 80 % of it, by "
        "the clock: what a sender waits since it was due to send, and the event loop's lag (the upper bound of its "
        "bucket). MB: memory that the gateway's processes share with nobody, at the beginning and at the end."
    )


def _let_deliveries_run(made: Installation) -> None:
    """As an operator with an agency that can take them: 128 calls at once, and as many under way in each process."""
    text = made.settings.read_text(encoding="utf-8")
    for old, more in (
        ("[delivery]\n", "in_flight = 128\n"),
        ("poll_seconds = 2.0\n", "max_in_flight = 128\n"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, old + more)
    made.settings.write_text(text, encoding="utf-8")


@contextmanager
def _server(cells: list[GatewayCell]) -> Iterator[str | None]:
    """The URL of a PostgreSQL of this run's own; None where no cell needs one."""
    if all(cell.engine == "sqlite" for cell in cells):
        yield None
        return
    with Cluster.made("shared_buffers=256MB", "max_wal_size=4GB") as cluster:
        yield cluster.url


def _in_a_fresh_store(made: Installation, corpus: Corpus, cell: GatewayCell, server: str | None) -> Measured:
    """Copied from one that was filled once."""
    if cell.engine == "sqlite":
        filled = made.directory / f"filled-{cell.backlog}.sqlite"
        if not filled.exists():
            fill(str(filled), cell.backlog)
        folder = made.directory / "store"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        place = shutil.copy(filled, folder / "efile.sqlite")
        return asyncio.run(_measure(made, corpus, cell, str(place)))
    assert server is not None
    place = asyncio.run(_database(server, cell.backlog))
    try:
        return asyncio.run(_measure(made, corpus, cell, place))
    finally:
        asyncio.run(drop_database(server, place))


async def _database(server: str, backlog: int) -> str:
    filled = f"filled_{backlog}"
    connection = await asyncpg.connect(server)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", filled):
            await connection.execute(f"CREATE DATABASE {filled}")
            url = urlunsplit(urlsplit(server)._replace(path=f"/{filled}"))
            await asyncio.to_thread(fill, url, backlog)
        return await empty_database(server, connection, filled)
    finally:
        await connection.close()


async def _measure(made: Installation, corpus: Corpus, cell: GatewayCell, place: str) -> Measured:
    """Warm up, as fast as can be for half of the time, then 80 % of that for the other half."""
    command = ["-m", "gateway.cli", "serve", "--config", str(made.settings), "--store", place]
    half, connections = cell.seconds / 2, _CONNECTIONS[cell.size]
    (made.directory / "agency-books.jsonl").unlink(missing_ok=True)  # else it calls back about another store
    with (
        process("-m", "adapters.simulator", *made.simulator_command()),
        process(*command, "--processes", str(cell.processes)) as gateway,
    ):
        await ready(made.ports.health, cell.processes)
        await at_rest(gateway.pid)
        sender = Sender(made, corpus)
        await sender.run(connections, min(3.0, half / 3))
        async with _remembering(gateway.pid) as memory:
            sender.latencies.clear()
            sender.busy = 0
            spent, taken = cpu_seconds(gateway.pid), await _taken(made)
            await sender.run(connections, half)
            filed, refused = len(sender.latencies), sender.busy
            spent, taken = cpu_seconds(gateway.pid) - spent, await _taken(made) - taken
            await asyncio.sleep(min(2.0, half / 3))  # what waits goes on
            sender.latencies.clear()
            lag = await _lag(made)
            await sender.run_at(0.8 * filed / half, half, 4 * connections)
            lag_ms = _quantile(lag, await _lag(made), 0.99) * 1000
    cuts = statistics.quantiles(sender.latencies, n=1000)
    p50, p99, p999 = (cuts[n] * 1000 for n in (499, 989, 998))
    return Measured(
        filed / half, taken / half, refused, (p50, p99, p999), lag_ms, spent / filed * 1000, tuple(memory)
    )


@asynccontextmanager
async def _remembering(pid: int) -> AsyncIterator[list[int]]:
    """Memory, each second until the block is left."""
    seen = [resident_bytes(pid)]

    async def look() -> None:
        while True:
            await asyncio.sleep(1.0)
            seen.append(resident_bytes(pid))

    looking = asyncio.create_task(look())
    try:
        yield seen
    finally:
        looking.cancel()
        with suppress(asyncio.CancelledError):
            await looking


async def _metrics(made: Installation) -> str:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{made.ports.health}/metrics") as answer,
    ):
        return await answer.text()


async def _taken(made: Installation) -> float:
    """Filings that the agency has taken over, all processes together."""
    return sum(float(value) for value in _TAKEN.findall(await _metrics(made)))


async def _lag(made: Installation) -> dict[float, float]:
    """Looks at the event loop by the upper bounds of their lag (seconds), counted up."""
    return {float(bound): float(count) for bound, count in _LAG.findall(await _metrics(made))}


def _quantile(before: dict[float, float], after: dict[float, float], share: float) -> float:
    """The upper bound of the bucket in which it lies."""
    counted = {bound: count - before.get(bound, 0.0) for bound, count in after.items()}
    return min(bound for bound, count in counted.items() if count >= share * counted[float("inf")])


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="efile-bench-") as name:
        print_gateway(install(Path(name), at=datetime.now(UTC), ports=Ports()))


if __name__ == "__main__":
    main()
