"""The bus adapter: what exactly goes over the wire, its three notations of time, tokens that end, a bus that lies."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import UTC, datetime

import pytest
from aiohttp import web

from adapters import (
    ConfigError,
    MalformedCallback,
    Pending,
    Progress,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    open_adapter,
)
from adapters import bus_wire as wire
from adapters.simulator import Behaviour, Simulator
from adapters.simulator.bus import CLIENT_ID, CLIENT_SECRET
from tests.adapters.families.bus import bus_settings

AT = datetime(2026, 6, 8, 7, 7, 53, 329_000, tzinfo=UTC)


class FakeBus:
    """A bus that answers as the test says; keeps what it is asked."""

    def __init__(self):
        self.asked = []
        self.tokens = 0
        self.answers = {}

    async def answer(self, request):
        name = request.path.rpartition("/")[2]
        body = await request.read()
        self.asked.append((request.method, name, dict(request.query), dict(request.headers), body))
        if name in self.answers:
            status, told = self.answers[name]
            return web.json_response(told, status=status)
        if name == "GetToken":
            self.tokens += 1
            return web.json_response({"access_token": f"t{self.tokens}", "expires_in": 60})
        if name == "GetNextValue":
            return web.json_response({"value": "H52.01-20260715-0000001"})
        if name == "UploadFile":
            digest = self.digest
            return web.json_response({"data": [{"IdTepTin": "TEP-1", "HashTepTin": digest}]})
        if name == "NoiHoSo":
            data = {"idHoSo": "ID-1", "maHoSo": json.loads(body)["MaHoSo"]}
            return web.json_response({"error_code": 0, "data": data})
        return web.json_response({"error_code": -1, "message": "Không có hồ sơ"}, status=404)

    def calls(self, name):
        return [one for one in self.asked if one[1] == name]


@pytest.fixture
async def bus(door, pki, tmp_path, parcel):
    fake = FakeBus()
    fake.digest = parcel().digest_hex
    async with door("agency-server", fake.answer) as url:
        fake.open = lambda **more: open_adapter("bus", bus_settings(pki, tmp_path, url + "/lgsp", **more))
        yield fake


def record(**changes):
    return {
        "MaGiaoDich": "f-1",
        "MaHoSo": "H52-1",
        "TrangThai": 4,
        "ThoiDiemCapNhat": "20260608140753",
        **changes,
    }


async def test_the_messages_are_as_the_readme_shows(bus, parcel):
    adapter = bus.open(names={"842": "1.004082", "tax": "G12.34"})
    assert await adapter.submit(parcel()) == Submitted("H52.01-20260715-0000001", duplicate=False)
    await adapter.close()
    assert [(method, name, query) for method, name, query, _, _ in bus.asked] == [
        ("POST", "GetToken", {}),
        ("GET", "TraCuuHoSo", {"maGiaoDich": "f-1"}),
        ("GET", "GetNextValue", {"code": "H52.01"}),
        ("POST", "UploadFile", {}),
        ("POST", "NoiHoSo", {}),
    ]
    assert json.loads(bus.asked[0][4]) == {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert {headers.get("Authorization") for _, _, _, headers, _ in bus.asked[1:]} == {"Bearer t1"}
    assert b'name="files"' in bus.asked[3][4]
    assert parcel().document in bus.asked[3][4]
    assert bus.asked[4][3]["Idempotency-Key"] == "f-1"
    assert json.loads(bus.asked[4][4]) == {
        "MaGiaoDich": "f-1",
        "MaHoSo": "H52.01-20260715-0000001",
        "SoHoSoCong": "EF-260715-000001-4",
        "MaTTHC": "1.004082",
        "MaDonViTiepNhan": "G12.34",
        "NgayNop": "2026-07-15 10:04:05",
        "NgayTiepNhan": "2026-07-15 10:04:05",
        "ThongTinNguoiNop": {"ThongTinChiTiet": {"SoDinhDanh": "5500123457"}},
        "ThanhPhanHoSo": [
            {
                "MaThanhPhanHoSo": "1.004082",
                "TenThanhPhanHoSo": "842 2.8.3",
                "SoLuong": 1,
                "LoaiBan": 2,
                "GiayToDinhKem": [
                    {"IdGiayTo": "TEP-1", "TenGiayTo": "f-1.xml", "HashTepTin": parcel().digest_hex}
                ],
            }
        ],
    }


async def test_our_own_number_where_the_bus_issues_none(bus, parcel):
    adapter = bus.open(numbers="ours")
    sent = await adapter.submit(parcel(dossier_code="000.00.00.H52-260715-0001"))
    assert sent.reference == "000.00.00.H52-260715-0001"
    assert (await adapter.submit(parcel())).reference == "EF-260715-000001-4"
    assert bus.calls("GetNextValue") == []


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-06-08 14:07:53", AT.replace(microsecond=0)),
        ("20260608140753", AT.replace(microsecond=0)),
        ("2026-06-08T14:07:53", AT.replace(microsecond=0)),
        ("2026-06-08T14:07:53.329", AT.replace(microsecond=0)),
        ("2026-06-08T14:07:53.3290000", AT.replace(microsecond=0)),
    ],
)
def test_the_three_notations_of_time_are_read(text, moment):
    assert wire.read_moment(text) == moment


@pytest.mark.parametrize(
    ("notation", "text"),
    [
        (wire.SPACED, "2026-06-08 14:07:53"),
        (wire.COMPACT, "20260608140753"),
        (wire.ISO, "2026-06-08T14:07:53.329"),
    ],
)
def test_the_three_notations_of_time_are_written(notation, text):
    assert wire.write_moment(AT, notation) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-06-08",
        "08/06/2026 14:07:53",
        "20260608",
        "20260230000000",
        "2026-06-08T14:07:53Z",
        "2026-06-08T14:07:53+07:00",
        "2026-06-08 14:07:53.329",
        "2026-06-08 25:07:53",
        "２0260608140753",
        "20260608140753\n",
        "2026-06-08T14:07:53.",
        "1" * 5000,
    ],
)
def test_other_notations_are_none(text):
    with pytest.raises(wire.NotOfTheForm):
        wire.read_moment(text)


@pytest.mark.parametrize(
    ("status", "means"),
    [
        (1, None),
        (2, None),
        (3, "rejected"),
        (4, None),
        (5, None),
        (6, None),
        (7, None),
        (8, "rejected"),
        (9, "accepted"),
        (10, "accepted"),
    ],
)
async def test_what_each_status_of_the_portal_means(bus, status, means):
    bus.answers["TraCuuHoSo"] = (200, {"data": record(TrangThai=status)})
    found = await bus.open().fetch("f-1")
    if means is None:
        assert found == Pending("H52-1")
    else:
        assert isinstance(found, Verdict)
        assert (found.outcome, found.reference) == (means, "H52-1")
        assert found.decided_at == AT.replace(microsecond=0)
        assert bool(found.reasons) == (means == "rejected")


async def test_progress_has_the_words_of_its_last_step(bus):
    steps = [
        {"TrangThai": 5, "ThoiDiemXuLy": "2026-06-08T07:47:28.329", "NoiDungXuLy": "Thiếu bản sao"},
        {"TrangThai": 4, "ThoiDiemXuLy": "2026-06-08T07:46:28.329", "NoiDungXuLy": "Thẩm định"},
    ]
    bus.answers["TraCuuHoSo"] = (200, {"data": record(TrangThai=5, TienTrinh=steps)})
    assert (await bus.open().fetch("f-1")).progress == Progress(5, "Thiếu bản sao")
    bus.answers["TraCuuHoSo"] = (200, {"data": record(TrangThai=6)})
    assert (await bus.open().fetch("f-1")).progress == Progress(6)


async def test_a_rejection_without_reasons_has_the_words_of_its_last_step(bus):
    steps = [
        {"TrangThai": 4, "ThoiDiemXuLy": "2026-06-08T07:47:28.329", "NoiDungXuLy": "Thẩm định"},
        {"TrangThai": 8, "ThoiDiemXuLy": "2026-06-08T07:48:28.329", "NoiDungXuLy": "Không đủ điều kiện"},
    ]
    bus.answers["TraCuuHoSo"] = (200, {"data": record(TrangThai=8, TienTrinh=steps)})
    verdict = await bus.open().fetch("f-1")
    assert [(r.code, r.error, r.group) for r in verdict.reasons] == [
        ("8", "Không đủ điều kiện", "Trạng thái hồ sơ")
    ]


async def test_a_token_is_kept_and_renewed_once_when_it_has_ended(settings, config, pki, parcel, tmp_path):
    async with Simulator(config(behaviour=Behaviour(verdict_delay_s=0, token_lasts=3))) as simulator:
        adapter = open_adapter("bus", bus_settings(pki, tmp_path, simulator.url + "/bus"))
        for number in range(5):
            assert not (await adapter.submit(parcel(key=f"f-{number}"))).duplicate
        for number in range(5):
            assert isinstance(await adapter.fetch(f"f-{number}"), Verdict)
        await adapter.close()
    assert len(simulator.books) == 5


async def test_many_calls_ask_for_one_token(bus):
    adapter = bus.open()
    assert await asyncio.gather(*(adapter.fetch(f"f-{n}") for n in range(20))) == [Unknown()] * 20
    assert bus.tokens == 1


async def test_a_token_that_is_never_taken_is_renewed_once_and_no_more(bus, parcel):
    bus.answers["TraCuuHoSo"] = (401, {"message": "Token không hợp lệ"})
    with pytest.raises(Unavailable, match="401"):
        await bus.open().fetch("f-1")
    assert bus.tokens == 2


async def test_a_wrong_secret_is_unavailable_and_untold(config, pki, parcel, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    async with Simulator(config()) as simulator:
        settings = bus_settings(pki, tmp_path, simulator.url + "/bus")
        (tmp_path / "bus-secret").write_text("khong-phai-bi-mat")
        adapter = open_adapter("bus", settings)
        with pytest.raises(Unavailable, match="no token: it answered 401") as caught:
            await adapter.submit(parcel())
        await adapter.close()
    assert "khong-phai" not in caplog.text + caught.value.reason


LIES = {
    "no token in it": ("GetToken", (200, {"token": "x"}), Unavailable, "agreed form"),
    "a token that is none": ("GetToken", (200, {"access_token": "x\r\nEvil: 1"}), Unavailable, "agreed form"),
    "a hostile number": ("GetNextValue", (200, {"value": "<x>"}), Unavailable, "agreed form"),
    "another file": (
        "UploadFile",
        (200, {"data": [{"IdTepTin": "1", "HashTepTin": "0" * 64}]}),
        Unavailable,
        "digest differs",
    ),
    "no file": ("UploadFile", (200, {"data": []}), Unavailable, "agreed form"),
    "an error with 200": (
        "NoiHoSo",
        (200, {"error_code": -1, "data": {"idHoSo": "", "maHoSo": ""}}),
        Unavailable,
        "error_code -1",
    ),
    "had it, and does not know it": (
        "NoiHoSo",
        (200, {"error_code": 1, "data": {"idHoSo": "1", "maHoSo": "1"}}),
        Unavailable,
        "does not know it",
    ),
    "a request that it calls wrong": (
        "NoiHoSo",
        (400, {"error_code": -1, "message": "Sai mã\x1b[31m TTHC"}),
        Rejected,
        r"400 .Sai mã .31m TTHC",
    ),
    "not allowed": ("NoiHoSo", (403, {"message": "no"}), Unavailable, "403"),
    "overloaded": ("NoiHoSo", (502, {"message": "no"}), Unavailable, "502"),
    "another key": ("TraCuuHoSo", (200, {"data": record(MaGiaoDich="f-2")}), Unavailable, "another key"),
    "another document": (
        "TraCuuHoSo",
        (200, {"data": record(HashTepTin="0" * 64)}),
        Rejected,
        "another document",
    ),
    "no digest": ("TraCuuHoSo", (200, {"data": record()}), Unavailable, "no HashTepTin"),
    "no such status": ("TraCuuHoSo", (200, {"data": record(TrangThai=11)}), Unavailable, "agreed form"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_bus_that_lies_or_refuses(bus, parcel, lie):
    name, answer, error, words = LIES[lie]
    bus.answers[name] = answer
    with pytest.raises(error, match=words) as caught:
        await bus.open().submit(parcel())
    assert caught.value.reason.isprintable()
    assert len(caught.value.reason) < 300


async def test_an_answer_that_is_lost_neither_numbers_nor_sends_again(config, pki, parcel, tmp_path):
    async with Simulator(config(behaviour=Behaviour(lose_answer=1))) as simulator:
        adapter = open_adapter("bus", bus_settings(pki, tmp_path, simulator.url + "/bus"))
        with pytest.raises(Unavailable):
            await adapter.submit(parcel())
        again = await adapter.submit(parcel())
        later = await adapter.submit(parcel(key="f-2"))
        await adapter.close()
    assert (again.duplicate, again.reference) == (True, simulator.books["f-1"].reference)
    assert simulator.books["f-1"].times == 1
    assert later.reference.endswith("-0000002"), "no number was drawn for the repeat"


async def test_a_fault_in_the_time_of_a_decision_is_no_verdict(bus):
    bus.answers["TraCuuHoSo"] = (200, {"data": record(TrangThai=9, ThoiDiemCapNhat="hôm qua")})
    with pytest.raises(Unavailable, match="agreed form"):
        await bus.open().fetch("f-1")


JSON = {"Content-Type": "application/json"}


def test_a_callback_is_read_whether_it_decides_or_not(pki, tmp_path):
    adapter = open_adapter("bus", bus_settings(pki, tmp_path))
    assert adapter.read_callback(json.dumps([record(TrangThai=5)]).encode(), JSON) == (
        "f-1",
        Pending("H52-1"),
    )
    key, verdict = adapter.read_callback(json.dumps([record(TrangThai=9)]).encode(), JSON)
    assert (key, verdict.outcome) == ("f-1", "accepted")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        json.dumps([record(), record()]).encode(),
        json.dumps([record(MaGiaoDich="../x")]).encode(),
        json.dumps([record(TrangThai=0)]).encode(),
        json.dumps([record(TrangThai=9, ThoiDiemCapNhat="x")]).encode(),
        b"[" * 200_000,
        b"\xff",
        b" " * (2 << 20),
    ],
)
def test_a_callback_that_is_none(pki, tmp_path, body):
    adapter = open_adapter("bus", bus_settings(pki, tmp_path))
    with pytest.raises(MalformedCallback) as caught:
        adapter.read_callback(body, JSON)
    assert caught.value.reason.isprintable()


BAD_SETTINGS = {
    "no secret": ({"client_secret_file": None}, "client_secret_file or client_secret_env is missing"),
    "two secrets": ({"client_secret_env": "HOME"}, "exclude each other"),
    "no unit": ({"unit_code": ""}, "unit_code"),
    "other numbers": ({"numbers": "theirs"}, "numbers"),
    "names that are none": ({"names": ["842"]}, "names"),
    "plain HTTP": ({"base_url": "http://bus.invalid"}, "must be https"),
}


@pytest.mark.parametrize("case", BAD_SETTINGS)
def test_settings_that_cannot_work(pki, tmp_path, case):
    changes, words = BAD_SETTINGS[case]
    with pytest.raises(ConfigError, match=words) as caught:
        open_adapter("bus", {**bus_settings(pki, tmp_path), **changes})
    assert CLIENT_SECRET not in str(caught.value)
