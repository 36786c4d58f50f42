"""Every write point × {failed, failed but written, killed before, killed after} × restart: nothing lost or doubled."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.filing.status import Status
from gateway.store.opening import open_store
from tests.gateway.builders import AT
from tests.torture.faulty_node import MODES

ROOT = Path(__file__).resolve().parents[2]
POINTS = {
    "record": "add:1",
    "claim": "claim_due:1",
    "route": "record_outcome:1",
    "attempt": "record_outcome:2",
    "verdict and notice": "record_outcome:3",
    "audit": "hold_agency:1",
}


def node(place: str, home: Path, fault: str = "") -> int:
    """Run it to its end; its exit code."""
    command = [sys.executable, "-m", "tests.torture.faulty_node", place, str(home), fault]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr[-3000:]
    return done.returncode


@pytest.mark.timeout(600)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", POINTS)
async def test_a_fault_at_a_write_loses_and_doubles_nothing(
    place: str, tmp_path: Path, point: str, mode: str
) -> None:
    code = await asyncio.to_thread(node, place, tmp_path, f"{POINTS[point]}:{mode}")
    assert (code != 0) is mode.startswith("killed"), "the fault happened"
    if code != 0:
        assert await asyncio.to_thread(node, place, tmp_path) == 0
    number = (tmp_path / "acknowledged").read_text()
    store = await open_store(place, lambda: AT)
    try:
        read = store._driver.read
        assert [row[0] for row in await read("SELECT number FROM filing")] == [number]
        filing = await store.filing(number)
        assert filing is not None
        assert filing.status is Status.ACCEPTED
        assert set((tmp_path / "books").read_text().splitlines()) == {number}, (
            "one filing, by the agency's count"
        )
        names = [event.name for event in await store.events(number)]
        assert [names.count(name) for name in ("acknowledged", "routed", "delivered", "accepted")] == [
            1,
            1,
            1,
            1,
        ]
        kinds = [row[0] for row in await read("SELECT kind FROM notice ORDER BY kind")]
        assert kinds == ["receipt", "verdict"]
        assert await store.queue_length(9) == 0
        acts = [row[0] for row in await read("SELECT act FROM audit ORDER BY seq")]
        assert acts.count("agency.hold") == 1
    finally:
        await store.close()
