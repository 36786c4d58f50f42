"""Which kinds of agency there are. A new one is a file and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from adapters.base import Adapter, ConfigError
from adapters.bus import open_bus
from adapters.edxml import open_edxml
from adapters.folder import open_folder
from adapters.permit import open_permit
from adapters.queue import open_queue
from adapters.rest import open_rest
from adapters.sftp import open_sftp
from adapters.tax import open_tax

KINDS: dict[str, Callable[[Mapping[str, Any]], Adapter]] = {
    "bus": open_bus,
    "edxml": open_edxml,
    "folder": open_folder,
    "permit": open_permit,
    "queue": open_queue,
    "rest": open_rest,
    "sftp": open_sftp,
    "tax": open_tax,
}


def open_adapter(kind: str, config: Mapping[str, Any]) -> Adapter:
    """The adapter for one agency; connects with the first call.

    Raises:
        ConfigError: unknown kind, unknown or missing setting, wrong type, or a file that cannot be used.
    """
    opener = KINDS.get(kind)
    if opener is None:
        raise ConfigError(f"no adapter of kind {kind!r}; there are {', '.join(sorted(KINDS))}")
    return opener(config)
