"""Whether a disk takes more."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_BYTES = 1 << 20


def require_room(folder: Path) -> None:
    """Write a file of some size, durably, and forget it: only that tells a disk that is full.

    SQLite writes over the old frames of its log, and would not notice. Raises OSError.
    """
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if file.write(bytes(_BYTES)) < _BYTES:
            raise OSError("no room left")
        os.fsync(file.fileno())
