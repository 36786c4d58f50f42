"""Providers, agencies, certificates, keys and limits live in tables; the settings file only seeds them.

A seed that changes a row raises the epoch, which tells every process to read again, and leaves an audit
record. Audit records are append-only and each names the hash of the one before.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from gateway.store.audit import HOLD_AUDIT, append_audit
from gateway.store.rows import Row, json_text
from gateway.store.statements import Statement, Steps

SEEDED_TABLES = frozenset({"provider", "agency", "client_certificate", "limits"})


@dataclass(frozen=True, slots=True)
class Seed:
    """One row as it should be; its first column is the key. An existing row keeps the columns that are absent here.

    `initial` columns are written only where the row is new: later they are an administrator's.
    """

    table: str
    row: Mapping[str, str | int | float | bytes]
    initial: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Roster:
    """All client certificates that an actor lists for one party.

    Those of the party that are active by the same actor's hand and no longer listed are retired; those that it
    retired and lists again are restored. What somebody else switched on or off stays as it is.
    """

    kind: str
    party: str
    fingerprints: frozenset[str]


@dataclass(frozen=True, slots=True)
class Seeding:
    """Rows that one actor brings at one time, and then its rosters."""

    seeds: tuple[Seed, ...]
    actor: str
    at: datetime
    rosters: tuple[Roster, ...] = ()


def seed(batch: Sequence[Seeding]) -> Steps:
    """Bring the rows in; answers the number of rows that changed for each seeding."""
    results = []
    yield Statement(HOLD_AUDIT, [()], fetch=True)
    for seeding in batch:
        changed = 0
        for one in seeding.seeds:
            changed += yield from _seed_row(one, seeding)
        for roster in seeding.rosters:
            changed += yield from _call_roll(roster, seeding)
        if changed:
            yield Statement("UPDATE epoch SET value = value + 1", [()])
        results.append(changed)
    return results


def _seed_row(one: Seed, seeding: Seeding) -> Generator[Statement, list[list[Row]], int]:
    if one.table not in SEEDED_TABLES:
        raise ValueError(f"{one.table} is not a seeded table")
    columns = list(one.row)
    values = list(one.row.values())
    names = ", ".join(columns)
    (found,) = yield Statement(
        f"SELECT {names} FROM {one.table} WHERE {columns[0]} = ?",
        [(values[0],)],
        fetch=True,
    )
    if found and list(found[0]) == values:
        return 0
    if found:
        assignments = ", ".join(f"{name} = ?" for name in columns[1:])
        sql = f"UPDATE {one.table} SET {assignments} WHERE {columns[0]} = ?"
        yield Statement(sql, [(*values[1:], values[0])])
    else:
        columns, values = [*columns, *one.initial], [*values, *one.initial.values()]
        sql = f"INSERT INTO {one.table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
        yield Statement(sql, [tuple(values)])
    detail = {k: v for k, v in one.row.items() if not isinstance(v, bytes)}
    act = "change" if found else "add"
    yield from append_audit(
        seeding.at, seeding.actor, f"{one.table}.{act}", str(values[0]), json_text(detail)
    )
    return 1


_ROLL = """
SELECT c.fingerprint, c.active, a.act FROM client_certificate c JOIN audit a ON a.seq = (
    SELECT max(seq) FROM audit WHERE subject = c.fingerprint AND act LIKE 'client_certificate.%'
    AND (act <> 'client_certificate.change' OR detail LIKE '%"active":%'))
WHERE c.kind = ? AND c.party = ? AND a.actor = ?
"""
"""A party's certificates whose last switching on or off was this actor's, and how it was done."""


def _call_roll(roster: Roster, seeding: Seeding) -> Generator[Statement, list[list[Row]], int]:
    (found,) = yield Statement(_ROLL, [(roster.kind, roster.party, seeding.actor)], fetch=True)
    changed = 0
    for fingerprint, active, last in found:
        listed = fingerprint in roster.fingerprints
        if listed == bool(active) or (listed and last != "client_certificate.retire"):
            continue
        yield Statement(
            "UPDATE client_certificate SET active = ? WHERE fingerprint = ?", [(int(listed), fingerprint)]
        )
        act = "client_certificate.restore" if listed else "client_certificate.retire"
        detail = json_text({"kind": roster.kind, "party": roster.party})
        yield from append_audit(seeding.at, seeding.actor, act, fingerprint, detail)
        changed += 1
    return changed
