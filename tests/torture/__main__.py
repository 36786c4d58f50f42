"""`make torture`: the fault table, then TORTURE_SECONDS (600) shared by both engines, or those in TORTURE_ENGINES."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.postgres import Cluster
from tests.torture import faults
from tests.torture.torture import torture


def main() -> int:
    """The last line is `lost N, doubled N`; 1 where either is not 0, or a row of the fault table is wrong."""
    engines = os.environ.get("TORTURE_ENGINES", "sqlite,postgresql").split(",")
    seconds = float(os.environ.get("TORTURE_SECONDS", "600")) / len(engines)
    lost = doubled = 0
    wrong = sum([_fault_table(engine) for engine in engines])
    for engine in engines:
        result = asyncio.run(torture(seconds, postgres=engine == "postgresql"))
        print(*result.lines(), sep="\n", flush=True)
        for name, numbers in (("lost", result.lost), ("doubled", result.doubled)):
            for number in numbers:
                print(f"{engine}: {name} {number}")
        lost, doubled = lost + len(result.lost), doubled + len(result.doubled)
    print(f"lost {lost}, doubled {doubled}")
    return int(bool(lost or doubled or wrong))


def _fault_table(engine: str) -> int:
    """Print it; how many of its rows are wrong."""
    if engine == "postgresql":
        with Cluster.made() as cluster:
            rows = asyncio.run(faults.table(cluster))
    else:
        rows = asyncio.run(faults.table())
    print(*faults.lines(engine, rows), "", sep="\n", flush=True)
    return sum(bool(found.wrong) for _, _, found in rows)


if __name__ == "__main__":
    sys.exit(main())
