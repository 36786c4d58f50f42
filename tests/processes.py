"""The gateway as processes, as an operator runs it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import aiohttp

from gateway.development import Installation, Ports, install
from tests.house import free_port


def quick_installation(directory: Path, at: datetime | None = None) -> Installation:
    """A development installation that loses no time, on free ports; its certificates made `at`, or now."""
    ports = Ports(free_port(), free_port(), free_port())
    made = install(directory, at=at or datetime.now(UTC), ports=ports)
    text = made.settings.read_text()
    made.settings.write_text(
        text.replace(
            "first_retry_seconds = 1.0",
            "first_retry_seconds = 0.1\nmost_retry_seconds = 0.5\nlease_seconds = 4.0",
        )
        .replace("poll_seconds = 2.0", "poll_seconds = 0.5\nbreaker_seconds = 0.2")
        .replace("[agency.config]", "[agency.config]\ntimeout_s = 1.5")
        .replace("[notices]", "[notices]\ntsa_seconds = 5.0")
    )
    return made


class Gateway:
    """`efile serve`; it ends with the tests, also where they are killed."""

    def __init__(
        self,
        made: Installation,
        processes: int = 1,
        store: str | None = None,
        *,
        settings: Path | None = None,
        within: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`settings`: others than the installation's. `within`: the command that runs it, with its arguments."""
        self._command = [*within, "setpriv", "--pdeathsig=TERM", sys.executable, "-m", "gateway.cli", "serve"]
        self._command += ["--config", str(settings or made.settings)]
        self._command += ["--processes", str(processes), *(["--store", store] if store else [])]
        self._environment = {**os.environ, **(environment or {})}
        self._made = made
        self._log = (made.directory / "gateway.log").open("ab")
        self.process: subprocess.Popen[bytes] | None = None
        self._orphans: list[int] = []

    async def start(self, log: int | None = None) -> None:
        """Start it at once, and wait until it is ready and the workers of one killed before are gone."""
        stream = self._log.fileno() if log is None else log
        self.process = subprocess.Popen(self._command, stderr=stream, stdout=self._log, env=self._environment)
        for _ in range(2400):
            if not any(lives(pid) for pid in self._orphans) and await self.ready() == 200:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"not ready: {(self._made.directory / 'gateway.log').read_text()[-2000:]}")

    async def ready(self) -> int:
        """The status of /readyz; 0 where nobody answers."""
        return (await self.told())[0]

    async def told(self) -> tuple[int, str]:
        """The same, and the Date of the answer."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"http://127.0.0.1:{self._made.ports.health}/readyz") as answer:
                    return answer.status, answer.headers.get("Date", "")
        return 0, ""

    async def checks(self) -> dict[str, str]:
        """What /readyz says of each check; nothing where nobody answers."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"http://127.0.0.1:{self._made.ports.health}/readyz") as answer:
                    return dict((await answer.json())["checks"])
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing stays behind, also where the test has failed."""
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        assert self.process is not None
        self._orphans = _children(self.process.pid)
        self.process.kill()
        self.process.wait()

    async def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.process.wait, 30)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def lives(pid: int) -> bool:
    return state(pid) not in ("", "Z")


def state(pid: int) -> str:
    """A letter, as proc(5) has it (T: stopped); "" where there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return ""


async def children(pid: int, count: int) -> list[int]:
    """The workers of a supervisor, once there are `count`."""
    for _ in range(1200):  # the first one has to be ready before there are others
        found = _children(pid)
        if len(found) == count:
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found} are not {count} workers")
