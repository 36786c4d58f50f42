"""The fault table: every write point × {failed, failed but written, killed before, killed after} × restart."""

from __future__ import annotations

import asyncio
import multiprocessing
import signal
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.filing.handover import HandoverStatus
from gateway.filing.status import Status
from gateway.store.blobs import FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from tests.gateway.builders import AT
from tests.postgres import Cluster, drop_database, fresh_database
from tests.torture import faulty_node
from tests.torture.faulty import MODES, OVER_BYTES, Fault
from tests.torture.faulty_node import COOPERATING, REISSUED, file_unknown, filed_document

_SECONDS = 60
_nodes = multiprocessing.get_context("forkserver")
_nodes.set_forkserver_preload([faulty_node.__name__])


@dataclass(frozen=True)
class Point:
    """A write of the gateway's, the Nth of its kind, and what is special in the life of its filing:

    `large`: its body lies in the folder; `calls`: its agencies bring what they decide by themselves; `slow`: they take
    longer than a beat of the heart; `refuses`: they call it wrong until an operator sends it again; `reissues`: its
    receipt is signed anew in the end; `removes`: its body is removed in the end; `unknown`: its signer's status was
    not known at its receipt, and is now: the certificate was good, or had been `revoked` before.
    """

    write: str
    number: int = 1
    ways: frozenset[str] = frozenset()


def _point(write: str, *ways: str, number: int = 1) -> Point:
    return Point(write, number, frozenset(ways))


POINTS = {
    "blob": _point("put", "large"),
    "record": _point("add"),
    "record, its body in the folder": _point("add", "large"),
    "key of a repeat": _point("bind_key"),
    "hold": _point("hold"),
    "release": _point("release"),
    "claim": _point("claim_due"),
    "heartbeat": _point("renew", "slow"),
    "recheck: carried on, with its notice": _point("record_outcome", "unknown"),
    "recheck: refused, with its notice": _point("record_outcome", "unknown", "revoked"),
    "route": _point("record_outcome"),
    "attempt": _point("record_outcome", number=2),
    "dead letter": _point("record_outcome", "refuses", number=2),
    "dead letter sent again": _point("replay", "refuses"),
    "verdict, notice, handover": _point("record_outcome", number=3),
    "callback: the same": _point("record_verdict", "calls"),
    "handover: claim": _point("claim_handovers"),
    "handover: heartbeat": _point("renew_handover", "slow"),
    "handover: attempt": _point("record_handover"),
    "handover: dead letter": _point("record_handover", "refuses"),
    "handover: sent again": _point("replay_handover", "refuses"),
    "handover: answer": _point("record_answer", "calls"),
    "audit": _point("hold_agency"),
    "notice signed anew": _point("reissue", "reissues"),
    "removal": _point("remove", "removes"),
}


BESIDE = (
    "administrators", "incidents", "orders.release_agency", "providers", "register_moves", "retention.keep",
    "retention.release", "seeds", "taken_over", "warnings", "watching",
)  # fmt: skip
"""Operations of the store, or modules of them, by which no filing is lost or doubled."""


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
    if "unknown" in what.ways:
        file_unknown(home, revoked="revoked" in what.ways)
    code = await asyncio.to_thread(_node, place, home, what, mode)
    killed = code == -signal.SIGKILL
    wrong = [] if killed is mode.startswith("killed") else [f"the fault did not happen: exit code {code}"]
    if code != 0 and (code := await asyncio.to_thread(_node, place, home, what, "")) != 0:
        raise AssertionError(f"{code}: " + (home / "log").read_text()[-3000:])
    return await _found(place, home, what, "killed, restarted" if killed else "went on", wrong)


def _node(place: str, home: Path, what: Point, mode: str) -> int:
    fault = Fault(what.write, what.number, mode)
    process = _nodes.Process(target=faulty_node.main, args=(place, home, fault, what.ways))
    process.start()
    process.join(_SECONDS)
    if process.exitcode is None:
        process.kill()
        process.join()
    assert process.exitcode is not None
    return process.exitcode


async def _found(place: str, home: Path, what: Point, ended: str, wrong: list[str]) -> Row:
    """Store, sender's book and agencies' books side by side."""
    store = await open_store(place, lambda: AT, bodies=Bodies(FolderBlobs(home / "bodies", OVER_BYTES)))
    try:
        read = store._driver.read
        number = (home / "acknowledged").read_text()
        stored = [str(one) for (one,) in await read("SELECT number FROM filing")]
        submitted = (home / "books").read_text().splitlines() if (home / "books").exists() else []
        filing = await store.filing(number)
        names = Counter(event.name for event in await store.events(number))
        notices = await read("SELECT kind, document FROM notice ORDER BY kind")
        kinds = [kind for kind, _ in notices]
        evidence = len(await store.evidence(number))
        acts = Counter(act for (act,) in await read("SELECT act FROM audit"))
        keys = await read("SELECT kind, number FROM repeat_key ORDER BY kind")
        handed = [(one.status, bool(one.answer)) for one in await store.handovers(number)]
        bodies = list((home / "bodies").glob("??/*"))
        expected = _expected(what.ways)
        checks = {
            "stored is not what was acknowledged": stored == [number],
            f"the agencies have {sorted(set(submitted))}": set(submitted)
            == {number + one for one in expected.agencies},
            "it has not ended so": filing is not None and filing.status is expected.status,
            "the body is not what was filed": await store.document(number)
            == (None if "removes" in what.ways else filed_document(home, what.ways)),
            "the folder has other bodies": len(bodies) == int(bool(what.ways & {"large", "unknown"})),
            f"the story is {dict(names)}": _only(names, _story(what.ways)),
            f"the notices are {kinds}": kinds == [*expected.notices],
            "the receipt is another one": (REISSUED in [bytes(one) for _, one in notices])
            is ("reissues" in what.ways),
            f"the evidence is {evidence}": evidence == 1 + ("unknown" in what.ways),
            f"the keys are {keys}": keys == [(kind, number) for kind in expected.keys],
            f"the handovers are {handed}": handed == [*expected.handovers],
            "it still waits": await store.queue_length(9) == 0,
            f"the audit says {dict(acts)}": _only(acts, _audit(what.ways)),
        }
        wrong = [*wrong, *(said for said, right in checks.items() if not right)]
        return Row(ended, len(stored), len(submitted), len(set(submitted)), len(kinds), tuple(wrong))
    finally:
        await store.close()


@dataclass(frozen=True)
class Expected:
    """How a filing ends. `agencies`: what of its key each has; `keys`: of what kinds its own are."""

    status: Status
    agencies: tuple[str, ...]
    notices: tuple[str, ...]
    keys: tuple[str, ...]
    handovers: tuple[tuple[HandoverStatus, bool], ...]


def _expected(ways: frozenset[str]) -> Expected:
    if "revoked" in ways:  # the same bytes may come again
        return Expected(Status.REFUSED, (), ("receipt", "refusal"), ("key", "key"), ())
    notices = ("confirmation", "receipt", "verdict") if "unknown" in ways else ("receipt", "verdict")
    handovers = ((HandoverStatus.DELIVERED, "calls" in ways),)
    return Expected(Status.ACCEPTED, ("", f"~{COOPERATING}"), notices, ("bytes", "key", "key"), handovers)


def _only(found: Counter[str], expected: dict[str, int]) -> bool:
    return {name: found[name] for name in expected} == expected


def _story(ways: frozenset[str]) -> dict[str, int]:
    """How often each is told."""
    once = ("held", "released")
    carried_on = (
        "acknowledged", "delivered", "accepted", "handover-waiting", "handover-delivered",
    )  # fmt: skip
    ends_here = "revoked" in ways
    refused = ("stuck", "replayed", "handover-stuck", "handover-replayed")
    return {
        **dict.fromkeys(once, 1),
        **dict.fromkeys(carried_on, int(not ends_here)),
        **dict.fromkeys(refused, int("refuses" in ways)),
        "provisional": int("unknown" in ways),
        "refused": int(ends_here),
        "routed": 0 if ends_here else 1 + ("refuses" in ways),
        "handover-answered": int("calls" in ways),
        "notice-reissued": int("reissues" in ways),
        "body-removed": int("removes" in ways),
    }


def _audit(ways: frozenset[str]) -> dict[str, int]:
    return {
        **dict.fromkeys(("filing.hold", "filing.release", "agency.hold"), 1),
        **dict.fromkeys(("filing.replay", "handover.replay"), int("refuses" in ways)),
        "notices.reissue": int("reissues" in ways),
        "retention.body": int("removes" in ways),
    }


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
    head = f"{'write':37} {'fault':19} {'process':18} stored submitted at-agency notices  lost or doubled"
    told = [
        f"{point:37} {mode:19} {found.ended:18} {found.stored:6} {found.submitted:9} {found.at_the_agency:9}"
        f" {found.notices:7}  {'; '.join(found.wrong) or 'nothing'}"
        for point, mode, found in rows
    ]
    return [f"{engine}: the fault table, {len(rows)} rows", head, *told]
