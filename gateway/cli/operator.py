"""What the operator's commands share: the gateway's own store, beside a running gateway or without one."""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.cli.place import settings_of
from gateway.clock import clock
from gateway.errors import ConfigurationError
from gateway.settings import BodySettings
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.store import Store
from gateway.upkeep import bodies_of

T = TypeVar("T")
Command = Callable[..., Any]


def why_option(command: Command) -> Command:
    """`--why`, on every command that changes something."""
    return click.option("--why", required=True, help="For the audit record.")(command)


def operator() -> str:
    """Who types: the account of the operating system, whatever the environment says."""
    return pwd.getpwuid(os.getuid()).pw_name


def _bodies(bodies: BodySettings) -> Bodies:
    """What is written there must be the gateway's to read. Raises ConfigurationError, OSError."""
    if bodies.folder is not None and bodies.folder.exists() and bodies.folder.stat().st_uid != os.geteuid():
        raise ConfigurationError([f"{bodies.folder}: this is for the account that owns the folder"])
    return bodies_of(bodies)


def with_store(config: Path, ask: Callable[[Store], Awaitable[T]], *, bodies: bool = False) -> T:
    """Run `ask` on the store that the settings name; `bodies`: also on those that lie elsewhere."""

    async def run() -> T:
        settings = settings_of(config)
        kept = _bodies(settings.bodies) if bodies else None
        store = await open_store(settings.store, clock, bodies=kept)
        try:
            return await ask(store)
        finally:
            await store.close()

    return asyncio.run(run())
