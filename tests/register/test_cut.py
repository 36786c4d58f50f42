"""Power cut in the middle of an activation, at each write: all of it has happened, or nothing; then it is repeated."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


async def test_an_activation_happens_whole_or_not_at_all(place: str) -> None:
    command = [sys.executable, "-m", "tests.register.cut", place]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    before, *cut, after = [json.loads(line) for line in done.stdout.splitlines()]
    assert before["states"] == {"a": "active", "b": "next"}
    assert len(cut) >= 8, "each statement of the transaction, and then none"
    assert all(one == before for one in cut)
    assert after["states"] == {"a": "retiring", "b": "active"}
    assert (after["broken"], after["audit"]) == ([], before["audit"] + 2)
    assert after["epoch"] > before["epoch"]
