"""Bodies and papers sealed anew, page by page, each page in one transaction: whoever is cut off goes on where he was.

What is new is durable in its place before the row that names it; what lay apart before is swept a day later, once no
row names it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.findings import Text
from gateway.register.entry import RegisterRefused
from gateway.store.audit import HOLD_AUDIT, append_audit
from gateway.store.rows import Row
from gateway.store.statements import Statement, Steps

BODY, PAPER = "body", "paper"
COUNTS = """
SELECT sealed_by, count(*) FROM body GROUP BY sealed_by
UNION ALL SELECT sealed_by, count(*) FROM paper GROUP BY sealed_by
"""
READ_TO_RESEAL = {
    BODY: "SELECT b.octets, f.digest, b.blob FROM body b JOIN filing f ON f.number = b.number WHERE b.number = ?",
    PAPER: "SELECT octets, digest, encoding FROM paper WHERE number = ? AND place = ?",
}


@dataclass(frozen=True, slots=True)
class Resealed:
    """The new form of a body or paper. `key`: number, and of a paper its place. `octets`: None, where only the name of
    its key was to be noted."""

    table: str
    key: tuple[str | int, ...]
    sealed_by: str
    octets: bytes | None = None
    blob: str | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """At most so many at a time. `sealer`: the key that they are under now, which must be the active one."""

    sealer: str
    done: tuple[Resealed, ...]


def page_of(table: str, sealed_by: str | None, after: Row | None, limit: int) -> tuple[str, Row]:
    """The query for the next keys, each with its size in octets, and its parameters."""
    key = "number" if table == BODY else "number, place"
    condition, row = ("sealed_by IS NULL", []) if sealed_by is None else ("sealed_by = ?", [sealed_by])
    if after is not None:
        places = ", ".join("?" * len(after))
        condition += f" AND ({key}) > ({places})"
    sql = f"SELECT {key}, length(octets) FROM {table} WHERE {condition} ORDER BY {key} LIMIT ?"
    return sql, (*row, *(after or ()), limit)


def seal_anew(batch: Sequence[Page]) -> Steps:
    """Each page, where its key is still the active one; else its transaction fails. Raises RegisterRefused."""
    for page in batch:
        for one in page.done:
            where = "number = ?" if one.table == BODY else "number = ? AND place = ?"
            blob = ", blob = ?" if one.table == BODY else ""
            if one.octets is None:
                yield Statement(
                    f"UPDATE {one.table} SET sealed_by = ? WHERE {where}", [(one.sealed_by, *one.key)]
                )
                continue
            row = (one.octets, one.sealed_by, *([one.blob] if blob else []), *one.key)
            yield Statement(f"UPDATE {one.table} SET octets = ?, sealed_by = ?{blob} WHERE {where}", [row])
        yield Statement(HOLD_AUDIT, [()], fetch=True)
        (found,) = yield Statement(
            "SELECT 1 FROM certificate WHERE purpose = 'bodies' AND subject = ? AND state = 'active'",
            [(page.sealer,)],
            fetch=True,
        )
        if not found:
            raise RegisterRefused(
                Text(
                    f"Khóa {page.sealer} không còn là khóa đang dùng; hãy chạy lại.",
                    f"The key {page.sealer} is no longer the one in use: run it again.",
                )
            )
    return [None] * len(batch)


@dataclass(frozen=True, slots=True)
class Note:
    """That somebody seals anew, or has: for the audit record. `act` is one of its events, `detail` JSON."""

    act: str
    entry: str
    actor: str
    at: datetime
    detail: str


def note(batch: Sequence[Note]) -> Steps:
    """One entry of the audit record each."""
    for one in batch:
        yield from append_audit(one.at, one.actor, one.act, one.entry, one.detail)
    return [None] * len(batch)
