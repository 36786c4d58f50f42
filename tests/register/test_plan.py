"""The timeline and the warnings, as rows of dates with English names: pure functions of register, policy and date."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.register.entry import NO_END, Entry, Purpose, Rehearsal, State
from gateway.register.plan import plan, warning_level
from gateway.register.policy import OWN_POLICY, policy_at

DAY = timedelta(days=1)
NOW = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
POLICY = policy_at(OWN_POLICY, NOW)


def entry(
    name: str,
    state: State = State.ACTIVE,
    days: int = 400,
    purpose: Purpose = Purpose.NOTICES,
    party: str = "",
) -> Entry:
    return Entry(
        purpose=purpose, subject=f"CN={name}", issuer="CN=ca", serial="1", fingerprint=name * 6, party=party,
        valid_from=NOW - 300 * DAY, valid_to=NOW + days * DAY, octets=b"", state=state,
    )  # fmt: skip


def green(one: Entry) -> Entry:
    return replace(one, rehearsal=Rehearsal(one.fingerprint, NOW, "lan"))


def timeline(*entries: Entry) -> list[tuple[str, str, int, bool]]:
    """Act, entry's letters, days from now, whether it is late."""
    steps = plan(entries, POLICY, NOW)
    return [(s.act.value, s.entry.split("-")[-1][:2], (s.at - NOW).days, s.late) for s in steps]


A, B = entry("aa", days=100), entry("bb", State.NEXT, 500)
CLIENT = entry("aa", days=20, purpose=Purpose.CLIENT, party="provider beta")
SECOND = entry("bb", days=700, purpose=Purpose.CLIENT, party="provider beta")
OTHERS = entry("bb", days=700, purpose=Purpose.CLIENT, party="provider alpha")
BODIES = replace(entry("aa", purpose=Purpose.BODIES), valid_to=NO_END)

ROWS = {
    "a lone key is to be renewed a month before its end": (
        [A], [("renew", "aa", 70, False), ("ends", "aa", 100, False)],
    ),
    "a key with nothing next, three weeks before its end, is late": (
        [entry("aa", days=21)], [("renew", "aa", -9, True), ("ends", "aa", 21, False)],
    ),
    "a next key without a date changes nothing": ([A, B], [("renew", "aa", 70, False), ("ends", "aa", 100, False)]),
    "a next key with a date takes over, and has to be rehearsed the day before": (
        [A, replace(B, starts_at=NOW + 10 * DAY)],
        [("rehearse", "bb", 9, False), ("activates", "bb", 10, False), ("ends", "aa", 100, False)],
    ),
    "a rehearsed one just takes over": (
        [A, green(replace(B, starts_at=NOW + 10 * DAY))], [("activates", "bb", 10, False), ("ends", "aa", 100, False)],
    ),
    "one that would take over after the end of the old is no successor": (
        [A, green(replace(B, starts_at=NOW + 101 * DAY))],
        [("renew", "aa", 70, False), ("ends", "aa", 100, False), ("activates", "bb", 101, False)],
    ),
    "a date that has passed undone is late": (
        [A, green(replace(B, starts_at=NOW - DAY))], [("activates", "bb", -1, True), ("ends", "aa", 100, False)],
    ),
    "a retiring one is retired at the end of the overlap": (
        [replace(A, state=State.RETIRING, ends_at=NOW + 30 * DAY)], [("retires", "aa", 30, False)],
    ),
    "what is retired or revoked has no future": ([entry("aa", State.RETIRED), entry("bb", State.REVOKED)], []),
    "of a provider's two certificates the longer one follows the shorter": (
        [CLIENT, SECOND], [("ends", "aa", 20, False), ("renew", "bb", 670, False), ("ends", "bb", 700, False)],
    ),
    "another provider's certificate follows nobody's": (
        [CLIENT, OTHERS],
        [
            ("renew", "aa", -10, True), ("ends", "aa", 20, False),
            ("renew", "bb", 670, False), ("ends", "bb", 700, False),
        ],
    ),
    "a revocation list just ends": ([entry("aa", days=3, purpose=Purpose.CRL)], [("ends", "aa", 3, False)]),
    "a key of bodies has no end": ([BODIES], []),
    "one that another has taken over from is to be emptied before it is retired": (
        [replace(BODIES, state=State.RETIRING)], [("reseal", "aa", 0, False)],
    ),
    "what has ended and is still in use is late": (
        [entry("aa", days=-2)], [("renew", "aa", -32, True), ("ends", "aa", -2, True)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ROWS)
def test_the_timeline(name: str) -> None:
    entries, expected = ROWS[name]
    assert timeline(*entries) == expected


@pytest.mark.parametrize(
    ("left", "level"),
    [
        (timedelta(days=61), None), (timedelta(days=60), 60), (timedelta(days=31), 60), (timedelta(days=30), 30),
        (timedelta(days=14), 14), (timedelta(days=8), 14), (timedelta(days=7), 7), (timedelta(days=2), 7),
        (timedelta(days=1), 1), (timedelta(seconds=1), 1), (timedelta(0), 0), (timedelta(days=-5), 0),
    ],
)  # fmt: skip
def test_it_is_warned_at_60_30_14_7_and_1_days_and_at_the_end(left: timedelta, level: int | None) -> None:
    assert warning_level(replace(A, valid_to=NOW + left), POLICY, NOW) == level


def test_what_has_no_end_has_no_days_left_and_is_not_warned_of() -> None:
    assert BODIES.days_left(NOW) is None
    assert warning_level(BODIES, POLICY, NO_END) is None


def test_nobody_is_warned_of_what_is_not_in_use() -> None:
    for state in (State.NEXT, State.RETIRED, State.REVOKED):
        assert warning_level(replace(A, valid_to=NOW, state=state), POLICY, NOW) is None


class TestPolicy:
    def test_the_last_one_whose_day_has_come_counts(self, tmp_path: Path) -> None:
        text = OWN_POLICY.read_text("utf-8")
        (one,) = text.split("\n[[policy]]")[1:]
        later = one.replace("2025-01-01", "2027-01-01").replace("notices = 30", "notices = 90")
        file = tmp_path / "policy.toml"
        file.write_text(f"[[policy]]{one}\n[[policy]]{later}", "utf-8")
        overlaps = [
            policy_at(file, datetime(year, 1, 1, tzinfo=UTC)).overlaps[Purpose.NOTICES].days
            for year in (2026, 2027)
        ]
        assert overlaps == [30, 90]
        with pytest.raises(ConfigurationError, match="no policy is in force on 2024"):
            policy_at(file, datetime(2024, 12, 31, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("before", "after"),
        [
            ("rsa_bits = 2048", "rsa_bits = 1024"),
            ("tls = 1", "sommeil = 1"),
            ("four_eyes = []", 'four_eyes = ["all"]'),
        ],
    )
    def test_weak_or_unknown_words_are_refused(self, tmp_path: Path, before: str, after: str) -> None:
        file = tmp_path / "policy.toml"
        file.write_text(OWN_POLICY.read_text("utf-8").replace(before, after), "utf-8")
        with pytest.raises(ConfigurationError, match=r"policy\.toml"):
            policy_at(file, NOW)
