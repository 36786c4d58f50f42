"""Hostile values on pages: each is text and nothing else; what is too much is counted, not printed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

import schemas
from schemas import Catalogue, example_declaration
from schemas.faults import Words
from schemas.view import About, Paper, Remark, Signature, view_page
from schemas.view.blocks import MAX_CELLS, MAX_TABLE_ROWS
from tests.cost import affordable
from tests.pages import page_of, tables, text_of, values

VALUES = [
    "<script>alert(1)</script>", "</style><script>x</script>", "\"><img src=x onerror=alert(1)>", "' onclick='x",
    "javascript:alert(1)", "&lt;b&gt;", "]]>", "<!--", "--><b>", "{{ 7 * 7 }}", "{% raw %}", "=1+1",
    "https://example.com/", "</td></tr></table>", "\u00a0", "a\u0300", "𝕏", "￼",
]  # fmt: skip


def document(inner: str, root: str = "HSoKhaiThue") -> bytes:
    return f'<{root} xmlns="{schemas.TAX.namespace}">{inner}</{root}>'.encode()


def shown(catalogue: Catalogue, octets: bytes, about: About | None = None) -> bytes:
    return view_page(etree.fromstring(octets), catalogue, about or About(), "vi").html


@pytest.mark.parametrize("value", VALUES)
def test_a_value_is_text_wherever_it_stands(catalogue: Catalogue, value: str) -> None:
    places = {"tenNNT": value, "nganhNgheKD": value, "ct37": value, "nguoiKy": value, "tenTKhai": value}
    words = Words(value, value)
    signature = Signature(value, (value,), value, None, None, "broken", "TOTAL-FAILED", True, (words,))
    remark = Remark("842.36", "ERROR", words, words, 1, value, value, value)
    papers = (Paper(value, "sound", (value,)),)
    about = About((signature,), papers, (remark,), number=value, policy=value, status=words, caveats=(words,))
    tree = page_of(shown(catalogue, example_declaration("842", overrides=places), about))
    printed = " ".join(value.split())
    found = values(tree)
    assert found["[37] Điều chỉnh giảm"] == printed
    assert found["Ngành nghề kinh doanh"] == printed
    assert text_of(tree).count(printed) >= 11


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60))
def test_any_text_makes_a_valid_page(catalogue: Catalogue, text: str) -> None:
    root = etree.fromstring(document("<TTinChung/><a/><b/><b/>"))
    for element in root.iter("*"):
        try:
            element.text = text
        except ValueError:  # what XML cannot hold
            return
    page_of(view_page(root, catalogue, About(number=text, status=Words(text, text)), "vi").html)


@pytest.mark.parametrize("control", ["\u0085", "\u009f", "\u202e", "\u2066", "\u2028", "\u007f"])
def test_controls_and_direction_overrides_do_nothing(catalogue: Catalogue, control: str) -> None:
    html = shown(catalogue, document(f"<a>1{control}2</a>")).decode()
    assert control not in html
    assert "1�2" in html


def test_line_breaks_stay_and_a_carriage_return_is_no_way_to_hide(catalogue: Catalogue) -> None:
    html = shown(catalogue, document("<a>1\n2&#13;3</a>")).decode()
    assert "1\n2�3" in html


def test_decomposed_vietnamese_is_shown_as_it_stands(catalogue: Catalogue) -> None:
    name = unicodedata.normalize("NFD", "Nguyễn Thị Thủy")
    assert name in shown(catalogue, document(f"<a>{name}</a>")).decode()


@pytest.mark.parametrize(
    "name", ["script", "style", "iframe", "td", "html", "body", "meta", "base", "a.b-c", "__proto__", "ñ"]
)
def test_elements_named_like_tags_are_names(catalogue: Catalogue, name: str) -> None:
    tree = page_of(shown(catalogue, document(f"<{name}>1</{name}><g><{name}>2</{name}></g>")))
    assert values(tree)[name] == "1"
    repeated = page_of(shown(catalogue, document(2 * f"<{name}><{name}>1</{name}></{name}>")))
    assert tables(repeated)[name] == [["STT", name], ["1", "1"], ["2", "1"]]


def test_what_a_comment_cuts_in_two_is_shown_whole(catalogue: Catalogue) -> None:
    found = values(page_of(shown(catalogue, document("<a>15<!-- 9 -->00<?x y?>0</a>"))))
    assert found["a"] == "15000"


def test_text_beside_elements_is_shown_too(catalogue: Catalogue) -> None:
    assert "999" in text_of(page_of(shown(catalogue, document("<a><b>1</b>999</a>"))))
    assert "888" in text_of(page_of(shown(catalogue, document("888<a><b>1</b></a>"))))
    assert "777" in text_of(page_of(shown(catalogue, document(2 * "<r><b>1</b>777</r>"))))


def test_another_namespace_is_never_read_for_ours(catalogue: Catalogue) -> None:
    octets = example_declaration("842").replace(b"<ct37>", b'<ct37 xmlns="urn:khac">')
    found = values(page_of(shown(catalogue, octets)))
    assert found["ct37"] == "1500000", "neither label nor grouping: it is not the form's"
    assert "[37] Điều chỉnh giảm" not in found


def test_a_value_of_a_megabyte_is_cut_and_said_to_be(catalogue: Catalogue) -> None:
    html = shown(catalogue, document(f"<a>{'x y ' * 250_000}</a><b>{'A' * 1_000_000}</b>"))
    assert len(html) < 20_000
    text = text_of(page_of(html))
    assert "998.000 ký tự nữa không in" in text
    assert "999.960 ký tự nữa không in" in text, "base64 says nothing to a person"


LARGE = {
    "one table": "<r><a>1</a><b>2</b></r>" * 160_000,
    "rows": "".join(f"<a{i}>1</a{i}>" for i in range(300_000)),
    "sections": "<r><a>1</a><a>2</a><g><b>1</b><b>2</b></g></r>" * 80_000,
    "nested": ("<r>" * 90 + "x" + "</r>" * 90) * 3_000,
    "long values": "".join(f"<a{i}>{'x y' * 600}</a{i}>" for i in range(9_000)),
}


@pytest.mark.parametrize("inner", LARGE.values(), ids=LARGE)
def test_a_large_document_makes_a_bounded_page(catalogue: Catalogue, inner: str) -> None:
    root = etree.fromstring(document(inner))
    for _ in affordable(4.0):
        html = view_page(root, catalogue, About(), "vi").html
    assert len(html) < 12_000_000
    assert "nữa không in" in html.decode() or "không in ở trang này" in html.decode()


def test_how_much_is_left_out_is_said(catalogue: Catalogue) -> None:
    tree = page_of(shown(catalogue, document("<r><a>1</a></r>" * (MAX_TABLE_ROWS + 1234))))
    assert len(tables(tree)["r"]) == 1 + MAX_TABLE_ROWS
    assert "1.234 dòng nữa của bảng này không in" in text_of(tree)
    assert "không in ở trang này: 1.234." in text_of(tree)
    tree = page_of(shown(catalogue, document("".join(f"<a{i}>1</a{i}>" for i in range(MAX_CELLS + 7)))))
    assert "không in ở trang này: 7." in text_of(tree)
    assert "không in" not in text_of(page_of(shown(catalogue, document("<r><a>1</a></r>" * MAX_TABLE_ROWS))))
