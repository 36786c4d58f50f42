"""Types `efile` commands beside the gateway, whose results are read as JSON."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.cli.running import efile_beside


def typist(settings: Path) -> Callable[..., Awaitable[Any]]:
    """`typed = typist(settings)`, then `await typed("certs", "list")`."""

    async def typed(*words: object, code: int = 0) -> Any:
        """What it printed as JSON, or on standard error; it must end with `code`."""
        done = await efile_beside(*words, "--config", settings, "--json")
        assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr, done.stderr
        return json.loads(done.stdout) if done.stdout else done.stderr

    return typed
