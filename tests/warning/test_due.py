"""What people are warned of, as rows with English names; and what of it comes from a certificate is harmless."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

import signing
from gateway.register.entry import Entry, NewEntry, Purpose, State
from gateway.register.policy import OWN_POLICY, policy_at
from gateway.status_sources import entry_of_source
from gateway.warning.due import Seen, due_matters
from gateway.warning.matter import Matter, plain
from signing.holdings import Kind as Held

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
POLICY = policy_at(OWN_POLICY, NOW)


def entry(left: timedelta, state: State = State.ACTIVE, subject: str = "CN=door") -> Entry:
    return Entry(
        purpose=Purpose.TLS, subject=subject, issuer="CN=ca", serial="1", fingerprint="ab" * 32,
        valid_from=NOW - 300 * DAY, valid_to=NOW + left, octets=b"", state=state,
    )  # fmt: skip


def held(kind: Held, left: timedelta, life: timedelta = 300 * DAY) -> signing.Holding:
    return signing.Holding(kind, "CN=authority", NOW + left - life, NOW + left)


def due(seen: Seen, at: datetime = NOW) -> list[Matter]:
    return due_matters(seen, POLICY, at)


_NEW = entry_of_source("crl.example.vn", NOW)
SOURCE = Entry(**{one.name: getattr(_NEW, one.name) for one in fields(NewEntry)}, state=State.ACTIVE)
"""Nobody renews it: what it fails to deliver is told as a list that ends, or a fault of the process that asks."""

ROWS: dict[str, tuple[Seen, list[str]]] = {
    "a certificate with 61 days left": (Seen([entry(61 * DAY)]), []),
    "a certificate with 60 days left": (Seen([entry(60 * DAY)]), ["certificate-ends"]),
    "a certificate that has ended": (Seen([entry(-HOUR)]), ["certificate-ended"]),
    "one that is not in use": (Seen([entry(DAY, State.NEXT), entry(DAY, State.RETIRED)]), []),
    "a list with a day and an hour left": (Seen([], [held(Held.CRL, 25 * HOUR)]), []),
    "a list with less than a day left": (Seen([], [held(Held.CRL, 23 * HOUR)]), ["list-ends"]),
    "a list that lives for a day, at a third of its life": (Seen([], [held(Held.CRL, 16 * HOUR, DAY)]), []),
    "a list that lives for a day, near its end": (Seen([], [held(Held.CRL, 11 * HOUR, DAY)]), ["list-ends"]),
    "a list past its next update": (Seen([], [held(Held.CRL, -HOUR)]), ["list-ended"]),
    "the same list in two folders": (Seen([], [held(Held.CRL, -HOUR), held(Held.CRL, -HOUR)]), ["list-ended"]),
    "an anchor with six days left": (Seen([], [held(Held.ANCHOR, 6 * DAY)]), ["trust-ends-soon"]),
    "an anchor with eight days left": (Seen([], [held(Held.ANCHOR, 8 * DAY)]), []),
    "an intermediate that has ended": (Seen([], [held(Held.INTERMEDIATE, -DAY)]), ["trust-ended"]),
    "an anchor that the register tells of": (
        Seen([entry(6 * DAY, subject="CN=authority")], [held(Held.ANCHOR, 6 * DAY)]), ["certificate-ends"],
    ),
    "what two processes could not take over": (Seen([], faults=["no key", "no key"]), ["not-taken-over"]),
    "a change whose time came an hour ago": (
        Seen([replace(entry(400 * DAY, State.NEXT), starts_at=NOW - HOUR)]), ["change-late"],
    ),
    "a change whose time came a minute ago": (
        Seen([replace(entry(400 * DAY, State.NEXT), starts_at=NOW - timedelta(minutes=1))]), [],
    ),
    "a source of status, which has no end": (Seen([SOURCE]), []),
    "a source of status on its way out, asked until then": (
        Seen([replace(SOURCE, state=State.RETIRING, ends_at=NOW + DAY)]), [],
    ),
    "a source of status that was to be asked an hour ago": (
        Seen([replace(SOURCE, state=State.NEXT, starts_at=NOW - HOUR)]), ["change-late"],
    ),
    "a source in use whose list is past its next update all the same": (
        Seen([SOURCE], [held(Held.CRL, -HOUR)]), ["list-ended"],
    ),
    "overdue filings": (Seen([], overdue={"forwarding": 2, "verdict": 0}), ["filings-overdue"]),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_what_is_due(name: str) -> None:
    seen, kinds = ROWS[name]
    found = due(seen)
    assert [one.kind.value for one in found] == kinds
    assert all(one.text.vi and one.text.en and one.mend.vi and one.mend.en for one in found)


def test_each_level_is_another_matter_and_each_day_of_a_level_is_the_same() -> None:
    one = entry(61 * DAY)
    told = [[matter.id for matter in due(Seen([one]), NOW + n * DAY)] for n in range(70)]
    levels = [ids[0] for ids in told if ids]
    assert len(dict.fromkeys(levels)) == 6, "60, 30, 14, 7, 1, and its end"
    assert levels == sorted(levels, key=levels.index), "none comes back"


def test_overdue_filings_are_told_once_a_day() -> None:
    seen = Seen([], overdue={"verdict": 3})
    ids = {due(seen, NOW + n * HOUR)[0].id for n in range(48)}
    assert len(ids) == 3, "of Vietnam's days: the rest of one, a whole one, the beginning of a third"


HOSTILE = "CN=a\r\nBcc: thief@example.vn\x00\x1b[2J\u202e\u2066\u200b\u2028\u2029\ud800nv.etag"


def test_a_subject_neither_breaks_lines_nor_turns_them_round() -> None:
    (found,) = due(Seen([entry(5 * DAY, subject=HOSTILE)]))
    for text in (found.text.vi, found.text.en, plain(HOSTILE)):
        assert text.isprintable()
        assert "thief@example.vn" in text, "told, as one line"
        assert not set("\r\n\x00\x1b\u202e\u2066\u200b\u2028\u2029\ud800") & set(text)


def test_a_long_subject_leaves_room_for_the_day() -> None:
    (found,) = due(Seen([entry(5 * DAY, subject="CN=" + "x" * 100_000)]))
    assert len(found.text.en) < 300
    assert found.text.en.endswith("2026-06-06 15:00 (+07:00).")
