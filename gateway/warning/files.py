"""What channels keep in files: credentials and authorities, read at each message, so that they may be exchanged."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable
from pathlib import Path

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def line_of(file: Path) -> str:
    """A credential: the file's one line. Raises OSError, ValueError."""
    text = file.read_text(encoding="utf-8").strip()
    if not text or not text.isprintable():
        raise ValueError(f"{file}: one line of printable characters is needed")
    return text


def tls_of(ca_file: Path | None) -> ssl.SSLContext:
    """For a client, TLS 1.2 or newer; the authorities of the file alone, or the system's. Raises OSError."""
    context = ssl.create_default_context(cafile=None if ca_file is None else str(ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def faults_of(where: str, reads: Iterable[tuple[Path | None, Callable[[Path], object]]]) -> list[str]:
    """Why files of the settings at `where` cannot be read; None: the settings name none."""
    faults = []
    for file, read in reads:
        try:
            if file is not None:
                read(file)
        except (OSError, ValueError) as error:
            faults.append(f"{where}: {error}")
    return faults
