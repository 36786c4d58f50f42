"""The header: rules one by one, dates as rows, and which form judges."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime, timedelta

import pytest

from schemas import Catalogue, example_declaration, judge_tax_code, read_declaration
from schemas.period import due_date, read_period, vietnam_day
from schemas.taxcode import check_digit
from tests.schemas.conftest import RECEIVED, SHARED, VIETNAM, Examine, codes, signed_part

# what is changed -> the codes found, severities included
ROWS = [
    ({"mst": "5500998805"}, ["header.tax-code.check-digit"]),
    ({"mst": "5500998805-001"}, ["header.tax-code.check-digit"]),
    ({"mst": "5500998804-001"}, []),
    ({"mst": "014099000001"}, []),
    ({"mst": "55009988041"}, ["xsd.type"]),
    ({"mst": "５500998804"}, ["xsd.type"]),
    ({"mst": " 5500998804"}, ["xsd.type"]),
    ({"mst": ""}, ["xsd.empty"]),
    ({"soLan": "1"}, ["header.submission-number"]),
    ({"soLan": "00"}, ["xsd.type"]),
    ({"kyKKhai": "5/2026"}, ["header.period.format"]),
    ({"kyKKhai": "02/2026"}, ["header.period.format"]),
    ({"kyKKhai": "2/20266"}, ["header.period.format"]),
    ({"kyKKhai": "quý 2"}, ["xsd.type"]),
    ({"kieuKy": "Y", "kyKKhai": "2025"}, ["header.period.kind", "header.period.day", "header.period.day"]),
    ({"kieuKy": "W"}, ["xsd.type"]),
    ({"kyKKhaiTuNgay": "02/04/2026"}, ["header.period.day"]),
    ({"kyKKhaiDenNgay": "31/06/2026"}, ["date.not-real"]),
    ({"kyKKhaiDenNgay": "2026-06-30"}, ["xsd.type"]),
    ({"kyKKhaiTuThang": "04/2026", "kyKKhaiDenThang": "06/2026"}, []),
    ({"kyKKhaiTuThang": "05/2026"}, ["header.period.month"]),
    ({"kyKKhaiTuThang": "4/2026"}, ["xsd.type"]),
    ({"maCQTNoiNop": "3030"}, ["xsd.type"]),
    ({"ngayKy": "2026-02-29"}, ["date.not-real"]),
    ({"ngayKy": "2026-07-21"}, ["header.date.in-future"]),
    ({"ngayKy": "15/07/2026"}, ["xsd.type"]),
    ({"ngayKy": "2026-07-15Z"}, ["xsd.type"]),
    ({"ngayKy": ""}, ["xsd.empty"]),
    ({"ngayLapTKhai": "2027-01-01"}, ["header.drawn-up-in-future"]),
    ({"ngayLapTKhai": ""}, []),
    ({"tenNNT": unicodedata.normalize("NFD", "CÔNG TY MƯỜNG LA")}, ["header.unicode"]),
    ({"tenNNT": "A" * 501}, ["xsd.type"]),
    ({"ma_NganhNghe": None, "ten_NganhNghe": None, "tieuMucHachToan": None}, []),
    ({"GiaHan": None, "kyKKhaiTuThang": None, "kyKKhaiDenThang": None, "phuongXa": None, "PLuc": None}, []),
    ({"nguoiKy": None}, ["xsd.missing"]),
    ({"TTinChung": None}, ["form.unknown"]),
    ({"maTKhai": "999"}, ["form.unknown"]),
    ({"maTKhai": None}, ["form.unknown"]),
    ({"pbanTKhaiXML": "2.5.1"}, ["form.unknown-version"]),
    ({"maTKhai": "01", "pbanTKhaiXML": "2.0.0"}, ["form.not-accepted-here"]),
    ({"maTKhai": "01", "pbanTKhaiXML": "9.9.9"}, ["form.unknown"]),
    ({"loaiTKhai": "B"}, ["header.supplement-number", "form.annex-missing"]),
    ({"loaiTKhai": "D"}, ["form.kind-not-accepted"]),
]


@pytest.mark.parametrize(("overrides", "expected"), ROWS, ids=[str(row[0])[:60] for row in ROWS])
def test_header_row_by_row(examine: Examine, overrides: dict[str, str | None], expected: list[str]) -> None:
    found = examine(overrides)
    assert codes(found) == expected
    warning_only = all(fault.severity != "ERROR" for fault in found.faults)
    assert found.accepted is warning_only
    for fault in found.faults:
        assert fault.message_vi
        assert fault.message_en
        assert fault.remedy_vi
        assert fault.remedy_en
        assert fault.path.startswith("HSoKhaiThue")


def test_the_official_words_for_a_wrong_form(examine: Examine) -> None:
    [fault] = examine({"pbanTKhaiXML": "9.9.9"}).faults
    assert fault.message_vi == "Mã hồ sơ (842) hoặc phiên bản hồ sơ (9.9.9) không đúng"
    assert fault.label_vi == "Phiên bản tờ khai"


def test_two_signers_may_be_named_in_the_agent_part(examine: Examine) -> None:
    found = examine(agent_tax_code="5500987658")
    assert codes(found) == []
    assert found.declaration is not None
    assert found.declaration.agent is not None
    assert found.declaration.agent.tax_code == "5500987658"
    assert codes(examine(agent_tax_code="5500987650")) == ["header.tax-code.check-digit"]
    assert codes(examine({"mstDLyThue": ""}, agent_tax_code="5500987658")) == [
        "header.agent.tax-code-missing"
    ]
    empty = {"mstDLyThue": "", "tenDLyThue": "", "dchiDLyThue": ""}
    found = examine(empty, agent_tax_code="5500987658")
    assert codes(found) == []
    assert found.declaration is not None
    assert found.declaration.agent is None


# period, received (Vietnam time) -> codes
PERIODS = [
    ("Q1/2022", datetime(2022, 4, 30, 23, 59, tzinfo=VIETNAM), []),
    ("Q1/2022", datetime(2022, 5, 1, 0, 0, tzinfo=VIETNAM), ["header.filed-late"]),
    ("12/2021", datetime(2022, 1, 20, tzinfo=VIETNAM), ["form.period-not-covered"]),
    ("06/2026", datetime(2026, 7, 20, 23, 59, tzinfo=VIETNAM), []),
    ("06/2026", datetime(2026, 7, 20, 17, 0, tzinfo=UTC), ["header.filed-late"]),
    ("12/2025", datetime(2026, 1, 20, tzinfo=VIETNAM), []),
    ("07/2026", datetime(2026, 8, 10, tzinfo=VIETNAM), ["form.period-not-covered"]),
    ("Q3/2026", datetime(2026, 10, 10, tzinfo=VIETNAM), ["form.period-not-covered"]),
    ("06/2026", datetime(2026, 6, 30, 12, 0, tzinfo=VIETNAM), ["header.period.not-ended"]),
    ("06/2026", datetime(2026, 5, 31, 16, 59, tzinfo=UTC), ["header.period.in-future"]),
    ("06/2026", datetime(2026, 5, 31, 17, 0, tzinfo=UTC), ["header.period.not-ended"]),
]


@pytest.mark.parametrize(("period", "received_at", "expected"), PERIODS)
def test_periods_and_the_day_of_receipt(
    examine: Examine, period: str, received_at: datetime, expected: list[str]
) -> None:
    signed_on = min(received_at.astimezone(VIETNAM).date(), date(2026, 7, 15))
    assert codes(examine(period=period, signed_on=signed_on, received_at=received_at)) == expected


def test_late_is_said_and_accepted(examine: Examine) -> None:
    found = examine(received_at=datetime(2026, 11, 24, tzinfo=UTC))
    assert [(fault.code, fault.severity) for fault in found.faults] == [("header.filed-late", "INFO")]
    assert found.accepted


def test_the_summary(examine: Examine) -> None:
    declaration = examine().declaration
    assert declaration is not None
    assert (declaration.form_code, declaration.form_version, declaration.kind) == ("842", "2.8.3", "C")
    assert (declaration.period.kind, declaration.period.label, declaration.period.raw) == (
        "Q",
        "Q2/2026",
        "2/2026",
    )
    assert (declaration.period.start, declaration.period.end) == (date(2026, 4, 1), date(2026, 6, 30))
    assert (declaration.form_label, declaration.tax_name) == ("01/GTGT", "Thuế giá trị gia tăng")
    assert (declaration.payable, declaration.carried_forward) == (88_676_500, 0)
    assert declaration.taxpayer.address == "Số 27, đường Tô Hiệu, Phường Tô Hiệu, Tỉnh Sơn La"
    assert (declaration.tax_office_code, declaration.submission_no) == ("30300", 0)
    assert (declaration.signed_on, declaration.kind_name) == (date(2026, 7, 15), "Chính thức")


@pytest.mark.parametrize(
    "name", ["maTKhai", "pbanTKhaiXML", "loaiTKhai", "soLan", "kyKKhai", "mst", "TTinTKhaiThue"]
)
def test_no_summary_without_what_a_filing_is_filed_under(examine: Examine, name: str) -> None:
    found = examine({name: None})
    assert found.declaration is None
    assert not found.accepted
    assert read_declaration(signed_part(example_declaration(overrides={name: None}))) is None


@pytest.mark.parametrize("octets", [b"", b"<a/>", example_declaration(), b"<!DOCTYPE a><a/>"])
def test_no_summary_of_anything_else(octets: bytes) -> None:
    assert read_declaration(octets) is None


def test_a_naive_time_is_refused(catalogue: Catalogue) -> None:
    octets = signed_part(example_declaration())
    with pytest.raises(ValueError, match="aware"):
        catalogue.examine(octets, received_at=datetime(2026, 7, 20))  # noqa: DTZ001


def test_an_element_in_its_document_is_examined_alike(catalogue: Catalogue, examine: Examine) -> None:
    from lxml import etree

    root = etree.fromstring(example_declaration(overrides={"ct34": "5", "ct22": "x"}))
    found = catalogue.examine_element(root[0], RECEIVED)
    assert [fault.indexes for fault in found.faults] == [
        fault.indexes for fault in examine({"ct34": "5", "ct22": "x"}).faults
    ]
    assert codes(found) == ["xsd.type", "842.34"]


def test_indexes_lead_to_the_element(examine: Examine) -> None:
    from lxml import etree

    octets = signed_part(example_declaration(overrides={"ct34": "5"}))
    [fault] = examine({"ct34": "5"}).faults
    node = etree.fromstring(octets)
    for index in fault.indexes:
        node = node[index]
    assert etree.QName(node).localname == "ct34"
    assert node.sourceline == fault.line
    assert fault.path == "HSoKhaiThue/CTieuTKhaiChinh/TongDThuVaThueGTGTHHDVBRa/ct34"


def test_a_genuine_file_of_an_older_version_reads_and_is_told_so(catalogue: Catalogue) -> None:
    file = SHARED / "samples" / "htkk-01gtgt-v250.anonymised.xml"
    if not file.exists():
        pytest.skip(f"the genuine sample is missing: {file.name}")
    octets = signed_part(file.read_bytes())
    found = catalogue.examine(octets, received_at=RECEIVED)
    assert codes(found) == ["form.not-accepted-here"]
    assert found.declaration is not None
    assert found.declaration.period.label == "Q1/2021"
    assert found.declaration == read_declaration(octets)


def test_a_genuine_files_header_fits_the_header_schema(catalogue: Catalogue) -> None:
    """Renamed to the version we take, the genuine older file has only the faults of its own version's indicators."""
    file = SHARED / "samples" / "htkk-01gtgt-v250.anonymised.xml"
    if not file.exists():
        pytest.skip(f"the genuine sample is missing: {file.name}")
    text = signed_part(file.read_bytes()).decode("utf-8")
    text = (
        text.replace("<maTKhai>01<", "<maTKhai>842<")
        .replace("2.5.0<", "2.8.3<")
        .replace("<ct39>0</ct39>", "")
    )
    found = catalogue.examine(text.encode("utf-8"), received_at=RECEIVED)
    told = {(fault.code, fault.path.rpartition("/")[2]) for fault in found.faults}
    assert told == {
        ("form.period-not-covered", "kyKKhai"),
        ("header.filed-late", "kyKKhai"),
        ("xsd.missing", "HangHoaDichVuNhapKhau"),
        ("xsd.missing", "ct39a"),
    }


@pytest.mark.parametrize(
    ("code", "judgement"),
    [
        ("5500998804", "well-formed"),
        ("5500998804-002", "well-formed"),
        ("014099000001", "well-formed"),
        ("1010101010", "bad-check-digit"),
        ("5500998804-02", "bad-format"),
        ("550099880", "bad-format"),
        ("5500998804\n", "bad-format"),
        ("٥500998804", "bad-format"),
        ("", "bad-format"),
    ],
)
def test_tax_codes(code: str, judgement: str) -> None:
    assert judge_tax_code(code) == judgement


def test_a_code_whose_check_digit_would_be_ten_is_never_well_formed() -> None:
    nine = next(f"{n:09d}" for n in range(1, 10_000) if check_digit(f"{n:09d}") is None)
    assert {judge_tax_code(f"{nine}{last}") for last in range(10)} == {"bad-check-digit"}


def test_due_dates_are_clipped_to_the_month() -> None:
    december, quarter = read_period("M", "12/2025"), read_period("Q", "1/2026")
    assert december is not None
    assert quarter is not None
    assert due_date(december, months=1, day=20) == date(2026, 1, 20)
    assert due_date(quarter, months=1, day=31) == date(2026, 4, 30)
    assert vietnam_day(datetime(2026, 6, 30, 17, tzinfo=UTC)) == date(2026, 7, 1)


@pytest.mark.parametrize("raw", ["0/2026", "13/2026", "1/1899", "1/2026 ", "１/2026", "", "30/02/2026"])
@pytest.mark.parametrize("kind", ["M", "Q", "Y", "D", "", "X"])
def test_what_is_no_period(kind: str, raw: str) -> None:
    assert read_period(kind, raw) is None


def test_the_day_after_is_another_day() -> None:
    day = read_period("D", "15/06/2026")
    assert day is not None
    assert day.end - day.start == timedelta(0)
