"""How back-ends stand: breaker, maintenance, hold, what waits, the last answer."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.admin.times import local
from gateway.store.looking import LastAttempt
from gateway.store.store import Store


async def agencies(store: Store) -> list[dict[str, Any]]:
    """Each back-end for all processes, with how it is set up and what it answered last (null: nothing lately)."""
    backends = {one.id: one for one in await store.backends()}
    last = {one.agency: one for one in await store.last_attempts()}
    return [
        {
            **asdict(lane),
            "name": (backend := backends[lane.agency]).name,
            "adapter": backend.adapter,
            "serves": list(backend.serves),
            "maintenance": list(backend.maintenance),
            "max_in_flight": backend.max_in_flight,
            "per_second": backend.per_second,
            "failures": backend.failures,
            "last_attempt": _attempt(last[lane.agency]) if lane.agency in last else None,
        }
        for lane in (await store.survey()).lanes
        if lane.agency in backends
    ]


def _attempt(one: LastAttempt) -> dict[str, Any]:
    return {
        "at": local(one.at),
        "step": one.step,
        "result": one.result.value,
        "answer": one.answer,
        "seconds": one.seconds,
        "node": one.node,
    }
