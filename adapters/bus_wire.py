"""The JSON that a provincial bus (LGSP) and the gateway exchange: calls and field names as public clients of such buses
have them. `MaGiaoDich` (our key), `TraCuuHoSo` and `LyDo` are this project's; adapters/README.md shows each once.

Three notations of time stand in one interface, all without a zone and all in Vietnam's time: see `read_moment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

import msgspec

from adapters import base, told

VIETNAM = timezone(timedelta(hours=7))
SPACED, COMPACT, ISO = "%Y-%m-%d %H:%M:%S", "%Y%m%d%H%M%S", "%Y-%m-%dT%H:%M:%S"
"""`2026-06-08 14:07:53` (NgayNop, NgayTiepNhan), `20260608140753` (ThoiDiemCapNhat), `2026-06-08T14:07:53.329`
(ThoiDiemXuLy)."""
_NOTATIONS = (
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", re.ASCII), SPACED),
    (re.compile(r"\d{14}", re.ASCII), COMPACT),
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}", re.ASCII), ISO),
)
_FRACTION = re.compile(r"(?<=T\d{2}:\d{2}:\d{2})\.\d{1,7}", re.ASCII)

ACCEPTED, REJECTED = frozenset({9, 10}), frozenset({3, 8})
"""Statuses of the national portal that decide: Đã xử lý xong, Đã trả kết quả; Không được tiếp nhận, Dừng xử lý."""
_WORDS = {3: "Không được tiếp nhận", 8: "Dừng xử lý"}
_GROUP = "Trạng thái hồ sơ"
OK, DUPLICATE = 0, 1


class NotOfTheForm(ValueError):
    """Not a message of the agreed form. The words are not fit for a log as they are."""


class Token(msgspec.Struct, frozen=True):
    """Answer to GetToken."""

    access_token: Annotated[str, msgspec.Meta(min_length=1, max_length=8192, pattern=r"^[!-~]+$")]


class NextValue(msgspec.Struct, frozen=True):
    """Answer to GetNextValue: a dossier number of the bus's."""

    value: Annotated[str, msgspec.Meta(min_length=1, max_length=100, pattern=r"^[0-9A-Za-z.\-/]+$")]


class StoredFile(msgspec.Struct, frozen=True, rename="pascal"):
    """A file that the bus keeps; its hash is the SHA-256 in hex."""

    id_tep_tin: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    hash_tep_tin: told.Hex256


class Stored(msgspec.Struct, frozen=True):
    """Answer to UploadFile: one row for each file."""

    data: Annotated[tuple[StoredFile, ...], msgspec.Meta(min_length=1, max_length=1)]


class Linked(msgspec.Struct, frozen=True, rename="camel"):
    """The dossier in the answer to NoiHoSo."""

    id_ho_so: told.Short
    ma_ho_so: told.Short


class Answer(msgspec.Struct, frozen=True):
    """Answer to NoiHoSo: error_code 0 taken in, 1 had it before (`data` is the first's)."""

    error_code: int
    data: Linked


class Problem(msgspec.Struct, frozen=True):
    """An error as far as it is read: the words for a person."""

    message: str = ""


class Step(msgspec.Struct, frozen=True, rename="pascal"):
    """One row of the progress (tiến trình)."""

    trang_thai: int
    thoi_diem_xu_ly: str
    noi_dung_xu_ly: told.Text = ""
    nguoi_xu_ly: told.Short = ""
    phong_ban_xu_ly: told.Short = ""


class Fee(msgspec.Struct, frozen=True, rename="pascal"):
    """What is to be paid, in whole units of `loai_tien`."""

    ma_le_phi: told.Short
    so_tien: told.Amount
    ten_le_phi: told.Text = ""
    loai_tien: told.Currency = "VND"


class Why(msgspec.Struct, frozen=True, rename="pascal"):
    """Why a dossier is not taken, or stopped."""

    ma_loi: told.Short
    noi_dung: told.Text
    nhom_loi: told.Text = ""
    huong_xu_ly: told.Text = ""
    ghi_chu: told.Text = ""


class Dossier(msgspec.Struct, frozen=True, rename="pascal"):
    """Where a dossier stands: in the answer to TraCuuHoSo, and as CapNhatTrangThai to the callback door.

    `trang_thai` is the national portal's (1 to 10), `hash_tep_tin` the document's SHA-256 in hex.
    """

    ma_giao_dich: told.Key
    ma_ho_so: told.Short
    trang_thai: Annotated[int, msgspec.Meta(ge=1, le=10)]
    thoi_diem_cap_nhat: str
    hash_tep_tin: told.Hex256 | None = None
    id_ho_so: told.Short = ""
    tien_trinh: Annotated[tuple[Step, ...], msgspec.Meta(max_length=1000)] = ()
    danh_sach_le_phi: Annotated[tuple[Fee, ...], msgspec.Meta(max_length=1000)] = ()
    ly_do: Annotated[tuple[Why, ...], msgspec.Meta(max_length=1000)] = ()


class Found(msgspec.Struct, frozen=True):
    """Answer to TraCuuHoSo."""

    data: Dossier


def dossier(
    parcel: base.Parcel, number: str, stored: Sequence[StoredFile], names: Mapping[str, str]
) -> dict[str, Any]:
    """The body of NoiHoSo. `stored`: the document, and its papers in their order; each paper is a component of its own.

    `names`: our codes of forms, papers and agencies in the bus's own; what is not there goes as it is.
    """
    received = write_moment(parcel.received_at, SPACED)
    form, unit = (names.get(code, code) for code in (parcel.form_code, parcel.agency))
    document, *papers = stored
    beside = zip(parcel.papers, papers, strict=True)
    return {
        "MaGiaoDich": parcel.key,
        "MaHoSo": number,
        "SoHoSoCong": parcel.filing_number,
        "MaTTHC": form,
        "MaDonViTiepNhan": unit,
        "NgayNop": received,
        "NgayTiepNhan": received,
        "ThongTinNguoiNop": {"ThongTinChiTiet": {"SoDinhDanh": parcel.taxpayer_code}},
        "ThanhPhanHoSo": [
            _component(form, f"{parcel.form_code} {parcel.form_version}", file_name(parcel), document),
            *(_component(names.get(one.kind, one.kind), one.kind, one.name, file) for one, file in beside),
        ],
    }


def _component(code: str, name: str, file: str, stored: StoredFile) -> dict[str, Any]:
    attached = {"IdGiayTo": stored.id_tep_tin, "TenGiayTo": file, "HashTepTin": stored.hash_tep_tin}
    return {
        "MaThanhPhanHoSo": code,
        "TenThanhPhanHoSo": name,
        "SoLuong": 1,
        "LoaiBan": 2,
        "GiayToDinhKem": [attached],
    }


def file_name(parcel: base.Parcel) -> str:
    """The name under which the document is uploaded."""
    return f"{parcel.key}.{'xml' if parcel.media_type == 'application/xml' else 'bin'}"


def standing(told_: Dossier) -> base.Pending | base.Verdict:
    """What the status means for us. Raises NotOfTheForm: a time that is none, or more than a verdict may hold."""
    if told_.trang_thai not in ACCEPTED | REJECTED:
        return base.Pending(told_.ma_ho_so, base.Progress(told_.trang_thai, _words(told_)))
    accepted = told_.trang_thai in ACCEPTED
    values = {
        "outcome": "accepted" if accepted else "rejected",
        "decidedAt": read_moment(told_.thoi_diem_cap_nhat),
        "reference": told_.ma_ho_so,
        "reasons": [] if accepted else _reasons(told_),
        "payables": [
            {"id": fee.ma_le_phi, "amount": fee.so_tien, "currency": fee.loai_tien, "name": fee.ten_le_phi}
            for fee in told_.danh_sach_le_phi
        ]
        if accepted
        else [],
    }
    try:
        return told.read_verdict(msgspec.convert(values, told.Verdict))
    except msgspec.ValidationError as error:
        raise NotOfTheForm(str(error)) from error


def read_moment(text: str) -> datetime:
    """A time in any of the three notations; a fraction of the second, which one of them has, is dropped.

    Raises:
        NotOfTheForm: none of them, or no such time.
    """
    whole = _FRACTION.sub("", text, count=1)
    for form, notation in _NOTATIONS:
        if form.fullmatch(whole):
            try:
                return datetime.strptime(whole, notation).replace(tzinfo=VIETNAM)
            except ValueError as error:
                raise NotOfTheForm(f"no such time: {text[:40]}") from error
    raise NotOfTheForm(f"a time in no notation of the bus: {text[:40]}")


def write_moment(moment: datetime, notation: str) -> str:
    """An aware time in a notation of the bus; ISO with milliseconds."""
    there = moment.astimezone(VIETNAM)
    fraction = f".{there.microsecond // 1000:03d}" if notation == ISO else ""
    return there.strftime(notation) + fraction


def _reasons(told_: Dossier) -> list[dict[str, str]]:
    """Those it gives; without any, the words of the last step that has this status, or the status itself."""
    if told_.ly_do:
        return [
            {
                "code": why.ma_loi,
                "group": why.nhom_loi,
                "error": why.noi_dung,
                "remedy": why.huong_xu_ly,
                "note": why.ghi_chu,
            }
            for why in told_.ly_do
        ]
    status = told_.trang_thai
    return [{"code": str(status), "group": _GROUP, "error": _words(told_) or _WORDS[status]}]


def _words(told_: Dossier) -> str:
    """Of the last step with the status that it has now; "" where it says nothing."""
    said = [step.noi_dung_xu_ly for step in told_.tien_trinh if step.trang_thai == told_.trang_thai]
    return next((text for text in reversed(said) if text.strip()), "")
