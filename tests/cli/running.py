"""Runs `efile` as a person does: a process of its own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path


def efile(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway.cli", *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False, timeout=60)


async def efile_beside(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Beside a gateway that runs in this test's event loop."""
    return await asyncio.to_thread(efile, *arguments)
