"""Power is cut at each write of an activation, one after another: PLACE → a line of JSON for each.

Each child is a process of its own, killed at its Nth statement; then what it left is read.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from datetime import timedelta

from gateway.register.entry import NewEntry, Purpose, State
from gateway.store import register_moves
from gateway.store.opening import open_store
from gateway.store.register import Addition, Adoption, Move
from gateway.store.statements import Steps
from gateway.store.store import Store
from tests.gateway.builders import AT

OVERLAPS = {Purpose.NOTICES: timedelta(days=30)}


def entry(letter: str) -> NewEntry:
    return NewEntry(
        Purpose.NOTICES, f"CN={letter}", "CN=ca", "1", letter * 64, AT, AT + timedelta(days=400), b"x"
    )  # fmt: skip


async def begun(place: str) -> None:
    store = await open_store(place, lambda: AT)
    await store.adopt(Adoption((entry("a"),), "settings file", AT))
    await store.add_entry(Addition(entry("b"), "lan", AT, ""))
    await store.close()


async def activated(place: str, cut_at: int) -> None:
    whole = register_moves.move

    def move(batch: list[Move]) -> Steps:
        steps, answer, count = whole(batch), None, 0
        while True:
            try:
                statement = steps.send(answer) if answer is not None else next(steps)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            count += 1
            if count == cut_at:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = yield statement

    register_moves.move = move  # type: ignore[assignment]
    store = await open_store(place, lambda: AT)
    version = next(e.version for e in await store.entries() if e.id == entry("b").id)
    await store.move_entry(Move(entry("b").id, version, State.ACTIVE, "lan", AT, "", overlaps=OVERLAPS))
    await store.close()


async def left(place: str) -> dict[str, object]:
    store: Store = await open_store(place, lambda: AT)
    states = {e.subject[3:]: e.state.value for e in await store.entries()}
    count, broken = await store.broken_audit()
    epoch = await store.epoch()
    await store.close()
    return {"states": states, "audit": count, "broken": list(broken), "epoch": epoch}


def in_child(work: object) -> int:
    pid = os.fork()
    if pid == 0:
        asyncio.run(work)  # type: ignore[arg-type]
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(place: str) -> None:
    assert in_child(begun(place)) == 0
    print(json.dumps(asyncio.run(left(place))))
    code, cut_at = -1, 0
    while code:
        cut_at += 1
        code = in_child(activated(place, cut_at))
        print(json.dumps(asyncio.run(left(place))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
