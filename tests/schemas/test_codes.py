"""Codes as dated lists: judged where the list is whole, on the day that counts; and what a list may not be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from schemas import Catalogue, CatalogueError, Fault, load_catalogue
from schemas.catalogue import OWN_CATALOGUE
from schemas.codes import CodeList, CodeListError, read_codes
from schemas.example_checks import changed
from tests.schemas.conftest import RECEIVED, Examine, codes, copy_of_catalogue, signed_part

FOLDER = OWN_CATALOGUE / "codes"


def the_list(name: str) -> CodeList:
    return read_codes(name, (FOLDER / f"{name}.csv").read_text("utf-8"))


def examined(
    catalogue: Catalogue, changes: Mapping[str, str], at: datetime = RECEIVED, form: str = "karaoke-licence"
) -> dict[str, Fault]:
    document = (OWN_CATALOGUE / f"permits/{form}-1.0.0/examples/passes.xml").read_bytes()
    found = catalogue.examine(signed_part(changed(document, changes)), received_at=at)
    return {fault.code: fault for fault in found.faults}


def test_the_provinces_of_both_times() -> None:
    provinces = the_list("provinces")
    assert provinces.whole

    def on(*day: int) -> set[str]:
        return {code for code in provinces.codes if provinces.on(code, date(*day)) is not None}

    assert (len(on(2025, 6, 30)), len(on(2025, 7, 1))) == (63, 34)
    assert on(2025, 7, 1) < on(2025, 6, 30)
    for code in on(2025, 6, 30) - on(2025, 7, 1):
        assert provinces.instead(code, date(2025, 7, 1)) is not None, code
    assert all(code.name_vi == "Sơn La" for code in provinces.codes["14"])
    assert [code.name_vi for code in provinces.codes["15"]] == ["Yên Bái", "Lào Cai"]


def test_a_province_of_before_and_what_it_is_now(catalogue: Catalogue) -> None:
    fault = examined(catalogue, {"maTinh": "02"})["code.not-in-force"]
    assert (fault.severity, fault.path, fault.value) == ("ERROR", "HoSo/ThongTinChung/DiaBan/maTinh", "02")
    assert "(Hà Giang)" in fault.message_vi
    assert "20/07/2026" in fault.message_en
    assert "08 (Tuyên Quang)" in fault.remedy_vi
    assert "08 (Tuyên Quang)" in fault.remedy_en


def test_the_day_is_that_of_filing_in_vietnam(catalogue: Catalogue) -> None:
    before, after = datetime(2025, 6, 30, 16, 59, tzinfo=UTC), datetime(2025, 6, 30, 17, 0, tzinfo=UTC)
    assert "code.not-in-force" not in examined(catalogue, {"maTinh": "02"}, before)
    assert "code.not-in-force" in examined(catalogue, {"maTinh": "02"}, after)


def test_a_code_that_never_was_is_told_once(catalogue: Catalogue) -> None:
    assert {*examined(catalogue, {"maTinh": "03"})} == {"code.unknown"}
    assert {*examined(catalogue, {"maTinh": "014"})} == {"code.unknown"}
    assert {*examined(catalogue, {"maTinh": "1x"})} == {"xsd.type"}
    other = examined(catalogue, {"maTinhTruSo": "28"}, form="law-practice-branch-registration")
    assert {*other} == {"code.unknown"}


def test_by_a_sample_nobody_is_judged(catalogue: Catalogue, examine: Examine) -> None:
    assert not {"code.unknown", "code.not-in-force"} & {*codes(examine({"maCQTNoiNop": "99999"}))}
    lines = examined(catalogue, {"maNganh": "9999"}, form="private-enterprise-formation")
    assert not lines


def copied(tmp_path: Path, file: str, old: str, new: str) -> Path:
    folder = copy_of_catalogue(
        tmp_path / "catalogue", "842", "karaoke-licence", "private-enterprise-formation"
    )
    text = (folder / file).read_text("utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1), "utf-8")
    return folder


def refused(folder: Path) -> tuple[str, ...]:
    with pytest.raises(CatalogueError) as error:
        load_catalogue(folder)
    return error.value.faults


def test_a_tax_form_is_judged_by_the_end_of_its_period(tmp_path: Path) -> None:
    folder = copied(tmp_path, "codes/tax-offices.csv", "# sample", "# whole")
    offices = folder / "codes/tax-offices.csv"
    text = offices.read_text("utf-8")
    assert "30300,Thuế tỉnh Sơn La,2025-07-01,," in text
    offices.write_text(text.replace("2025-07-01,,", "2021-01-01,2026-06-29,"), "utf-8")
    assert any(
        fault.startswith("842-2.8.3/examples/passes.xml") and "code.not" in fault for fault in refused(folder)
    )
    offices.write_text(text.replace("2025-07-01,,", "2021-01-01,2026-06-30,"), "utf-8")
    assert load_catalogue(folder).forms


def test_every_row_of_a_table_is_judged(tmp_path: Path) -> None:
    folder = copied(tmp_path, "codes/economic-sectors.csv", "# sample", "# whole")
    [told] = [
        f for f in refused(folder) if f.startswith("private-enterprise-formation-1.0.0/examples/passes.xml")
    ]
    assert told.count("code.not-in-force") == 2, told


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        ("codes/provinces.csv", "# whole", "# half", "codes/provinces.csv: the first line"),
        ("permits/codes.toml", "maTinh", "maTinnh", "[DiaBan/maTinnh] is no one field"),
        ("permits/codes.toml", "DiaBan/maTinh", "LePhi/soTien", "[LePhi/soTien] is no one field"),
        ("permits/codes.toml", '"provinces"', '"countries"', "no list codes/countries.csv"),
        ("permits/codes.toml", "= ", "", "permits/codes.toml"),
        ("tax/842-2.8.3/form.toml", "max_elements", 'codes = { ct36 = "provinces" }\nmax_elements', "[ct36]"),
    ],
)
def test_the_catalogue_refuses(tmp_path: Path, file: str, old: str, new: str, named: str) -> None:
    faults = refused(copied(tmp_path, file, old, new))
    assert any(named in fault for fault in faults), faults


HEAD = "# whole\n# vi: Tên\n# en: Name\ncode,name_vi,from,until,became\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("code,name_vi,from,until,became\n1,A,2020-01-01,,\n", "the first line must be"),
        (f"{HEAD}1,A,2020-01-01,,\n".replace("# en: Name\n", ""), "lacks a title"),
        (f"{HEAD}1,A,2020-01-01,,\n".replace("name_vi", "name"), "the columns must be"),
        (HEAD, "no code at all"),
        (f"{HEAD}1,A,2020-01-01,\n", "4 columns"),
        (f"{HEAD}1,,2020-01-01,,\n", "a code and a name"),
        (f"{HEAD} 1,A,2020-01-01,,\n", "a code and a name"),
        (f"{HEAD}1,A,2020-13-01,,\n", "month must be"),
        (f"{HEAD}1,A,,,\n", "Invalid isoformat"),
        (f"{HEAD}1,A,2020-01-02,2020-01-01,\n", "until lies before from"),
        (f"{HEAD}1,A,2020-01-01,,\n1,B,2021-01-01,,\n", "1: two rows for 2021-01-01"),
        (f"{HEAD}1,B,2021-01-01,,\n1,A,2020-01-01,2021-01-01,\n", "1: two rows for 2021-01-01"),
        (f"{HEAD}1,A,2020-01-01,,2\n2,B,2020-01-01,,\n", "never ended"),
        (f"{HEAD}1,A,2020-01-01,2020-12-31,2\n2,B,2022-01-01,,\n", "1: it became 2"),
    ],
)
def test_a_faulty_list_is_refused(text: str, told: str) -> None:
    with pytest.raises(CodeListError, match=told):
        read_codes("x", text)


def test_all_faults_of_a_list_at_once() -> None:
    with pytest.raises(CodeListError) as error:
        read_codes("x", f"{HEAD}1,A,2020-13-01,,\n2,,2020-01-01,,\n3,C,2020-01-01,,\n3,D,2020-01-01,,\n")
    assert len(error.value.faults) == 3


def test_rows_that_follow_each_other_are_good() -> None:
    found = read_codes("x", f"{HEAD}1,A,2020-01-01,2020-12-31,2\n1,B,2021-01-01,,\n2,C,2021-01-01,,\n")
    assert [code.name_vi for code in found.codes["1"]] == ["A", "B"]
    assert found.on("1", date(2019, 12, 31)) is None
