"""Who gets a filing: service, place and day; and tables that cannot be used."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path

import pytest

from gateway.directory import OWN_DIRECTORY, DirectoryError, NoRoute, load_directory

OWN = load_directory(OWN_DIRECTORY)
BOTH = ["department-inspectorates", "district-committee-116"]
CITY, AFTER = ("03646", "116", "14"), ("03646", "14")


@pytest.mark.parametrize(
    ("service", "places", "day", "lead", "cooperating"),
    [
        ("detached-house-permit", CITY, "2025-06-30", "district-committee-116", []),
        ("detached-house-permit", AFTER, "2025-07-01", "commune-committee-03646", []),
        ("other-works-permit", ("04999", "125", "14"), "2024-01-01", "district-committee-125", []),
        ("company-single-member-formation", AFTER, "2025-02-28", "planning-investment", ["tax"]),
        ("company-single-member-formation", AFTER, "2025-03-01", "finance", ["tax"]),
        ("driving-licence", AFTER, "2025-02-28", "transport", []),
        ("driving-licence", AFTER, "2025-03-01", "provincial-police", []),
        ("labour-book", ("99999", "14"), "2026-01-01", "home-affairs", []),
        ("temporary-residence-absence", CITY, "2025-02-28", "provincial-police", ["district-police-116"]),
        ("temporary-residence-absence", AFTER, "2026-01-01", "provincial-police", ["commune-police-03646"]),
        ("complaint-denunciation", CITY, "2025-06-30", "inspectorate", BOTH),
        ("tax-declaration", (), "2026-01-01", "tax", []),
    ],
)  # fmt: skip
def test_the_route(
    service: str, places: tuple[str, ...], day: str, lead: str, cooperating: list[str]
) -> None:
    found = OWN.route(service, places, date.fromisoformat(day))
    assert (found.lead.id, [agency.id for agency in found.cooperating]) == (lead, cooperating)


def test_an_agency_has_the_name_of_its_place_on_that_day() -> None:
    before, after = date(2025, 1, 31), date(2025, 2, 1)
    names = [OWN.route("detached-house-permit", ("123", "14"), day).lead.name_vi for day in (before, after)]
    assert names == ["Ủy ban nhân dân huyện Mộc Châu", "Ủy ban nhân dân thị xã Mộc Châu"]


@pytest.mark.parametrize(
    ("service", "places", "day", "why"),
    [
        ("fishing", AFTER, "2026-01-01", "no agency leads the service fishing"),
        ("karaoke-licence", AFTER, "2012-12-31", "no agency leads"),
        ("detached-house-permit", ("99999", "14"), "2026-01-01", "no commune-committee on 2026-01-01 for 99999, 14"),
        ("karaoke-licence", ("00001", "01"), "2026-01-01", "no culture-sports-tourism"),
    ],
)  # fmt: skip
def test_where_there_is_none_the_reason_is_told(
    service: str, places: tuple[str, ...], day: str, why: str
) -> None:
    with pytest.raises(NoRoute, match=why):
        OWN.route(service, places, date.fromisoformat(day))


def test_a_cooperating_agency_that_cannot_be_told_does_not_stop_the_rest() -> None:
    found = OWN.route("temporary-residence-absence", ("99999", "14"), date(2026, 1, 1))
    assert found.cooperating == ()
    [(office, reason)] = found.missing
    assert office == "commune-police"
    assert "99999" in reason


@pytest.mark.parametrize(
    ("table", "old", "new", "fault"),
    [
        ("places", "04135,commune,14", "04135,commune,15", "04135 lies in 15, which is no place then"),
        ("places", "04135,commune", "04135,hamlet", "level is one of province, district, commune"),
        ("places", "116,district,14", "116,district,04135", "not of a higher level"),
        (
            "places",
            "thị xã Mộc Châu,2025-02-01",
            "thị xã Mộc Châu,2025-01-31",
            "123 has two rows for 2025-01-31",
        ),
        ("places", "2025-02-01,2025-06-30", "2025-02-30,2025-06-30", "line"),
        ("places", "2025-02-01,2025-06-30", "2025-07-01,2025-06-30", "it ends before it begins"),
        ("offices", "health,14", "health,77", "health is at 77, which is neither a place nor a *level"),
        ("offices", "*district,,Công an", "*hamlet,,Công an", "neither a place nor a *level"),
        ("offices", "health,14,,", "health,14,h52,", "agency's code"),
        (
            "services",
            "karaoke-licence,lead,culture-sports-tourism",
            "karaoke-licence,lead,nobody",
            "nobody, which is not in offices.csv",
        ),
        ("services", "karaoke-licence,lead", "karaoke-licence,boss", "role is lead or cooperating"),
        (
            "services",
            "labour-book,lead,home-affairs,2025-03-01",
            "labour-book,lead,home-affairs,2025-02-01",
            "the lead of labour-book has two rows",
        ),
        ("services", "service,role", "role,service", "its first line must be"),
        ("services", "karaoke-licence,lead,", "karaoke-licence,lead,x,", "5 columns"),
        ("services", "karaoke", '"karaoke', "services.csv"),
    ],
)
def test_faulty_tables_are_refused_whole(tmp_path: Path, table: str, old: str, new: str, fault: str) -> None:
    folder = shutil.copytree(OWN_DIRECTORY, tmp_path / "directory")
    file = folder / f"{table}.csv"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DirectoryError, match=re.escape(fault)):
        load_directory(folder)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    folder = shutil.copytree(OWN_DIRECTORY, tmp_path / "directory")
    (folder / "places.csv").write_bytes(b"\xff\xfe")
    (folder / "services.csv").unlink()
    with pytest.raises(DirectoryError) as refused:
        load_directory(folder)
    assert any(fault.startswith("places.csv") for fault in refused.value.faults)
    assert any(fault.startswith("services.csv") for fault in refused.value.faults)
