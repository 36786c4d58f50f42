"""The fault table: every write point × {failed, failed but written, killed before, killed after} × restart."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.filing.status import Status
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from tests.gateway.builders import AT
from tests.postgres import Cluster, drop_database, fresh_database
from tests.torture import faulty_node
from tests.torture.faulty_node import LARGE, MODES, Fault

_SECONDS = 60
_STORY = ("acknowledged", "routed", "delivered", "accepted")
_nodes = multiprocessing.get_context("forkserver")
_nodes.set_forkserver_preload([faulty_node.__name__])


@dataclass(frozen=True)
class Point:
    """A write of the gateway's, the Nth of its kind. `large`: of a filing whose body lies in the folder; `calls`: whose
    verdict the agency brings by itself."""

    write: str
    number: int = 1
    large: bool = False
    calls: bool = False


POINTS = {
    "blob": Point("put", large=True),
    "record": Point("add"),
    "record, its body in the folder": Point("add", large=True),
    "claim": Point("claim_due"),
    "route": Point("record_outcome"),
    "attempt": Point("record_outcome", 2),
    "verdict and notice": Point("record_outcome", 3),
    "callback: verdict and notice": Point("record_verdict", calls=True),
    "audit": Point("hold_agency"),
}


@dataclass(frozen=True)
class Row:
    """What was found after the fault and, where the process had died, the restart. `wrong`: what must not be."""

    ended: str
    stored: int
    submitted: int
    at_the_agency: int
    notices: int
    wrong: tuple[str, ...]


async def row(place: str, home: Path, point: str, mode: str) -> Row:
    """One row of the table on a fresh store."""
    what = POINTS[point]
    code = await asyncio.to_thread(_node, place, home, what, mode)
    killed = code == -signal.SIGKILL
    wrong = [] if killed is mode.startswith("killed") else [f"the fault did not happen: exit code {code}"]
    if code != 0 and (code := await asyncio.to_thread(_node, place, home, what, "")) != 0:
        raise AssertionError(f"{code}: " + (home / "log").read_text()[-3000:])
    return await _found(place, home, what, "killed, restarted" if killed else "went on", wrong)


def _node(place: str, home: Path, what: Point, mode: str) -> int:
    fault = Fault(what.write, what.number, mode)
    process = _nodes.Process(target=faulty_node.main, args=(place, home, fault, what.large, what.calls))
    process.start()
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


async def _found(place: str, home: Path, what: Point, ended: str, wrong: list[str]) -> Row:
    """Store, sender's book and agency's book side by side."""
    store = await open_store(place, lambda: AT, bodies=Bodies(FolderBlobs(home / "bodies", 1024)))
    try:
        read = store._driver.read
        number = (home / "acknowledged").read_text()
        stored = [str(one) for (one,) in await read("SELECT number FROM filing")]
        submitted = (home / "books").read_text().splitlines()
        filing = await store.filing(number)
        names = [event.name for event in await store.events(number)]
        kinds = [kind for (kind,) in await read("SELECT kind FROM notice ORDER BY kind")]
        acts = [act for (act,) in await read("SELECT act FROM audit ORDER BY seq")]
        bodies = list((home / "bodies").glob("??/*"))
        checks = {
            "stored is not what was acknowledged": stored == [number],
            "the agency has another one too": set(submitted) == {number},
            "no verdict": filing is not None and filing.status is Status.ACCEPTED,
            "the body is not what was filed": await store.body(number) == (LARGE if what.large else b"<a/>"),
            "the folder has other bodies": len(bodies) == int(what.large),
            f"the story is {names}": [names.count(name) for name in _STORY] == [1, 1, 1, 1],
            f"the notices are {kinds}": kinds == ["receipt", "verdict"],
            "it still waits": await store.queue_length(9) == 0,
            f"the audit says {acts}": acts.count("agency.hold") == 1,
        }
        wrong = [*wrong, *(said for said, right in checks.items() if not right)]
        return Row(ended, len(stored), len(submitted), len(set(submitted)), len(kinds), tuple(wrong))
    finally:
        await store.close()


async def table(cluster: Cluster | None = None) -> list[tuple[str, str, Row]]:
    """All rows: of PostgreSQL on `cluster`, of SQLite where there is none."""
    rows = []
    for point in POINTS:
        for mode in MODES:
            with tempfile.TemporaryDirectory(prefix="efile-fault-") as home:
                place = f"{home}/efile.sqlite" if cluster is None else await fresh_database(cluster.url)
                rows.append((point, mode, await row(place, Path(home), point, mode)))
                if cluster is not None:
                    await drop_database(cluster.url, place)
    return rows


def lines(engine: str, rows: Sequence[tuple[str, str, Row]]) -> list[str]:
    """The table for people."""
    head = f"{'write':31} {'fault':19} {'process':18} stored submitted at-agency notices  lost or doubled"
    told = [
        f"{point:31} {mode:19} {found.ended:18} {found.stored:6} {found.submitted:9} {found.at_the_agency:9}"
        f" {found.notices:7}  {'; '.join(found.wrong) or 'nothing'}"
        for point, mode, found in rows
    ]
    return [f"{engine}: the fault table, {len(rows)} rows", head, *told]
