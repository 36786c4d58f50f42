"""docs/audit-events.md lists exactly the acts that can stand in the audit record; others are not written."""

from __future__ import annotations

import re

from gateway.store.audit import EVENTS
from tests.docs.papers import DOCS, ROOT, table

ROWS = table((DOCS / "audit-events.md").read_text(encoding="utf-8"), "act")


def test_the_list_is_that_of_the_code() -> None:
    assert [[f"`{act}`", text.vi, text.en] for act, text in EVENTS.items()] == ROWS


def test_every_act_that_the_code_writes_is_in_the_list() -> None:
    written = set()
    for file in (ROOT / "gateway/store").glob("*.py"):
        if file.name != "audit.py":
            written |= set(re.findall(r'"([a-z_]+\.[a-z]+)"', file.read_text(encoding="utf-8")))
    acts = {word for word in written if word.split(".")[0] in {act.split(".")[0] for act in EVENTS}}
    assert len(acts) >= 12
    assert acts <= set(EVENTS)
