"""`make bench`: the gateway through mTLS keep-alive with durable commits, beside the libraries' floor, in one run.

make bench                        the main cells, under ten minutes
FULL=1 make bench                 all of the gateway's: engines, processes, sizes, backlogs, memory over ten minutes
BENCH_SECONDS=5 make bench        shorter cells
python -m benchmarks.gateway      the gateway alone
python -m benchmarks.signature    verification alone, beside its peers
python -m benchmarks.validation   XSD and rules alone, beside xmlschema
BENCH_PROFILE=1 make bench        with cProfile of the check path (not for figures)
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.documents import Corpus, make_corpus
from benchmarks.floor import floor_cpu_seconds
from benchmarks.gateway import print_gateway
from benchmarks.load import Cell, measure
from benchmarks.signature import main as print_signature
from benchmarks.stages import print_stages
from benchmarks.validation import main as print_validation
from gateway.development import Ports, install

SECONDS = float(os.environ.get("BENCH_SECONDS", "10"))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="efile-bench-") as name:
        directory = Path(name)
        made = install(directory, at=datetime.now(UTC), ports=Ports())
        print(
            f"python {sys.version.split()[0]}, {os.cpu_count()} cores, cells of {SECONDS:.0f} s, one declaration "
            "of about 20 KB, RSA-2048, every document signed by another taxpayer unless said"
        )
        corpus = make_corpus(made.pki, count=1500, size=20_000)
        floor = _floor(corpus)
        print_stages(made.pki, corpus)
        print_signature()
        print_validation()
        print(f"\n{'cell':44} {'filings/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms':>8} {'× floor':>8}")
        for cell in cells():
            result = asyncio.run(measure(made, corpus, cell, SECONDS))
            print(
                f"{cell.name:44} {result.rate:9.0f} {result.p50_ms:8.1f} {result.p99_ms:8.1f} "
                f"{result.cpu_ms:8.2f} {result.cpu_ms / floor:8.2f}"
            )
        print(
            "\nCPU ms: of the gateway's processes, per filing taken in; the load generator and the simulated "
            "authority run beside it on the same cores."
        )
        print_gateway(made, corpus)


def cells() -> list[Cell]:
    """What is measured."""
    return [
        Cell("intake, 1 process, 1 sender", processes=1, senders=1),
        Cell("intake, 1 process, 16 senders", processes=1, senders=16),
        Cell("intake, 2 processes, 16 senders", processes=2, senders=16),
    ]


def _floor(corpus: Corpus) -> float:
    runs = [floor_cpu_seconds(corpus.floor, corpus.schema) / len(corpus.floor) * 1000 for _ in range(3)]
    floor = min(runs)
    print(f"floor (parse, XSD, C14N, SHA-256, RSA verify; bare loop, one core): {floor:.3f} ms a filing")
    return floor


main()
