"""The delivery queue as administrators see it, and what they do with it: one implementation for all their doors."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.errors import NotFound
from gateway.filing.findings import Text
from gateway.filing.status import Status
from gateway.store.orders import NotHeld, NotStuck
from gateway.store.queue import QueueFilter
from gateway.store.store import Store

MOST = 100_000
"""Filings that one order by filter is about."""
_AT_ONCE = 100


class Act(StrEnum):
    """What is done with filings, or with a back-end as a whole (but for REPLAY)."""

    REPLAY = "replay"
    HOLD = "hold"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Order:
    """An act, who does it and why. `handover_to`: only the handover to this cooperating agency (REPLAY)."""

    act: Act
    who: str
    why: str
    handover_to: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an order for one filing or back-end; `fault` says why it was not done."""

    number: str
    done: bool
    fault: Text | None


async def listed(store: Store, wanted: QueueFilter) -> list[dict[str, Any]]:
    """What waits, the oldest first; then, where nothing but a status is asked for, what goes on to other agencies."""
    found = await store.waiting(wanted)
    if not replace(wanted, status=None).narrows:
        found += await store.waiting_handovers(stuck=wanted.status is Status.STUCK)
    return [asdict(one) for one in found]


def concerned(act: Act, wanted: QueueFilter) -> QueueFilter:
    """Those of a filter that the act can be about."""
    if act is Act.REPLAY:
        return replace(wanted, status=Status.STUCK)
    return replace(wanted, held=act is Act.RELEASE)


async def chosen(store: Store, act: Act, wanted: QueueFilter, most: int = MOST) -> list[str]:
    """The filings of a filter that the act would be about, the oldest `most`."""
    found = await store.waiting(replace(concerned(act, wanted), limit=most))
    return [one.number for one in found]


async def act_on_filings(store: Store, order: Order, numbers: Sequence[str]) -> list[Done]:
    """One order for each filing, each with its own audit entry; a few at a time, so that filings come in between."""

    async def one(number: str) -> None:
        if order.act is Act.REPLAY:
            await store.replay(number, order.who, order.why, order.handover_to)
        else:
            await (store.hold if order.act is Act.HOLD else store.release)(number, order.who, order.why)

    done: list[Done] = []
    for start in range(0, len(numbers), _AT_ONCE):
        done += await asyncio.gather(*(_try(number, one) for number in numbers[start : start + _AT_ONCE]))
    return done


async def act_on_agency(store: Store, order: Order, agency: str) -> Done:
    """Hold or release a back-end: no process calls it, whatever waits or will come."""

    async def one(name: str) -> None:
        if order.act is Act.REPLAY:
            raise NotStuck(
                f"{name}: hệ thống của cơ quan chỉ có thể giữ hoặc thả",
                f"{name}: a back-end is held or released",
            )
        await (store.hold_agency if order.act is Act.HOLD else store.release_agency)(
            name, order.who, order.why
        )

    return await _try(agency, one)


async def _try(name: str, one: Callable[[str], Awaitable[None]]) -> Done:
    try:
        await one(name)
    except NotFound:
        return Done(name, False, Text(f"{name}: không tìm thấy", f"{name}: not found"))
    except (NotHeld, NotStuck) as error:
        return Done(name, False, error.text)
    return Done(name, True, None)
