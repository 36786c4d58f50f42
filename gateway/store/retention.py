"""What is past its term is removed, a page in one transaction with its audit entry; and what an operator keeps."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.errors import NotFound
from gateway.filing.retention import UNREAD, Part, Removed, Rule
from gateway.filing.status import FINAL
from gateway.store.audit import append_audit
from gateway.store.operations import INSERT_EVENT
from gateway.store.orders import NotHeld, Order
from gateway.store.rows import Row, json_text, time_text
from gateway.store.statements import FOR_UPDATE, Statement, Steps

ACTOR = "retention"
_BEFORE = {
    Part.BODY: ("", "papers"),
    Part.PAPERS: ("", "body"),
    Part.RECORD: ("", "body", "papers", "body,papers"),
}
"""What may be missing already of a filing whose part is still there."""
_notices = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Removal:
    """One page: at most `limit` filings of a rule that ended before `ended_before`, received since `after`."""

    rule: Rule
    ended_before: datetime
    at: datetime
    limit: int
    after: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """How many went, and after which time of receipt the next page begins; None: there is none."""

    removed: int
    after: str | None


def remove(batch: Sequence[Removal]) -> Steps:
    """Answers a Page for each: bodies and papers leave a line in the filing's story, whole filings their hashes."""
    results = []
    for one in batch:
        (found,) = yield Statement(_due(one.rule), [_due_row(one)], fetch=True)
        numbers = [row[0] for row in found]
        if one.rule.part is Part.RECORD:
            yield from _remove_records(one, found)
        elif numbers:
            yield from _remove_part(one, numbers)
        if numbers:
            yield from append_audit(
                one.at, ACTOR, f"retention.{one.rule.part}", str(one.rule), json_text(numbers)
            )
        after = found[-1][1] if len(found) == one.limit else None
        results.append(Page(len(found), after))
    return results


def _due(rule: Rule) -> str:
    """A filing ends after its receipt: those received later need not be looked at. Nothing that still moves is due."""
    finals = ", ".join(f"'{status}'" for status in sorted(FINAL))
    stages = ", ".join(f"'{removed}'" for removed in _BEFORE[rule.part])
    has_papers = "AND EXISTS (SELECT 1 FROM paper p WHERE p.number = f.number)"
    return f"""
SELECT f.number, f.received_at, f.provider, f.digest, f.idempotency_key FROM filing f
WHERE f.removed IN ({stages}) AND f.received_at >= ? AND f.received_at < ? AND f.kept IS NULL
AND f.status IN ({finals}) AND {"f.summary IS NULL" if rule.family == UNREAD else "f.summary LIKE ?"}
AND NOT EXISTS (SELECT 1 FROM event e WHERE e.number = f.number AND e.name IN ({finals}) AND e.at >= ?)
AND NOT EXISTS (SELECT 1 FROM handover h WHERE h.number = f.number AND h.status IN ('waiting', 'stuck'))
{has_papers if rule.part is Part.PAPERS else ""} ORDER BY f.received_at LIMIT ? {FOR_UPDATE}
"""


def _due_row(one: Removal) -> Row:
    ended = time_text(one.ended_before)
    family = () if one.rule.family == UNREAD else (f'{{"family":"{one.rule.family}",%',)
    return (one.after, ended, *family, ended, one.limit)


Step = Generator[Statement, list[list[Row]], None]


def _remove_part(one: Removal, numbers: Sequence[str]) -> Step:
    part = one.rule.part
    table = "body" if part is Part.BODY else "paper"
    yield Statement(f"DELETE FROM {table} WHERE number = ?", [(number,) for number in numbers])
    yield Statement(
        "UPDATE filing SET removed = CASE removed WHEN '' THEN ? ELSE 'body,papers' END WHERE number = ?",
        [(part.value, number) for number in numbers],
    )
    yield Statement(
        INSERT_EVENT, [(number, time_text(one.at), f"{part}-removed", str(one.rule)) for number in numbers]
    )


def _remove_records(one: Removal, found: Sequence[Row]) -> Step:
    numbers: list[Row] = [(row[0],) for row in found]
    notices = yield Statement(
        """SELECT kind, document FROM notice WHERE number = ? UNION ALL
           SELECT kind || ' of ' || issued_at, document FROM superseded_notice WHERE number = ?""",
        [(*number, *number) for number in numbers],
        fetch=True,
    )
    yield Statement(
        """INSERT INTO removed_filing (number, digest, notices, removed_at, rule) VALUES (?, ?, ?, ?, ?)""",
        [
            (number, digest.hex(), json_text(_hashes(given)), time_text(one.at), str(one.rule))
            for (number, _, _, digest, _), given in zip(found, notices, strict=True)
        ],
    )
    yield Statement(
        "DELETE FROM repeat_key WHERE provider = ? AND kind = ? AND value = ? AND number = ?",
        [
            (provider, kind, value, number)
            for number, _, provider, digest, key in found
            for kind, value in (("key", key), ("bytes", digest.hex()))
            if value is not None
        ],
    )
    yield Statement("DELETE FROM repeat_key WHERE number = ? AND bound = 1", numbers)
    for table in (
        "body",
        "paper",
        "evidence",
        "notice",
        "superseded_notice",
        "attempt",
        "event",
        "handover",
        "verdict",
        "filing",
    ):
        yield Statement(f"DELETE FROM {table} WHERE number = ?", numbers)


def _hashes(notices: Sequence[Row]) -> dict[str, str]:
    return {kind: hashlib.sha256(document).hexdigest() for kind, document in notices}


READ_REMOVED = "SELECT number, digest, notices, removed_at, rule FROM removed_filing WHERE number = ?"
READ_KEPT = "SELECT number, kept FROM filing WHERE kept IS NOT NULL ORDER BY number"


def removed_of(row: Row) -> Removed:
    """From a row of READ_REMOVED."""
    return Removed(row[0], row[1], _notices.decode(row[2]), datetime.fromisoformat(row[3]), row[4])


def keep(batch: Sequence[Order]) -> Steps:
    """Nothing of a filing is removed until it is released."""
    return (yield from _mark(batch, kept=True))


def release(batch: Sequence[Order]) -> Steps:
    """Its terms count again."""
    return (yield from _mark(batch, kept=False))


def _mark(batch: Sequence[Order], *, kept: bool) -> Steps:
    results: list[NotFound | NotHeld | None] = []
    for order in batch:
        (found,) = yield Statement(
            f"SELECT kept FROM filing WHERE number = ? {FOR_UPDATE}", [(order.number,)], fetch=True
        )
        if not found:
            results.append(NotFound(order.number))
        elif (found[0][0] is not None) is kept:
            results.append(
                NotHeld(
                    f"{order.number} {f'đã được giữ lại: {found[0][0]}' if kept else 'không được giữ lại'}",
                    f"{order.number} is {f'kept already: {found[0][0]}' if kept else 'not kept'}",
                )
            )
        else:
            act = "filing.keep" if kept else "filing.unkeep"
            yield Statement(
                "UPDATE filing SET kept = ? WHERE number = ?", [(order.why if kept else None, order.number)]
            )
            yield from append_audit(order.at, order.actor, act, order.number, order.why)
            results.append(None)
    return results
