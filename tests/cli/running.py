"""Runs `efile` as a person does: a process of its own, with its own folder, environment, output and exit code.

They are forked from one that has read the whole program: starting each anew would cost a second of a core. What starts
anew is walked by tests/docs/test_readme.py and tests/cli/test_terminal.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import traceback
from importlib import import_module
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
_MOST_SECONDS = 100.0


def efile(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    words = [str(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="efile-said-") as folder:
        out, err = (Path(folder) / name for name in ("out", "err"))
        asked = {"words": words, "cwd": str(cwd or Path.cwd()), "env": dict(os.environ)}
        code = _FORKING.run({**asked, "out": str(out), "err": str(err)})
        return subprocess.CompletedProcess(words, code, out.read_text("utf-8"), err.read_text("utf-8"))


async def efile_beside(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Beside a gateway that runs in this test's event loop."""
    return await asyncio.to_thread(efile, *arguments)


class _Forking:
    """The process that forks, started with the first command; it ends with this one."""

    def __init__(self) -> None:
        self._one_at_a_time = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, asked: dict[str, object]) -> int:
        """The exit code, below 0 for a signal. Raises TimeoutExpired."""
        with self._one_at_a_time:
            if self._process is None or self._process.poll() is not None:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.cli.running"],
                    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
                )  # fmt: skip
            said, tells = self._process.stdin, self._process.stdout
            assert said is not None
            assert tells is not None
            said.write(json.dumps(asked).encode() + b"\n")
            said.flush()
            if not select.select([tells], [], [], _MOST_SECONDS)[0]:
                self._end(signal.SIGKILL)
                raise subprocess.TimeoutExpired(f"efile {asked['words']}", _MOST_SECONDS)
            line = tells.readline()
            assert line, "the process that forks has ended"
            return int(line)

    def end(self) -> None:
        with self._one_at_a_time:
            self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            os.killpg(self._process.pid, how)
        self._process.communicate()
        self._process = None


_FORKING = _Forking()
end_shared = _FORKING.end


def _fork(asked: dict[str, object]) -> int:
    """Run one command in a child; its exit code."""
    pid = os.fork()
    if pid == 0:
        _become(asked)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _become(asked: dict[str, object]) -> NoReturn:
    from gateway.cli.main import main

    code: object = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for stream, descriptor in (("out", 1), ("err", 2)):
            os.dup2(os.open(str(asked[stream]), os.O_WRONLY | os.O_CREAT), descriptor)
        os.chdir(str(asked["cwd"]))
        os.environ.clear()
        os.environ.update(dict(asked["env"]))  # type: ignore[call-overload]
        sys.argv = ["efile", *asked["words"]]  # type: ignore[misc]
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)


def _serve() -> None:
    """One command a line; its exit code as the answer."""
    import gc

    from gateway.cli.main import COMMANDS

    for name in COMMANDS:
        import_module(f"gateway.cli.{name.replace('-', '_')}")
    import_module("xmlschema")
    sys.modules["__main__"].__package__ = None  # click calls the program by sys.argv
    answers = os.fdopen(os.dup(1), "w")
    gc.freeze()
    for line in sys.stdin.buffer:
        print(_fork(json.loads(line)), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
