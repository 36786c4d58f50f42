"""Revocation lists and OCSP answers are fetched before those in use end, while hosts are allowed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress

import structlog

import signing
from gateway.ports import Clock
from signing.list_refresh import ListRefresher
from signing.refresh import Refresher

log = structlog.get_logger("jobs")


async def keep_fetching(
    refresher: Refresher,
    lists: ListRefresher,
    trust: Callable[[], signing.TrustStore],
    changed: Callable[[], None],
    sooner: asyncio.Event,
    *,
    seconds: float,
    now: Clock,
) -> None:
    """One round every `seconds` (a quarter more or less, by chance), or as soon as `sooner` is set, until cancelled;
    none while no host may be asked.

    `changed` is called in a thread after a round that left something new. A fault is logged and tried again later.
    """
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds * random.uniform(0.75, 1.25)):  # noqa: S311
                await sooner.wait()
        sooner.clear()
        if not (refresher.hosts or lists.urls):
            continue
        try:
            new_lists, list_faults = await lists.round(now())
            done = await refresher.round(trust(), now())
            if done.changed or new_lists:
                await asyncio.to_thread(changed)
        except OSError as error:
            log.warning("fetch-failed", error=repr(error))
            continue
        for fault in (*list_faults, *done.faults):
            log.warning("fetch-failed", error=fault)
        if done.changed or new_lists:
            log.info("fetched", answers=done.changed, lists=new_lists)
