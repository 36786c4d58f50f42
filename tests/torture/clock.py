"""A wall clock that jumps under running processes, as when somebody sets it; clocks that only run on do not.

Debian's libfaketime does not do: beside a monotonic clock left alone, its `clock_nanosleep` fails.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SOURCE = Path(__file__).with_name("clock.c")


def missing() -> str | None:
    """What a clock that jumps needs and is not here."""
    return None if shutil.which("cc") else "cc (Debian: gcc, libc6-dev)"


@dataclass(frozen=True)
class Clock:
    """Of the processes that are started in its `environment`, and of their children."""

    library: Path
    offset: Path

    @classmethod
    @contextmanager
    def made(cls) -> Iterator[Clock]:
        """One that is right."""
        with tempfile.TemporaryDirectory(prefix="efile-clock-") as folder:
            Path(folder).chmod(0o755)  # PostgreSQL runs as another user
            clock = cls(Path(folder) / "clock.so", Path(folder) / "offset")
            command = ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-o", str(clock.library), str(_SOURCE)]
            subprocess.run(command, check=True)
            clock.offset.write_bytes(struct.pack("l", 0))
            yield clock

    @property
    def environment(self) -> Mapping[str, str]:
        return {"LD_PRELOAD": str(self.library), "EFILE_CLOCK": str(self.offset)}

    def jump(self, seconds: int) -> None:
        """From now on it is so far from the right time, in every process at once."""
        with self.offset.open("r+b") as file:
            file.write(struct.pack("l", seconds))
