"""Working days, terms and maintenance windows, in Vietnam's time."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from gateway.calendar import (
    OWN_CALENDAR,
    CalendarError,
    Milestone,
    closed_until,
    load_deadlines,
    read_windows,
)
from gateway.filing.identifiers import VIETNAM

DEADLINES = load_deadlines(OWN_CALENDAR)
TAX = ("842", "tax-declaration")


def vn(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("received", "due"),
    [
        ("2026-11-23T08:00", "2026-11-26T00:00"),  # the 24th is Culture Day: by the end of the 25th
        ("2026-11-25T23:59:59", "2026-11-27T00:00"),
        ("2026-11-26T00:00", "2026-11-28T00:00"),
        ("2026-11-27T10:00", "2026-12-01T00:00"),  # Friday: Monday
        ("2026-11-28T10:00", "2026-12-01T00:00"),  # Saturday: Monday
        ("2026-02-13T10:00", "2026-02-24T00:00"),  # over Tết
        ("2026-08-21T10:00", "2026-08-23T00:00"),  # Saturday 22 August is worked
        ("2026-08-28T10:00", "2026-09-04T00:00"),  # … for Monday 31 August
        ("2026-04-24T10:00", "2026-04-29T00:00"),  # Hùng Kings' Day on a Sunday: Monday off
    ],
)
def test_a_verdict_is_due_at_the_end_of_the_next_working_day(received: str, due: str) -> None:
    assert DEADLINES.of(Milestone.VERDICT, TAX, vn(received)) == vn(due)


def test_the_day_is_vietnams_not_that_of_utc() -> None:
    late = datetime.fromisoformat("2026-11-25T17:30:00+00:00")  # 00:30 on the 26th in Vietnam
    assert DEADLINES.of(Milestone.VERDICT, TAX, late) == vn("2026-11-28T00:00")


def test_terms_go_by_service_and_by_the_day_of_receipt() -> None:
    at = vn("2026-11-25T10:00")
    refund = DEADLINES.of(Milestone.VERDICT, ("954", "tax-declaration"), at)
    assert refund == vn("2026-12-01T00:00")
    before = vn("2026-06-24T10:00")
    assert DEADLINES.of(Milestone.VERDICT, ("954", "tax-declaration"), before) == vn("2026-06-26T00:00")
    assert DEADLINES.of(Milestone.VERDICT, ("some-permit", "permit-dossier"), at) is None
    assert DEADLINES.of(Milestone.FORWARDING, ("some-permit", "permit-dossier"), at) == at + timedelta(
        hours=1
    )
    assert DEADLINES.of(Milestone.RECEIPT, TAX, at) == at + timedelta(minutes=15)
    assert DEADLINES.of(Milestone.RECEIPT, TAX, vn("2020-01-01T10:00")) is None


def test_a_year_without_days_is_told_as_unknown() -> None:
    assert DEADLINES.days.knows(date(2027, 5, 1))
    assert not DEADLINES.days.knows(date(2031, 1, 1))
    assert DEADLINES.days.works(date(2031, 1, 1))


def test_every_day_and_term_says_where_it_is_laid_down() -> None:
    for name in ("days.csv", "terms.csv"):
        lines = (OWN_CALENDAR / name).read_text(encoding="utf-8").splitlines()[2:]
        assert lines
        assert not any(",," in line for line in lines)


def test_faulty_tables_are_refused_with_every_fault(tmp_path: Path) -> None:
    (tmp_path / "days.csv").write_text(
        "day,kind,name_vi,name_en,source\n2026-02-30,off,a,b,c\n2026-01-01,on,a,b,c\n2026-01-01,off,a,b,c\n2026-01-02,off\n"
    )
    (tmp_path / "terms.csv").write_text(
        "service,milestone,amount,unit,source,from,until\n"
        "*,verdict,0,hours,x,2026-01-01,2026-12-31\n"
        "*,lunch,1,weeks,x,2026-01-01,2025-12-31\n"
        "*,receipt,1,hours,x,2026-01-01,2026-12-31\n"
        "*,receipt,2,hours,x,2026-06-01,2027-12-31\n"
    )
    with pytest.raises(CalendarError) as refused:
        load_deadlines(tmp_path)
    faults = "\n".join(refused.value.faults)
    for told in ("2026-02-30", "kind is", "comes twice", "5 columns", "amount is", "milestone is", "unit is"):
        assert told in faults
    assert "it ends before it begins" in faults
    assert "two terms for its receipt" in faults
    with pytest.raises(CalendarError):
        load_deadlines(tmp_path / "nowhere")


class TestWindows:
    @pytest.mark.parametrize(
        ("texts", "at", "until"),
        [
            (["daily 22:00-23:30"], "2026-11-25T21:59", None),
            (["daily 22:00-23:30"], "2026-11-25T22:00", "2026-11-25T23:30"),
            (["daily 22:00-23:30"], "2026-11-25T23:30", None),
            (["sat 22:00-02:00"], "2026-11-29T01:00", "2026-11-29T02:00"),  # Sunday morning
            (["sat 22:00-02:00"], "2026-11-30T01:00", None),
            (["sun 00:00-24:00"], "2026-11-29T12:00", "2026-11-30T00:00"),
            (["sat 20:00-24:00", "sun 00:00-06:00"], "2026-11-28T21:00", "2026-11-29T06:00"),
            (["2026-12-31T22:00/2027-01-01T06:00"], "2027-01-01T05:59", "2027-01-01T06:00"),
            (["2026-12-31T22:00/2027-01-01T06:00"], "2027-12-31T23:00", None),
            ([], "2026-11-25T22:00", None),
        ],
    )
    def test_when_an_agency_may_be_called_again(self, texts: list[str], at: str, until: str | None) -> None:
        assert closed_until(read_windows(texts), vn(at)) == (vn(until) if until else None)

    def test_windows_all_round_the_clock_end_the_reckoning(self) -> None:
        assert closed_until(read_windows(["daily 00:00-24:00"]), vn("2026-11-25T22:00")) is not None

    @pytest.mark.parametrize(
        "text",
        ["", "daily", "daily 22:00-22:00", "daily 24:00-01:00", "daily 25:00-26:00", "fun 22:00-23:00",
         "2026-12-31T22:00/2026-12-31T22:00", "2026-02-30T22:00/2026-03-01T22:00", "daily 9:00-10:00"],
    )  # fmt: skip
    def test_what_is_no_window_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            read_windows([text])
