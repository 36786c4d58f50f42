"""Notices signed anew after their key was compromised: the new one in the place of the old, which is kept beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.filing.filing import SignedNotice
from gateway.store.audit import append_audit
from gateway.store.operations import INSERT_EVENT
from gateway.store.rows import Row, json_text, notice_of, time_text
from gateway.store.statements import FOR_UPDATE, Statement, Steps

SIGNED_SINCE = """
SELECT number, kind, issued_at, document FROM notice
WHERE issued_at >= ? AND (number > ? OR (number = ? AND kind > ?)) ORDER BY number, kind LIMIT ?
"""
SUPERSEDED = """
SELECT kind, issued_at, document FROM superseded_notice WHERE number = ? ORDER BY superseded_at, kind
"""


@dataclass(frozen=True, slots=True)
class Given:
    """A notice as it was given about a filing."""

    number: str
    notice: SignedNotice


@dataclass(frozen=True, slots=True)
class Reissue:
    """One notice in the place of another."""

    old: Given
    new: SignedNotice


@dataclass(frozen=True, slots=True)
class Reissues:
    """Some of them, in one transaction. `key`: the entry of the register that signed the old ones."""

    made: tuple[Reissue, ...]
    key: str
    actor: str
    why: str
    at: datetime


def signed_since_row(since: datetime, after: Given | None, limit: int) -> Row:
    """For SIGNED_SINCE: a page of `limit` notices issued since then, after another in the order of number and kind."""
    number, kind = (after.number, after.notice.kind.value) if after else ("", "")
    return (time_text(since), number, number, kind, limit)


def given_of(row: Row) -> Given:
    """From a row of SIGNED_SINCE."""
    return Given(row[0], notice_of(row[1:]))


def reissue(batch: Sequence[Reissues]) -> Steps:
    """Answers, for each order, how many notices it has put in another's place; one that is there no more stays out."""
    results = []
    for order in batch:
        done: list[Reissue] = []
        for one in order.made:
            old, key = one.old.notice, (one.old.number, one.old.notice.kind.value)
            (found,) = yield Statement(
                f"SELECT document FROM notice WHERE number = ? AND kind = ? {FOR_UPDATE}", [key], fetch=True
            )
            if not found or bytes(found[0][0]) != old.document:
                continue
            yield Statement(
                """INSERT INTO superseded_notice (number, kind, issued_at, document, superseded_at)
                   VALUES (?, ?, ?, ?, ?)""",
                [(*key, time_text(old.issued_at), old.document, time_text(order.at))],
            )
            yield Statement(
                "UPDATE notice SET issued_at = ?, document = ? WHERE number = ? AND kind = ?",
                [(time_text(one.new.issued_at), one.new.document, *key)],
            )
            told = f"{old.kind.value}: sha256 {_digest(old)} → {_digest(one.new)}, {order.key}"
            yield Statement(INSERT_EVENT, [(key[0], time_text(order.at), "notice-reissued", told)])
            done.append(one)
        if done:
            detail = {"why": order.why, "notices": [[d.old.number, d.old.notice.kind.value] for d in done]}
            yield from append_audit(order.at, order.actor, "notices.reissue", order.key, json_text(detail))
        results.append(len(done))
    return results


def _digest(notice: SignedNotice) -> str:
    return hashlib.sha256(notice.document).hexdigest()
