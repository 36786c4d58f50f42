"""docs/delivery.md lists what `make torture` does, and nothing else."""

from __future__ import annotations

from typing import Any

from tests.docs.papers import DOCS, table
from tests.torture import scenes
from tests.torture.faults import POINTS
from tests.torture.harms import Database, Machine, Nodes

TEXT = (DOCS / "delivery.md").read_text(encoding="utf-8")


def test_the_fault_table_has_these_writes() -> None:
    assert [row[0] for row in table(TEXT, "write")] == list(POINTS)


def test_these_harms_are_done() -> None:
    none: Any = None
    made = [Machine(none, none), Database(none, none, none), Nodes((), (), none)]
    names = {harm.name for one in made for harm in one.harms()}
    names |= {scenes.FULL_STORE, scenes.FULL_BODIES, scenes.FULL_SERVER, scenes.JUMP, scenes.SERVER_JUMP}
    assert {row[0] for row in table(TEXT, "what is done")} == names
