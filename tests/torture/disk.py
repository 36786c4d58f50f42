"""A small disk that can be filled: a tmpfs, mounted where something is to lie."""

from __future__ import annotations

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_CHUNK = bytes(1 << 20)


@cache
def missing() -> str | None:
    """What a small disk needs and is not here."""
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run(_mount(Path(folder), 1), capture_output=True, check=False).returncode:
            return "the right to mount a tmpfs (root, or CAP_SYS_ADMIN)"
        subprocess.run(["umount", folder], check=True)
    return None


def _mount(folder: Path, megabytes: int) -> list[str]:
    return ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]


@dataclass(frozen=True)
class SmallDisk:
    """Mounted at `folder`."""

    folder: Path

    @classmethod
    @contextmanager
    def mounted(cls, folder: Path, megabytes: int) -> Iterator[SmallDisk]:
        """An empty one."""
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(_mount(folder, megabytes), check=True)
        try:
            yield cls(folder)
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    @property
    def left(self) -> int:
        """Octets that it still takes."""
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def fill(self) -> None:
        """Until it takes no octet more."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while True:
                    file.write(_CHUNK)
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self) -> None:
        """As it was before."""
        self._filler.unlink(missing_ok=True)

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"
