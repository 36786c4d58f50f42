"""`make torture`: TORTURE_SECONDS (600) shared by both engines, or by those in TORTURE_ENGINES (sqlite,postgresql)."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.torture.torture import torture


def main() -> int:
    """The last line is `lost N, doubled N`; 1 where either is not 0."""
    engines = os.environ.get("TORTURE_ENGINES", "sqlite,postgresql").split(",")
    seconds = float(os.environ.get("TORTURE_SECONDS", "600")) / len(engines)
    lost = doubled = 0
    for engine in engines:
        result = asyncio.run(torture(seconds, postgres=engine == "postgresql"))
        print(*result.lines(), sep="\n", flush=True)
        for name, numbers in (("lost", result.lost), ("doubled", result.doubled)):
            for number in numbers:
                print(f"{engine}: {name} {number}")
        lost, doubled = lost + len(result.lost), doubled + len(result.doubled)
    print(f"lost {lost}, doubled {doubled}")
    return int(bool(lost or doubled))


if __name__ == "__main__":
    sys.exit(main())
