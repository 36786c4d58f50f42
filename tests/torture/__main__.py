"""`make torture`: the fault table, then TORTURE_SECONDS (600) shared by all scenes, or by those in TORTURE_SCENES."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.postgres import Cluster
from tests.torture import faults
from tests.torture.scenes import SCENES
from tests.torture.torture import torture


def main() -> int:
    """The last line is `lost N, doubled N`; 1 where either is not 0, a row of the fault table is wrong, or a harm was
    never shown to have happened."""
    names = os.environ.get("TORTURE_SCENES", ",".join(SCENES)).split(",")
    seconds = float(os.environ.get("TORTURE_SECONDS", "600")) / len(names)
    bad = sum(_fault_table(engine) for engine in ("sqlite", "postgresql") if engine in names)
    lost = doubled = 0
    for name in names:
        result = asyncio.run(torture(name, seconds))
        print(*result.lines(), "", sep="\n", flush=True)
        for what, numbers in (("lost", result.lost), ("doubled", result.doubled)):
            for number in numbers:
                print(f"{name}: {what} {number}")
        lost, doubled = lost + len(result.lost), doubled + len(result.doubled)
        bad += len(result.never)
    print(f"lost {lost}, doubled {doubled}")
    return int(bool(lost or doubled or bad))


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
