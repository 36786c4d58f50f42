"""Waiting for what comes by itself, within a bound."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from adapters import Adapter, Unavailable


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)


async def fetched(adapter: Adapter, key: str, kind: type) -> Any:
    """What the adapter says of the key, once it says something of that kind."""
    async with asyncio.timeout(30):
        while True:
            with suppress(Unavailable):
                found = await adapter.fetch(key)
                if isinstance(found, kind):
                    return found
            await asyncio.sleep(0.02)
