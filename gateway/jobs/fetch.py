"""Revocation lists and OCSP answers are fetched before those in use end; off unless hosts are allowed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import structlog

import signing
from gateway.ports import Clock
from signing.refresh import Refresher

log = structlog.get_logger("jobs")


async def keep_fetching(
    refresher: Refresher,
    trust: Callable[[], signing.TrustStore],
    changed: Callable[[], None],
    seconds: float,
    now: Clock,
) -> None:
    """One round every `seconds` (a quarter more or less, by chance), until cancelled.

    `changed` is called in a thread after a round that left something new. A fault is logged and tried again later.
    """
    while True:
        await asyncio.sleep(seconds * random.uniform(0.75, 1.25))  # noqa: S311
        try:
            done = await refresher.round(trust(), now())
            if done.changed:
                await asyncio.to_thread(changed)
        except OSError as error:
            log.warning("fetch-failed", error=repr(error))
            continue
        for fault in done.faults:
            log.warning("fetch-failed", error=fault)
        if done.changed:
            log.info("fetched", answers=done.changed)
