"""Warnings to people: each raised once for a channel, claimed by one process, sent or put off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from gateway.store.operations import FARTHEST
from gateway.store.rows import Row, json_text, time_text
from gateway.store.statements import NOW, SKIP_LOCKED, Statement, Steps
from gateway.warning.matter import Matter

_matter = msgspec.json.Decoder(Matter)
_DUE = f"(due_at <= {NOW} OR due_at > {FARTHEST})"
ANY_DUE = f"SELECT 1 FROM warning WHERE channel = ? AND {_DUE} LIMIT 1"
WAITING = "SELECT channel, count(*) FROM warning WHERE due_at IS NOT NULL GROUP BY channel"
NEWEST = """
SELECT channel, matter, raised_at, sent_at, due_at IS NULL, failures, fault FROM warning
ORDER BY raised_at DESC, id, channel LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class Raised:
    """Matters as one process sees them at a time, for channels by name."""

    channels: tuple[str, ...]
    matters: tuple[Matter, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class Claim:
    """A process's wish for work for one channel."""

    channel: str
    owner: str
    limit: int
    lease_seconds: float


@dataclass(frozen=True, slots=True)
class ClaimedWarning:
    """See `jobs.warn.Claimed`."""

    matter: Matter
    raised_at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of claimed warnings. `again_seconds` None: never again."""

    channel: str
    owner: str
    ids: tuple[str, ...]
    at: datetime
    fault: str | None
    again_seconds: float | None


@dataclass(frozen=True, slots=True)
class WarningState:
    """How a warning stands at one channel: sent, given up, or neither yet."""

    channel: str
    matter: Matter
    raised_at: datetime
    sent_at: datetime | None
    given_up: bool
    failures: int
    fault: str | None


def raise_warnings(batch: Sequence[Raised]) -> Steps:
    """Answers how many rows are new."""
    results = []
    for one in batch:
        rows = [
            (matter.id, channel, json_text(matter), time_text(one.at))
            for matter in sorted(one.matters, key=lambda matter: matter.id)  # no deadlocks
            for channel in sorted(one.channels)
        ]
        made = yield Statement(
            f"""INSERT INTO warning (id, channel, matter, raised_at, due_at) VALUES (?, ?, ?, ?, {NOW})
                ON CONFLICT DO NOTHING RETURNING id""",
            rows,
            fetch=True,
        )
        results.append(sum(len(found) for found in made))
    return results


def claim_warnings(batch: Sequence[Claim]) -> Steps:
    """Answers `ClaimedWarning`s, the oldest first. A claim whose owner died is another's once its time is over."""
    results = []
    for one in batch:
        (rows,) = yield Statement(
            f"""WITH picked AS MATERIALIZED (
                    SELECT id FROM warning WHERE channel = ?1 AND {_DUE}
                    ORDER BY due_at, id LIMIT ?2 {SKIP_LOCKED})
                UPDATE warning SET owner = ?3, due_at = {NOW} + ?4
                WHERE channel = ?1 AND id IN (SELECT id FROM picked)
                RETURNING matter, raised_at, failures, id""",
            [(one.channel, one.limit, one.owner, one.lease_seconds)],
            fetch=True,
        )
        rows.sort(key=lambda row: (row[1], row[3]))
        results.append(
            [ClaimedWarning(_matter.decode(row[0]), datetime.fromisoformat(row[1]), row[2]) for row in rows]
        )
    return results


def record_warnings(batch: Sequence[Outcome]) -> Steps:
    """Nothing is written of a claim that is another's by now."""
    for one in batch:
        ids = sorted(one.ids)
        if one.fault is None:
            yield Statement(
                """UPDATE warning SET due_at = NULL, owner = NULL, fault = NULL, sent_at = ?
                   WHERE id = ? AND channel = ? AND owner = ?""",
                [(time_text(one.at), id, one.channel, one.owner) for id in ids],
            )
        else:
            yield Statement(
                f"""UPDATE warning SET due_at = {NOW} + ?, owner = NULL, fault = ?, failures = failures + 1
                    WHERE id = ? AND channel = ? AND owner = ?""",
                [(one.again_seconds, one.fault, id, one.channel, one.owner) for id in ids],
            )
    return [None] * len(batch)


def warning_state_of(row: Row) -> WarningState:
    """From a row of NEWEST."""
    sent = None if row[3] is None else datetime.fromisoformat(row[3])
    given_up = bool(row[4]) and sent is None
    return WarningState(
        row[0], _matter.decode(row[1]), datetime.fromisoformat(row[2]), sent, given_up, row[5], row[6]
    )
