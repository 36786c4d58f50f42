"""Verdicts that agencies leave for us, in a queue or a folder, are fetched as long as the process runs."""

from __future__ import annotations

import asyncio
import random

import structlog

import adapters
from gateway.delivery.world import DeliveryWorld
from gateway.errors import BadRequest, Busy, NotFound, VerdictConflict
from gateway.filing.story import told
from gateway.journey import hear_from
from gateway.ports import Filings

log = structlog.get_logger("jobs")
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 60.0  # seconds


async def keep_listening(
    backend: str, listener: adapters.Listener, world: DeliveryWorld, filings: Filings
) -> None:
    """Until cancelled; after a failure again, ever more seldom. Nothing that an agency leaves ends it.

    A verdict about a filing that is just being sent anew (BadRequest) stays where it is, and comes again.
    """
    failures = 0

    async def hear(key: str, verdict: adapters.Verdict) -> bool:
        nonlocal failures
        known = await _heard(backend, key, verdict, world, filings)
        failures = 0
        return known

    while True:
        try:
            await listener.listen(hear)
        except (adapters.Unavailable, Busy, BadRequest) as error:
            if told("listening-failed", failures):
                log.warning("listening-failed", agency=backend, error=str(error), failures=failures + 1)
        except Exception:  # a fault of ours leaves the message where it is, and the other jobs alone
            log.exception("listening-failed", agency=backend)
        wait = min(_LONGEST_WAIT, _FIRST_WAIT * 2.0 ** min(failures, 30))
        failures += 1
        await asyncio.sleep(wait * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load


async def _heard(
    backend: str, key: str, verdict: adapters.Verdict, world: DeliveryWorld, filings: Filings
) -> bool:
    """Written down, as the first verdict, a repeat or a contradiction; False where no filing of theirs has the key."""
    try:
        heard = await hear_from(backend, key, verdict, world, filings)
    except NotFound:
        log.warning("verdict-unknown", agency=backend, key=key)
        return False
    except VerdictConflict:
        log.warning("verdict-contradicted", agency=backend, key=key)
        return True
    log.info("heard", agency=backend, number=heard.number, status=heard.status, first=heard.first)
    return True
