"""Notices: both eras, both outcomes, there and back; hostile texts; two stories refused."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from schemas import (
    Notice,
    NoticeError,
    NoticeKind,
    Office,
    Party,
    Payable,
    Reason,
    build_notice,
    build_notice_element,
    notice_form,
    notice_schema,
    read_notice,
    reason_of_fault,
    validate_notice,
)
from tests.schemas.conftest import SHARED, VIETNAM, Examine, signed_part

TB = "{http://kekhaithue.gdt.gov.vn/TBaoThue}"
KINDS: tuple[NoticeKind, ...] = ("receipt", "refusal", "verdict-accepted", "verdict-rejected")
TT19 = datetime(2026, 6, 30, 23, 59, 59, tzinfo=VIETNAM)
TT89 = TT19 + timedelta(seconds=1)


def notice(kind: NoticeKind, recorded_at: datetime) -> Notice:
    made = Notice(
        kind=kind,
        number="12/TB-TĐT",
        filing_number="EF01-260630-7Q4M2K9C-3",
        status="acknowledged",
        recorded_at=recorded_at,
        issued_at=recorded_at + timedelta(seconds=2),
        authority=Office("30300", "Thuế tỉnh Sơn La"),
        recipient=Party(
            "5500998804", "CÔNG TY TNHH XÂY DỰNG VÀ THƯƠNG MẠI MƯỜNG LA", "Phường Tô Hiệu, tỉnh Sơn La"
        ),
        provider="V0105987432",
        form_label="01/GTGT",
        form_kind="Chính thức",
        period_label="Q2/2026",
        submission_no=1,
        tax_name="Thuế giá trị gia tăng",
        digest_hex="0123456789abcdef" * 4,
        agent_name="CÔNG TY TNHH ĐẠI LÝ THUẾ TÂY BẮC",
    )
    if kind in ("refusal", "verdict-rejected"):
        reasons = (
            Reason("Lỗi số học", "[36] phải bằng [35] − [25]", "Tính lại [36]", "dòng 84", "842.36"),
            Reason("Lỗi khác", "Không rõ"),
        )
        made = replace(made, status="refused", reasons=reasons)
    if kind.startswith("verdict"):
        made = replace(
            made,
            completed_at=recorded_at + timedelta(days=1),
            agency_reference="ETAX00000000000000001",
            answers="11/TB-TĐT",
        )
    if kind == "verdict-accepted":
        payables = (Payable("VND0000000000000001", 88_676_500), Payable("USD1", -5, "USD"))
        made = replace(made, status="accepted", payables=payables)
    return made


def of_dossier(kind: NoticeKind) -> Notice:
    return replace(
        notice(kind, TT89),
        family="permit",
        form_label="Mẫu 01 NĐ 54/2019",
        form_kind="Cấp mới",
        period_label="",
        tax_name="",
        dossier_code=None if kind == "refusal" else "H52-20260701-0000001",
        procedure="Cấp giấy phép kinh doanh Karaoke",
        reception="Sở Văn hóa, Thể thao và Du lịch",
        papers=("Bản sao giấy phép: a.pdf", "b: b.png"),
    )


DOSSIER_FORMS = [
    ("receipt", "HS-TN", "Mẫu số 01", "Y"),
    ("refusal", "HS-TC", "Mẫu số 03", "N"),
    ("verdict-accepted", "HS-KQ", "Thông báo kết quả", "Y"),
    ("verdict-rejected", "HS-KGQ", "Mẫu số 03", "N"),
]


@pytest.mark.parametrize(("kind", "code", "label", "state"), DOSSIER_FORMS)
def test_a_dossier_there_and_back(kind: NoticeKind, code: str, label: str, state: str) -> None:
    form = notice_form(kind, TT89, "permit")
    assert (form.code, form.label, form.state) == (code, label, state)
    made = of_dossier(kind)
    octets = build_notice(made)
    assert validate_notice(octets) == ()
    assert read_notice(octets) == made
    root = etree.fromstring(octets)
    assert root.tag == "{urn:efile:ho-so:1}ThongBaoHoSo"
    assert read_notice(etree.tostring(root[0])) == made  # as the signature covers it


@pytest.mark.parametrize(
    ("made", "stray"),
    [
        (replace(of_dossier("receipt"), period_label="Q2/2026"), "period_label"),
        (replace(of_dossier("receipt"), payables=(Payable("x", 1),)), "payables"),
        (replace(notice("receipt", TT89), dossier_code="H52-20260701-0000001"), "dossier_code"),
        (replace(notice("receipt", TT89), papers=("a",)), "papers"),
    ],
)
def test_what_has_no_place_is_not_left_out_in_silence(made: Notice, stray: str) -> None:
    with pytest.raises(NoticeError, match=stray):
        build_notice(made)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<trangThai>Y<", "<trangThai>N<"),
        ("<maMau>HS-TN<", "<maMau>HS-KQ<"),
        ("<maMau>HS-TN<", "<maMau>TD89-GN<"),
        ("<ngayTiepNhan>01/07/2026", "<ngayTiepNhan>02/07/2026"),
        (">receipt<", ">refusal<"),
        ("<LyDo/>", "<LyDo/><LyDo/>"),
    ],
)
def test_a_dossiers_notice_that_tells_two_stories_is_refused(old: str, new: str) -> None:
    text = build_notice(of_dossier("receipt")).decode("utf-8")
    assert old in text
    with pytest.raises(NoticeError):
        read_notice(text.replace(old, new, 1).encode("utf-8"))


FORMS = [
    ("receipt", TT19, "843", "01-1/TB-TĐT", "Y"),
    ("refusal", TT19, "843", "01-1/TB-TĐT", "N"),
    ("verdict-accepted", TT19, "844", "01-2/TB-TĐT", "Y"),
    ("verdict-rejected", TT19, "844", "01-2/TB-TĐT", "N"),
    ("receipt", TT89, "TD89-GN", "01/TB-TĐT", "Y"),
    ("refusal", TT89, "TD89-KGN", "01/TB-TĐT", "N"),
    ("verdict-accepted", TT89, "TD89-TN", "01/TB-TĐT", "Y"),
    ("verdict-rejected", TT89, "TD89-KTN", "01/TB-TĐT", "N"),
]


@pytest.mark.parametrize(("kind", "received_at", "code", "label", "state"), FORMS)
def test_which_form_on_which_day(
    kind: NoticeKind, received_at: datetime, code: str, label: str, state: str
) -> None:
    form = notice_form(kind, received_at.astimezone(UTC))
    assert (form.code, form.label, form.state) == (code, label, state)


def test_before_the_first_day_there_is_no_form() -> None:
    assert notice_form("receipt", datetime(2021, 5, 2, 17, 0, tzinfo=UTC)).code == "843"
    with pytest.raises(NoticeError, match="2021-05-02"):
        notice_form("receipt", datetime(2021, 5, 2, 16, 59, tzinfo=UTC))


@pytest.mark.parametrize("recorded_at", [TT19, TT89])
@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(kind: NoticeKind, recorded_at: datetime) -> None:
    made = notice(kind, recorded_at)
    octets = build_notice(made)
    assert validate_notice(octets) == ()
    assert read_notice(octets) == made
    assert read_notice(signed_part(octets)) == made


@pytest.mark.parametrize("kind", KINDS)
def test_the_schema_takes_the_signed_notice(kind: NoticeKind) -> None:
    root = build_notice_element(notice(kind, TT19))
    for _ in range(2):
        signature = etree.SubElement(root[1], "{http://www.w3.org/2000/09/xmldsig#}Signature", Id="S")
        etree.SubElement(signature, "{http://www.w3.org/2000/09/xmldsig#}SignedInfo").text = "x"
    assert validate_notice(etree.tostring(root)) == ()
    assert notice_schema(notice_form(kind, TT19)).validate(root)


def test_fields_stand_where_the_published_notices_have_them() -> None:
    root = build_notice_element(notice("verdict-accepted", TT19))
    [body, signatures] = root
    assert (body.get("id"), signatures.tag, len(signatures)) == ("_NODE_TO_SIGN", f"{TB}CKyDTu", 0)
    content = body.find(f"{TB}NDungTBao")
    assert content is not None
    names = [etree.QName(child).localname for child in content]
    assert names == [
        "trangThai", "ngayNopThucTe", "ngayHoanThanh", "maGiaoDichDTu", "HoSoThue", "LyDo", "IDKhoanNop", "TTinBoSung",
    ]  # fmt: skip
    assert content.findtext(f"{TB}ngayNopThucTe") == "30/06/2026 23:59:59"
    receipt = build_notice_element(notice("receipt", TT19))
    assert receipt.findtext(f".//{TB}ngayHoSo") == "30/06/2026 23:59:59"
    assert receipt.find(f".//{TB}IDKhoanNop") is None


@pytest.mark.parametrize("name", ["tbao-843-01-1-TB-TDT.tt19.xml", "tbao-844-01-2-TB-TDT.tt19.xml"])
def test_every_path_of_the_samples_is_in_ours(name: str) -> None:
    file = SHARED / "samples" / "notices" / name
    if not file.exists():
        pytest.skip(f"the sample notice is missing: {name}")
    kind: NoticeKind = "refusal" if "843" in name else "verdict-accepted"
    made = replace(notice(kind, TT19), reasons=(Reason("a", "b"),))

    def paths(root: etree._Element) -> list[str]:
        tree = root.getroottree()
        return list(
            dict.fromkeys(re.sub(r"\[\d+\]", "", tree.getelementpath(node)) for node in root.iter("*"))
        )

    ours, theirs = paths(build_notice_element(made)), paths(etree.parse(str(file)).getroot())
    assert [path for path in ours if path in theirs] == theirs  # present, and in their order


def test_times_are_vietnam_times_without_fractions() -> None:
    made = notice("receipt", datetime(2026, 7, 20, 2, 0, 0, 999_999, tzinfo=UTC))
    back = read_notice(build_notice(made))
    assert back.recorded_at == datetime(2026, 7, 20, 9, 0, tzinfo=VIETNAM)
    assert b"<tb:thoiDiemGhiNhan>2026-07-20T09:00:00+07:00<" in build_notice(made)


def test_faults_become_reasons(examine: Examine) -> None:
    found = examine({"ct43": "1", "mst": "5500998805", "ct37": "1e9"})
    made = replace(notice("refusal", TT89), reasons=tuple(reason_of_fault(fault) for fault in found.faults))
    assert read_notice(build_notice(made)) == made
    assert [(reason.group, reason.code) for reason in made.reasons] == [
        ("Lỗi thông tin chung của tờ khai", "header.tax-code.check-digit"),
        ("Lỗi cấu trúc dữ liệu", "xsd.type"),
        ("Lỗi số liệu trên tờ khai", "842.43"),
    ]
    assert made.reasons[2].error == "[43] phải bằng [41] − [42] = 0, đang là 1"
    assert made.reasons[2].note.startswith("dòng ")


BAD = [
    ({"digest_hex": "ABC"}, "digest"),
    ({"digest_hex": "A" * 64}, "digest"),
    ({"status": "Đã nhận"}, "status"),
    ({"number": ""}, "number"),
    ({"filing_number": " "}, "filing_number"),
    ({"filing_number": "9" * 501}, "filing_number"),
    ({"authority": Office("", "")}, "authority"),
    ({"recorded_at": datetime(2026, 7, 1)}, "aware"),  # noqa: DTZ001
    ({"issued_at": datetime(2026, 7, 1)}, "aware"),  # noqa: DTZ001
    ({"recorded_at": datetime(2020, 7, 1, tzinfo=UTC)}, "in force"),
    ({"payables": (Payable("x", 1),)}, "payables"),
    ({"completed_at": TT19}, "completed_at"),
]


@pytest.mark.parametrize(("change", "reason"), BAD)
def test_a_notice_that_lacks_what_it_needs_is_not_built(change: dict[str, object], reason: str) -> None:
    with pytest.raises(NoticeError, match=reason):
        build_notice(replace(notice("receipt", TT19), **change))  # type: ignore[arg-type]


@settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), max_size=3000))
def test_any_text_makes_a_valid_notice(text: str) -> None:
    made = replace(
        notice("verdict-rejected", TT89),
        recipient=Party(text, text, text),
        provider=text,
        agent_name=text,
        form_label=text,
        agency_reference=text,
        reasons=(Reason(text, text, text, text, text),),
    )
    octets = build_notice(made)
    assert validate_notice(octets) == ()
    assert (
        read_notice(octets).reasons[0].error
        == re.sub("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "�", text)[:2000]
    )


STORIES = [
    ("<trangThai>Y<", "<trangThai>N<"),
    ("<maTBao>843<", "<maTBao>844<"),
    ("30/06/2026 23:59:59<", "29/06/2026 23:59:59<"),
    ("<ngayTBao>01/07/2026<", "<ngayTBao>02/07/2026<"),
    ("<maGiaoDichDTu>EF01", "<maGiaoDichDTu>EF02"),
    (">receipt<", ">refusal<"),
    ("2026-06-30T23:59:59+07:00", "2026-07-30T23:59:59+07:00"),
    ("2026-06-30T23:59:59+07:00", "2026-06-31T23:59:59+07:00"),
    ("2026-06-30T23:59:59+07:00", "2026-06-30T23:59:59Z"),
    ("<lanNop>1<", "<lanNop>-1<"),
    (' thuatToan="SHA-256"', ' thuatToan="MD5"'),
    ("<CKyDTu/>", "<CKyDTu/><CKyDTu/>"),
    ("<DaiLyThue>", "<x/><DaiLyThue>"),
    (' id="_NODE_TO_SIGN"', ""),
]


@pytest.mark.parametrize(("old", "new"), STORIES)
def test_a_notice_that_tells_two_stories_is_refused(old: str, new: str) -> None:
    text = build_notice(notice("receipt", TT19)).decode("utf-8")
    assert old in text
    with pytest.raises(NoticeError):
        read_notice(text.replace(old, new, 1).encode("utf-8"))


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<a/>",
        b"<a",
        b"<!DOCTYPE a><a/>",
        f'<TBaoThue xmlns="{TB[1:-1]}"/>'.encode(),
        f'<TBaoThueDTu xmlns="{TB[1:-1]}"/>'.encode(),
    ],
)
def test_what_is_no_notice(octets: bytes) -> None:
    assert validate_notice(octets)
    with pytest.raises(NoticeError):
        read_notice(octets)


def test_faults_of_a_notice_name_the_place() -> None:
    text = build_notice(notice("receipt", TT19)).decode("utf-8").replace("<trangThai>Y<", "<trangThai>1<")
    [fault, *_] = validate_notice(text.encode("utf-8"))
    assert (fault.code, fault.path, fault.severity) == ("notice.invalid", "trangThai", "ERROR")
