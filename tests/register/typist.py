"""Types one `efile` command after another, each a line of JSON, in one process beside the gateway: starting is slow."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]


class Typist:
    """`async with Typist(settings) as typed: await typed("certs", "list")`."""

    def __init__(self, settings: Path) -> None:
        self._settings = settings

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.register.typist", cwd=ROOT,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, limit=1 << 22,
        )  # fmt: skip
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()

    async def __call__(self, *words: object, code: int = 0) -> Any:
        """What it printed as JSON, or on standard error; it must end with `code`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        command = [*(str(word) for word in words), "--config", str(self._settings), "--json"]
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        ended, out, err = json.loads(await self._process.stdout.readline())
        assert ended == code, (words, ended, out, err)
        return json.loads(out) if out else err


def main() -> None:
    from click.testing import CliRunner

    from gateway.cli.main import efile

    for line in sys.stdin:
        done = CliRunner().invoke(efile, json.loads(line))
        print(json.dumps([done.exit_code, done.stdout, done.stderr]), flush=True)


if __name__ == "__main__":
    main()
