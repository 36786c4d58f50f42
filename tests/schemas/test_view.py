"""Pages: everything that a document says is there, called by its name, and nothing else."""

from __future__ import annotations

import itertools
import re
from datetime import datetime
from pathlib import Path
from typing import get_args

import pytest
from lxml import etree

import schemas
from schemas import Catalogue, example_declaration
from schemas.faults import Words
from schemas.lexical import CLEAR, TICKED
from schemas.view import About, Language, NotShownError, Paper, PaperStanding, Remark, Signature, view_page
from schemas.view.render import page_words
from schemas.view.values import cell_of, group_digits
from tests.pages import page_of, tables, text_of, values
from tests.schemas.conftest import SHARED, VIETNAM

AT = datetime(2026, 7, 20, 9, 5, 0, tzinfo=VIETNAM)
EXAMPLES = [
    pytest.param(form, name, id=f"{form.form.code} {name}")
    for form in schemas.load_catalogue().descriptions()
    for name in form.examples
]


def shown(
    catalogue: Catalogue, document: bytes, about: About | None = None, language: Language = "vi"
) -> bytes:
    return view_page(etree.fromstring(document), catalogue, about or About(), language).html


@pytest.mark.parametrize(("form", "name"), EXAMPLES)
def test_every_value_of_every_example_is_on_its_page(
    catalogue: Catalogue, form: schemas.Description, name: str
) -> None:
    document = form.example(name)
    for language, title in (("vi", form.form.name_vi), ("en", form.form.name_en)):
        tree = page_of(shown(catalogue, document, language="vi" if language == "vi" else "en"))
        assert tree.get("lang") == language
        assert text_of(next(tree.iter("h1"))) == title
        assert form.form.label in text_of(tree)
        text = text_of(tree)
        for element in etree.fromstring(document).iter("*"):
            value = " ".join((element.text or "").split())
            if len(element) or not value or value in TICKED | CLEAR:
                continue
            printed = {value[:40], group_digits(value), cell_of(value, "date").text}
            assert any(one and one in text for one in printed), (element.tag, value)


def test_indicators_labels_numbers_ticks_and_dates(catalogue: Catalogue) -> None:
    document = example_declaration("842", overrides={"ct21": "x", "ct37": "-1234567"})
    found = values(page_of(shown(catalogue, document)))
    assert found["[23] Giá trị của hàng hóa, dịch vụ mua vào"] == "2.415.680.000"
    assert found["[37] Điều chỉnh giảm"] == "-1.234.567"
    assert found["[21] Không phát sinh hoạt động mua, bán trong kỳ"] == "☑"
    assert found["Ngày ký"] == "15/07/2026"
    assert found["Tiểu mục hạch toán"] == "1701", "a code is no number"
    english = values(page_of(shown(catalogue, document, language="en")))
    assert english["[37] Adjustment downwards"] == "-1.234.567"


def test_the_head_says_who_what_and_when(catalogue: Catalogue) -> None:
    about = About(number="SLA-20260720-ABCDEFGHJKLM-7", received_at=AT, status=Words("Đã nhận", "Received"))
    found = values(page_of(shown(catalogue, example_declaration("842"), about)))
    assert found["Mã giao dịch điện tử"] == "SLA-20260720-ABCDEFGHJKLM-7"
    assert found["Thời điểm tiếp nhận"] == "20/07/2026 09:05:00"
    assert found["Trạng thái"] == "Đã nhận"
    assert "5500998804" in found["Người nộp thuế"]
    assert found["Cơ quan thuế"].startswith("30300")
    assert found["Kỳ tính thuế"] == "Q2/2026 (01/04/2026 – 30/06/2026)"
    assert found["Loại tờ khai"] == "C – Chính thức"


def test_repeated_elements_are_tables_and_numbers_stand_right(catalogue: Catalogue) -> None:
    folder = Path(schemas.OWN_CATALOGUE) / "tax/842-2.8.3/examples"
    tree = page_of(shown(catalogue, (folder / "passes-supplement.xml").read_bytes()))
    rows = tables(tree)["Dòng điều chỉnh"]
    assert rows[0][1] == "Chỉ tiêu điều chỉnh"
    assert rows[1][3:6] == ["323.545.000", "328.045.000", "4.500.000"]
    [table] = [one for one in tree.iter("table") if text_of(one).startswith("Dòng điều chỉnh")]
    for row in table.iter("tr"):
        assert [cell.get("class") == "number" for cell in row][3:6] == [True] * 3
    headings = [text_of(one) for level in ("h3", "h4", "h5") for one in tree.iter(level)]
    assert "Tờ khai bổ sung hồ sơ khai thuế (01/KHBS)" in headings
    assert "B – Bổ sung (lần 1)" in text_of(tree)


def test_rows_that_hold_tables_are_sections_of_their_own(catalogue: Catalogue) -> None:
    ns = schemas.TAX.namespace
    rows = "".join(f"<dong><ten>R{i}</ten><so>1</so><so>2</so></dong>" for i in range(3))
    document = f'<HSoKhaiThue xmlns="{ns}"><bang>{rows}</bang></HSoKhaiThue>'.encode()
    tree = page_of(shown(catalogue, document))
    assert [text_of(one) for one in tree.iter("h4")] == ["dong (1)", "dong (2)", "dong (3)"]
    assert text_of(tree).count("R2") == 1


def test_an_unknown_form_is_shown_by_the_names_of_its_elements_as_it_stands(catalogue: Catalogue) -> None:
    sample = SHARED / "samples/htkk-01gtgt-v250.anonymised.xml"
    if not sample.exists():
        pytest.skip(f"MISSING: {sample.name}")
    tree = page_of(shown(catalogue, sample.read_bytes()))
    found = values(tree)
    assert found["ct27"] == "273379273", "whether it is an amount or a tax code nobody can tell"
    assert found["Mã số thuế"] == "5500123457"
    assert "danh mục" in text_of(tree)
    assert "Thông tư số 26/2015/TT-BTC" in text_of(tree)


def test_a_notice_of_the_authority_is_shown(catalogue: Catalogue) -> None:
    folder = SHARED / "samples/notices"
    if not folder.exists():
        pytest.skip("MISSING: the shared notices")
    for file in folder.glob("tbao-*.xml"):
        tree = page_of(shown(catalogue, file.read_bytes()))
        name = etree.fromstring(file.read_bytes()).findtext(".//{*}tenTBao")
        assert text_of(next(tree.iter("h1"))) == f"Thông báo: {name}"


def test_every_element_of_a_notice_has_a_label() -> None:
    from schemas.notice_build import EX
    from schemas.view.document import _notice_labels

    labels = _notice_labels()
    for file in sorted(Path(schemas.OWN_CATALOGUE).glob("notice_forms/*.xsd")):
        prefix = EX if file.name == "extension.xsd" else ""
        for name in etree.parse(file).xpath("//*[local-name()='element']/@name"):
            if name not in ("TBaoThueDTu", "TBaoThue", "ThongBaoHoSo", "ThongBao", "CKyDTu"):
                assert labels.of(f"{prefix}{name}"), name


def test_who_signed_and_whether_it_is_sound(catalogue: Catalogue) -> None:
    sound = Signature("CÔNG TY A", ("5500123457",), "CN=CA", AT, None, "sound", "TOTAL-PASSED", True)
    why = Words("Chứng thư số đã bị thu hồi.", "The certificate is revoked.")
    revoked = Signature("Ông B", (), "", None, None, "unknown", "INDETERMINATE REVOKED_NO_POE", True, (why,))
    elsewhere = Signature("C", (), "", None, None, "sound", "TOTAL-PASSED", False)
    about = About(signatures=(sound, revoked, elsewhere), judged_at=AT, policy="tt15-2025")
    tree = page_of(shown(catalogue, example_declaration("842"), about))
    said = [text_of(one) for one in tree.iter("td") if one.find("span[@class]") is not None]
    assert said[0] == "✓ Chữ ký hợp lệ (TOTAL-PASSED)"
    assert said[1] == "? Chưa thể kết luận (INDETERMINATE REVOKED_NO_POE)"
    assert "không phủ đúng nội dung" in said[2]
    for expected in ("CÔNG TY A", "5500123457", "20/07/2026 09:05:00", why.vi, "tt15-2025"):
        assert expected in text_of(tree)
    assert "The certificate is revoked." in text_of(
        page_of(shown(catalogue, example_declaration("842"), about, "en"))
    )
    assert "không có chữ ký" in text_of(page_of(shown(catalogue, example_declaration("842"))))


def test_faults_are_told_in_the_same_words(catalogue: Catalogue) -> None:
    said, do = Words("[36] phải bằng…", "[36] must be…"), Words("Sửa", "Mend")
    about = About(remarks=(Remark("842.36", "ERROR", said, do, 7, "HSoKhaiThue/ct36", "[36]"),))
    for language, words in (("vi", (said.vi, do.vi, "dòng 7")), ("en", (said.en, do.en, "line 7"))):
        text = text_of(page_of(shown(catalogue, example_declaration("842"), about, language)))  # type: ignore[arg-type]
        assert all(word in text for word in (*words, "842.36", "[36]", "HSoKhaiThue/ct36"))


def test_papers_are_listed_with_what_their_signatures_came_to(catalogue: Catalogue) -> None:
    hostile = "<script>\u202e.pdf"
    papers = tuple(Paper(f"Bản sao: {one}.pdf", one, (one, hostile)) for one in get_args(PaperStanding))
    about = About(papers=(*papers, Paper(hostile)))
    tree = page_of(shown(catalogue, example_declaration("842"), about))
    told = values(tree)
    assert told["1 Bản sao: sound.pdf"] == "✓ Chữ ký hợp lệ; đã ký bởi sound, <script>�.pdf"
    assert told["4 Bản sao: changed.pdf"].startswith("✗ Bị sửa sau khi ký; ")
    assert told["5 Bản sao: not-judged.pdf"].startswith("? Chưa được kiểm tra; ")
    assert told["6 <script>�.pdf"] == ""


def test_what_is_no_document_of_ours_is_not_shown(catalogue: Catalogue) -> None:
    for document in (b"<html/>", b'<HSoThueDTu xmlns="%b"/>' % schemas.TAX.namespace.encode()):
        with pytest.raises(NotShownError):
            shown(catalogue, document)


def test_the_pages_words_are_whole() -> None:
    assert all(words.vi.strip() and words.en.strip() for words in page_words().values())
    template = (Path(schemas.OWN_CATALOGUE) / "view/page.html.j2").read_text("utf-8")
    code = (Path(schemas.OWN_CATALOGUE) / "view/document.py").read_text("utf-8")
    used = set(re.findall(r'\bw\.(\w+)|w\["([\w-]+)"\]', template))
    named = {a or b for a, b in used} | set(re.findall(r"[\"']([a-z-]+)[\"']", code))
    states = {"sound", "unknown", "broken", "ERROR", "WARNING", "INFO"}
    states |= {f"paper-{standing}" for standing in get_args(PaperStanding)}
    assert states <= set(page_words())
    assert set(page_words()) <= named | states, "a word that nothing says"
    assert {a or b for a, b in used} <= set(page_words())


def test_it_can_be_read_by_everybody(catalogue: Catalogue) -> None:
    """Headings go down one level at a time, tables have headers with a scope, colours stand out."""
    folder = Path(schemas.OWN_CATALOGUE) / "tax/842-2.8.3/examples"
    tree = page_of(shown(catalogue, (folder / "passes-supplement.xml").read_bytes()))
    levels = [int(one.tag[1]) for one in tree.iter() if re.fullmatch("h[1-6]", str(one.tag))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(following <= level + 1 for level, following in itertools.pairwise(levels))
    assert all(header.get("scope") in ("row", "col") for header in tree.iter("th"))
    assert all(span.get("aria-label") for span in tree.iter("span") if span.get("role") == "img")
    style = (Path(schemas.OWN_CATALOGUE) / "view/style.css").read_text("utf-8")
    for colour in re.findall(r"[ ;]color: #([0-9a-f]{3,6})\b", style):
        assert contrast(colour) >= 7, colour
    assert "size: A4" in style


def contrast(colour: str) -> float:
    """With white (WCAG 2.2)."""
    full = colour if len(colour) == 6 else "".join(2 * digit for digit in colour)
    parts = [int(full[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 1.05 / (0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2] + 0.05)
