"""Hostile declarations: each refused and explained, none crashes, none costs more than it should."""

from __future__ import annotations

import string
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas import Catalogue, example_declaration, load_catalogue
from schemas.examine import MAX_FAULTS, Examination, bounded
from tests.schemas.conftest import RECEIVED, Examine, codes, signed_part

XSI = "http://www.w3.org/2001/XMLSchema-instance"
AMOUNTS = [
    "１２３", "٣", "1e9", "+5", "-0", "00", "01", "1,000", "1.000", "1 000", " 1", "1\n", "0x1F", "NaN", "Infinity",
    "-", "--1", "−5", "1_000", "9" * 19, "9" * 5000, "1.0", "½", "𝟏", "1\u200b",
]  # fmt: skip


@pytest.mark.parametrize("amount", AMOUNTS)
def test_what_is_no_amount(examine: Examine, amount: str) -> None:
    found = examine({"ct37": amount})
    assert codes(found) == ["xsd.type"]
    [fault] = found.faults
    assert (fault.indicator, fault.label_vi) == ("[37]", "Điều chỉnh giảm")
    assert fault.value is not None
    assert len(fault.value) <= 81
    assert "tối đa 18 chữ số" in fault.message_vi
    assert "at most 18 digits" in fault.message_en


@pytest.mark.parametrize("flag", ["2", "yes", "xx", " ", "✓"])
def test_what_is_no_tick(examine: Examine, flag: str) -> None:
    assert codes(examine({"ct21": flag})) == ["xsd.type"]


STRUCTURE = [
    ({"<ct37>1500000</ct37>": ""}, [("xsd.missing", "ct37")]),
    ({"<ct37>1500000</ct37>": "<ct37>1500000</ct37><ct37>0</ct37>"}, [("xsd.repeated", "ct37[2]")]),
    ({"<ct37>1500000</ct37>": "<ct37>1500000</ct37><ct99>0</ct99>"}, [("xsd.unexpected", "ct99")]),
    ({"<ct37>": "thừa<ct37>"}, [("xsd.text", "CTieuTKhaiChinh")]),
    ({"<ct37>1500000<": "<ct37><ct38/>1500000<"}, [("xsd.children", "ct37"), ("xsd.empty", "ct37")]),
    ({"<ct37>1500000<": "<ct37>15<!-- 9 -->00000<"}, [("xml.comment", "ct37")]),
    ({"<ct37>1500000<": "<ct37>1500000<?php x?><"}, [("xml.comment", "ct37")]),
    ({"<ct37>": '<ct37 don_vi="đồng">'}, [("xsd.attribute", "ct37")]),
    (
        {"<ct37>1500000<": '<ct37 xmlns="urn:khac">1500000<'},
        [("xsd.missing", "ct37"), ("xsd.unexpected", "ct37")],
    ),
    ({' id="_NODE_TO_SIGN"': ""}, [("xsd.attribute", "HSoKhaiThue")]),
    ({' id="_NODE_TO_SIGN"': ' id="a b"'}, [("xsd.attribute", "HSoKhaiThue")]),
    ({' id="_NODE_TO_SIGN"': ' id="_NODE_TO_SIGN" Id="x"'}, [("xsd.attribute", "HSoKhaiThue")]),
    ({"<PLuc></PLuc>": "<PLuc><PL_NQ142_GTGT/></PLuc>"}, [("form.annex-not-accepted", "PL_NQ142_GTGT")]),
    (
        {"<PLuc></PLuc>": '<PLuc><a xmlns=""/><b/></PLuc>'},
        [("form.annex-not-accepted", "a"), ("form.annex-not-accepted", "b")],
    ),
    ({"<PLuc></PLuc>": "<PLuc>1</PLuc>"}, [("xsd.text", "PLuc")]),
    ({"<PLuc></PLuc>": "<PLuc></PLuc><PLuc></PLuc>"}, [("xsd.repeated", "PLuc[2]")]),
    ({"<ct32a>0</ct32a>": ""}, [("form.indicator-missing", "ct32a")]),
    ({"<ct32a>0</ct32a>": "<HHDVBRaKhongTinhThue><ct32a>0</ct32a></HHDVBRaKhongTinhThue>"}, []),
    (
        {"<ct32a>0</ct32a>": "<ct32a>0</ct32a><HHDVBRaKhongTinhThue><ct32a>0</ct32a></HHDVBRaKhongTinhThue>"},
        [("form.indicator-repeated", "ct32a")],
    ),
    ({"<maDVu>TVAN</maDVu>": ""}, [("xsd.missing", "maDVu")]),
    (
        {"<soLan>0</soLan>": "", "</KyKKhaiThue>": "</KyKKhaiThue><soLan>0</soLan>"},
        [("xsd.order", "soLan")],
    ),
]


@pytest.mark.parametrize(
    ("replace", "expected"), STRUCTURE, ids=[str(row[1]) + str(n) for n, row in enumerate(STRUCTURE)]
)
def test_structure_row_by_row(
    examine: Examine, replace: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    found = examine(replace=replace)
    assert [(fault.code, fault.path.rpartition("/")[2]) for fault in found.faults] == expected
    assert found.accepted is not bool(expected)


def test_indicators_may_come_in_any_order(examine: Examine) -> None:
    found = examine(
        replace={"<ct22>18450000</ct22>": "", "</CTieuTKhaiChinh>": "<ct22>18450000</ct22></CTieuTKhaiChinh>"}
    )
    assert codes(found) == []


@pytest.mark.parametrize(
    "attribute",
    [
        'xsi:type="VanBan"',
        'xsi:nil="true"',
        'xsi:schemaLocation="http://kekhaithue.gdt.gov.vn/TKhaiThue http://127.0.0.1:9/evil.xsd"',
        'xsi:noNamespaceSchemaLocation="file:///etc/passwd"',
    ],
)
def test_attributes_that_steer_validators_are_refused(examine: Examine, attribute: str) -> None:
    for target in ("<ct37>", "<CTieuTKhaiChinh>"):
        found = examine(replace={target: f'{target[:-1]} xmlns:xsi="{XSI}" {attribute}>'})
        assert "xml.xsi-attribute" in codes(found)
        assert not found.accepted


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "xml.not-well-formed"),
        (b"\x00", "xml.not-well-formed"),
        (b"<a", "xml.not-well-formed"),
        (b"<a>\xff</a>", "xml.not-well-formed"),
        (b"<a>&x;</a>", "xml.not-well-formed"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', "xml.doctype"),
        (b"<a/>", "form.root"),
        (b"<HSoKhaiThue/>", "form.root"),
        (b"<a>" * 300, "xml.not-well-formed"),
        (b"<a>" * 300 + b"</a>" * 300, "xml.not-well-formed"),
        (example_declaration(), "form.root"),
        (b'<HSoKhaiThue xmlns="http://kekhaithue.gdt.gov.vn/TKhaiThue"/>', "form.unknown"),
    ],
)
def test_what_is_no_declaration(catalogue: Catalogue, octets: bytes, code: str) -> None:
    found = catalogue.examine(octets, received_at=RECEIVED)
    assert codes(found) == [code]
    assert not found.accepted
    assert found.declaration is None


def test_too_many_elements(examine: Examine) -> None:
    found = examine(replace={"<PLuc></PLuc>": "<PLuc>" + "<a/>" * 3000 + "</PLuc>"})
    assert codes(found) == ["xml.too-many-elements"]


def test_faults_are_bounded_and_errors_come_first(examine: Examine) -> None:
    found = examine(replace={"<PLuc></PLuc>": "<PLuc>" + "<a/>" * 1500 + "</PLuc>"})
    assert len(found.faults) == MAX_FAULTS + 1
    assert found.faults[-1].code == "fault.more"
    assert not found.accepted


def test_lesser_findings_never_push_out_an_error_nor_refuse_by_their_number(examine: Examine) -> None:
    [warning] = examine({"ct21": "x"}).faults
    [error] = examine({"ct43": "1"}).faults
    kept = bounded([warning] * 300 + [error])
    assert [fault.severity for fault in kept].count("ERROR") == 1
    assert len(kept) == MAX_FAULTS + 1
    assert Examination(None, None, bounded([warning] * 300)).accepted


def test_a_refused_document_too_large_to_explain_is_told_from_the_validators_log(examine: Examine) -> None:
    found = examine({"ct37": "1e9", "ct38": None}, size_hint=300_000)
    told = {(fault.code, fault.path.rpartition("/")[2]) for fault in found.faults}
    assert ("xsd.type", "ct37") in told
    assert ("xsd.missing", "ct38") in told
    assert not found.accepted


def test_values_in_messages_are_short_and_printable(examine: Examine) -> None:
    [fault] = examine({"ct37": "\u202e" + "x" * 10_000}).faults
    assert fault.value is not None
    assert "\u202e" not in fault.message_vi
    assert len(fault.message_vi) < 500


def test_braces_in_values_are_only_text(examine: Examine) -> None:
    [fault] = examine({"ct37": "{value.__class__} {0} {"}).faults
    assert "{value.__class__} {0} {" in fault.message_vi


def test_all_kinds_of_faults_at_once_in_document_order(examine: Examine) -> None:
    found = examine(
        {"mst": "5500998805", "soLan": "3", "ct34": "1", "ct37": "1e9", "ct43": None, "ngayKy": "2026-13-01"}
    )
    assert codes(found) == [
        "header.submission-number", "date.not-real", "header.tax-code.check-digit", "xsd.missing",
        "842.34", "xsd.type",
    ]  # fmt: skip
    assert [fault.indexes for fault in found.faults] == sorted(fault.indexes for fault in found.faults)


def test_threads_do_not_mix_their_faults(catalogue: Catalogue) -> None:
    names = ("ct22", "ct25", "ct26", "ct29", "ct36", "ct37", "ct38", "ct39a")
    documents = {name: signed_part(example_declaration(overrides={name: "1e9"})) for name in names}

    def judge(name: str) -> bool:
        found = catalogue.examine(documents[name], received_at=RECEIVED)
        return [fault.path.rpartition("/")[2] for fault in found.faults if fault.code == "xsd.type"] == [name]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(judge, [name for name in names for _ in range(12)]))


CATALOGUE = load_catalogue()
LEAVES = sorted(
    str(etree.QName(node).localname)
    for node in etree.fromstring(example_declaration())[0].iter("*")
    if not len(node)
)
TEXT = st.text(
    st.characters(blacklist_categories=("Cs", "Cc"), blacklist_characters="\ufffe\uffff"), max_size=40
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(LEAVES), TEXT | st.text(string.digits + "-/.", max_size=25))
def test_any_text_anywhere_is_judged_and_never_crashes(name: str, text: str) -> None:
    found = CATALOGUE.examine(signed_part(example_declaration(overrides={name: text})), received_at=RECEIVED)
    assert found.accepted or all(
        fault.message_vi and fault.remedy_vi and fault.message_en for fault in found.faults
    )
    if name.startswith("ct") and name != "ct21" and not (text.isascii() and text.lstrip("-").isdigit()):
        assert not found.accepted


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200))
def test_any_octets_are_judged_and_never_crash(octets: bytes) -> None:
    assert not CATALOGUE.examine(octets, received_at=RECEIVED).accepted


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_moving_removing_and_doubling_elements_never_crashes(data: st.DataObject) -> None:
    root = etree.fromstring(example_declaration())[0]
    nodes = list(root.iter("*"))[1:]
    node, target = data.draw(st.sampled_from(nodes)), data.draw(st.sampled_from(nodes))
    parent = node.getparent()
    if data.draw(st.booleans()) and target not in node.iter("*"):
        target.append(node)
    elif parent is not None:
        parent.remove(node)
    found = CATALOGUE.examine_element(root, RECEIVED)
    if not found.accepted:
        assert all(fault.message_vi and fault.remedy_en for fault in found.faults)


def test_extreme_times_of_receipt_do_not_crash(catalogue: Catalogue) -> None:
    octets = signed_part(example_declaration())
    for year in (1970, 9999):
        assert catalogue.examine(octets, received_at=datetime(year, 1, 1, tzinfo=UTC)).faults
