"""Forms with tables: where their faults are shown, tables in tables, occurrences, and what thousands of rows cost."""

from __future__ import annotations

import time
from datetime import datetime

from lxml import etree

from schemas import Catalogue
from schemas.catalogue import OWN_CATALOGUE
from schemas.example_checks import changed
from schemas.faults import Fault
from schemas.reading import parse
from tests.schemas.conftest import VIETNAM, signed_part

NS = "{http://kekhaithue.gdt.gov.vn/TKhaiThue}"
ON_TIME = datetime(2026, 6, 18, 9, 0, tzinfo=VIETNAM)


def _example(form: str, name: str = "passes.xml") -> bytes:
    return (OWN_CATALOGUE / "tax" / form / "examples" / name).read_bytes()


def _faults(catalogue: Catalogue, document: bytes, at: datetime = ON_TIME) -> dict[str, Fault]:
    return {one.code: one for one in catalogue.examine(signed_part(document), received_at=at).faults}


def test_a_rule_with_a_condition_shows_the_field_that_it_claims(catalogue: Catalogue) -> None:
    document = changed(_example("832-2.8.3"), {"NoiDungMoKhoangSan/ct8": "1", "tongThuePhaiNop": "1"})
    fault = _faults(catalogue, document)["832.A1.8"]
    assert fault.path.endswith("MoKhoangSan[1]/NoiDungMoKhoangSan[1]/ct8")
    assert fault.value == "1"
    assert fault.remedy_en.startswith("Work out [8]")


def test_an_annex_adds_the_rows_of_all_its_tables(catalogue: Catalogue) -> None:
    table = (
        "<BKePLuc><ten_PLuc>Phụ lục</ten_PLuc><CTietPLuc><ChiTiet><ct2_ten>Thuế</ct2_ten><ct7>100</ct7></ChiTiet>"
        "</CTietPLuc></BKePLuc>"
    )
    tables = f"<Muc_2><DSachPLuc>{table}{table}<tongCong_ct11>200</tongCong_ct11></DSachPLuc></Muc_2><Muc_3>"
    text = _example("842-2.8.3", "passes-supplement.xml").decode()
    document = text.replace("<Muc_3>", tables, 1)
    received = datetime(2026, 7, 20, 9, 0, tzinfo=VIETNAM)
    assert "KHBS.11" not in _faults(catalogue, document.encode(), received)
    wrong = document.replace("<tongCong_ct11>200", "<tongCong_ct11>100")
    fault = _faults(catalogue, wrong.encode(), received)["KHBS.11"]
    assert "tổng(" in fault.message_vi
    assert "sum(" in fault.message_en


def test_an_occurrence_is_declared_on_its_day_and_for_ten_days(catalogue: Catalogue) -> None:
    def filed(day: str) -> set[str]:
        period = {"kieuKy": "D", **dict.fromkeys(("kyKKhai", "kyKKhaiTuNgay", "kyKKhaiDenNgay"), day)}
        return set(_faults(catalogue, changed(_example("838-2.5.1"), period)))

    assert filed("18/06/2026") == set()
    assert filed("08/06/2026") == set()
    assert filed("07/06/2026") == {"header.filed-late"}


def test_thousands_of_rows_cost_each_the_same(catalogue: Catalogue) -> None:
    def cost(times: int) -> float:
        root = etree.fromstring(_example("914-2.8.3"))
        rows = list(root.iter(f"{NS}ThueBVMT"))
        table, total = rows[0].getparent(), next(root.iter(f"{NS}tong_ct7"))
        assert table is not None
        for _ in range(times - 1):
            for row in rows:
                table.insert(0, parse(etree.tostring(row, encoding="utf-8")))
        total.text = str(int(total.text or "") * times)
        octets = signed_part(etree.tostring(root, encoding="utf-8"))
        start = time.process_time()
        assert not catalogue.examine(octets, received_at=ON_TIME).faults
        return time.process_time() - start

    cost(10)
    few, many = (min(cost(times) for _ in range(3)) for times in (100, 800))
    assert many < 24 * few, f"8 times the rows cost {many / few:.0f} times the work"
