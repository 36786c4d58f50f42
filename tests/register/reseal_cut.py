"""Power is cut at each write of a reseal, one after another: PLACE FOLDER → a line of JSON for each.

Each time all is under one key first; then a process of its own brings it under the other and is killed at its Nth put
or statement; what it left is read with both keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import sys
from pathlib import Path

from gateway.body_keys import new_body_key, renew_keys
from gateway.register.entry import State
from gateway.store import reseal_side
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.register import Adoption, Move
from gateway.store.reseal import Page, seal_anew
from gateway.store.statements import Steps
from gateway.store.store import Store
from tests.gateway.builders import AT, new_filing
from tests.register.cut import in_child

FILED = [b"<one/>", os.urandom(5_000), b"<two/>", os.urandom(6_000)]
PAPERS = (b"%PDF-1.7 " * 20, os.urandom(700))


async def opened(place: str, folder: Path) -> Store:
    store = await open_store(place, lambda: AT, bodies=Bodies(FolderBlobs(folder / "bodies", 1_000)))
    renew_keys(store.body_keys, await store.entries())
    return store


async def begun(place: str, folder: Path) -> None:
    store = await opened(place, folder)
    for name in ("new", "old"):
        (folder / name).write_bytes(os.urandom(32))
        await store.adopt(Adoption((new_body_key(name, folder / name, AT),), "settings file", AT))
    renew_keys(store.body_keys, await store.entries())
    for n, body in enumerate(FILED):
        await store.add(store.prepare(new_filing(body, papers=PAPERS if n % 2 else ())))
    await store.close()


async def under(store: Store, name: str) -> None:
    """That key is in use, and all is brought under it."""
    entries = await store.entries()
    entry = next(one for one in entries if one.subject == name)
    if entry.state is not State.ACTIVE:
        await store.move_entry(Move(entry.id, entry.version, State.ACTIVE, "lan", AT, ""))
    renew_keys(store.body_keys, await store.entries())
    for other in ("old", "new"):
        if other != name:
            assert (await store.reseal(other)).failed == []


async def afresh(place: str, folder: Path) -> None:
    """All is under the old key, and nothing else lies there."""
    store = await opened(place, folder)
    await under(store, "old")
    named = {blob for (blob,) in await store._driver.read("SELECT blob FROM body")}
    lying = FolderBlobs(folder / "bodies", 1_000)
    for file in (folder / "bodies").glob("**/*"):
        if file.is_file() and file not in {lying._place(name) for name in named if name}:
            file.unlink()
    await store.close()


async def resealed(place: str, folder: Path, cut_at: int) -> None:
    count = 0

    def step() -> None:
        nonlocal count
        count += 1
        if count == cut_at:
            os.kill(os.getpid(), signal.SIGKILL)

    put = FolderBlobs._write

    def write(self: FolderBlobs, at: Path, octets: bytes) -> None:
        step()
        put(self, at, octets)
        step()

    def anew(batch: list[Page]) -> Steps:
        steps, answer = seal_anew(batch), None
        while True:
            try:
                statement = steps.send(answer) if answer is not None else next(steps)
            except StopIteration as done:
                return done.value  # type: ignore[no-any-return]
            step()
            answer = yield statement

    FolderBlobs._write = write  # type: ignore[method-assign]
    reseal_side.seal_anew = anew  # type: ignore[assignment]
    store = await opened(place, folder)
    reseal_side._PAGE = 2
    await under(store, "new")
    step()
    await store.close()


async def left(place: str, folder: Path) -> dict[str, object]:
    store = await opened(place, folder)
    digest = hashlib.sha256()
    for (number,) in await store._driver.read("SELECT number FROM filing ORDER BY number"):
        digest.update(await store.document(number) or b"")
        for one in await store.papers(number):
            digest.update(await store.paper(number, one.place))
    counts = await store.sealed_counts()
    await store.close()
    return {"read": digest.hexdigest(), "counts": {str(name): count for name, count in counts.items()}}


def main(place: str, folder: Path) -> None:
    assert in_child(begun(place, folder)) == 0
    print(json.dumps(asyncio.run(left(place, folder))))
    code, cut_at = -1, 0
    while code:
        cut_at += 1
        assert in_child(afresh(place, folder)) == 0
        code = in_child(resealed(place, folder, cut_at))
        print(json.dumps(asyncio.run(left(place, folder))), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
