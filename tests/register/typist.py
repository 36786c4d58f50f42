"""Types one `efile` command after another, each a line of JSON, in one process beside the gateway: starting is slow."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import traceback
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


def run(words: list[str]) -> tuple[int, str, str]:
    """One command, its output caught where it really goes: the file descriptors."""
    from gateway.cli.main import main as efile

    sys.argv = ["efile", *words]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        saved = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        code = 0
        try:
            efile()
        except SystemExit as ended:
            code = int(ended.code or 0)
        except Exception:
            code = 99
            traceback.print_exc()
        finally:
            for stream, descriptor, before in ((sys.stdout, 1, saved[0]), (sys.stderr, 2, saved[1])):
                stream.flush()
                os.dup2(before, descriptor)
                os.close(before)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return code, texts[0], texts[1]


def main() -> None:
    for line in sys.stdin:
        done = run(json.loads(line))
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
