"""Which kinds of agency there are. A new one is a file and a row here."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

from adapters.base import Adapter, ConfigError

Opener = Callable[[Mapping[str, Any]], Adapter]


def _of(kind: str) -> Opener:
    """`open_<kind>` of `adapters/<kind>.py`, which is imported with its first agency: the library of one that nobody
    speaks here would cost every process a third of a second."""

    def opener(config: Mapping[str, Any]) -> Adapter:
        opened: Adapter = getattr(importlib.import_module(f"adapters.{kind}"), f"open_{kind}")(config)
        return opened

    return opener


KINDS: dict[str, Opener] = {
    kind: _of(kind) for kind in ("bus", "edxml", "folder", "permit", "queue", "rest", "sftp", "tax")
}

WITH_CERTIFICATE = frozenset({"bus", "edxml", "permit", "queue", "rest", "tax"})
"""Kinds that call over TLS with `client_cert` and `client_key`."""


def open_adapter(kind: str, config: Mapping[str, Any]) -> Adapter:
    """The adapter for one agency; connects with the first call.

    Raises:
        ConfigError: unknown kind, unknown or missing setting, wrong type, or a file that cannot be used.
    """
    opener = KINDS.get(kind)
    if opener is None:
        raise ConfigError(f"no adapter of kind {kind!r}; there are {', '.join(sorted(KINDS))}")
    return opener(config)
