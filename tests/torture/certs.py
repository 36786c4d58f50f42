"""`make torture-certs`: TORTURE_SECONDS (120) of exchanges under load, on one machine and on two nodes."""

from __future__ import annotations

import asyncio
import os
import sys

from tests.torture.rotation import rotate


def main() -> int:
    """The last line is `failed N, unverifiable N`; 1 where either is not 0."""
    seconds = float(os.environ.get("TORTURE_SECONDS", "120")) / 2
    failed = unverifiable = 0
    for nodes in (1, 2):
        result = asyncio.run(rotate(seconds, nodes=nodes))
        print(*result.lines(), sep="\n", flush=True)
        failed, unverifiable = failed + len(result.failed), unverifiable + len(result.unverifiable)
    print(f"failed {failed}, unverifiable {unverifiable}")
    return int(bool(failed or unverifiable))


if __name__ == "__main__":
    sys.exit(main())
