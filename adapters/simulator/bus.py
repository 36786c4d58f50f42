"""The simulated provincial bus, as `adapters/bus_wire.py` has it."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any

import msgspec
from aiohttp import web

from adapters import bus_wire as wire
from adapters.simulator.authority import Authority, Failure, Fault, Handed, HandedPaper
from adapters.simulator.books import Entry
from adapters.simulator.wire import Handler
from adapters.told import Verdict

CLIENT_ID, CLIENT_SECRET = "cong-nop-ho-so", "bi-mat-cua-truc-lien-thong"
_STATUS: dict[Fault, int] = {"malformed": 400, "damaged": 400, "conflict": 400, "unknown": 404, "busy": 502}


class BusWire:
    """Fulfils `adapters.simulator.wire.Wire`. Tokens, numbers and files are of each server that is started."""

    name = "bus"

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        bus = _Bus(authority)
        return [
            ("POST", "/bus/GetToken", bus.get_token),
            ("GET", "/bus/GetNextValue", bus.get_next_value),
            ("POST", "/bus/UploadFile", bus.upload_file),
            ("POST", "/bus/NoiHoSo", bus.link),
            ("GET", "/bus/TraCuuHoSo", bus.look_up),
        ]

    def failed(self, request: web.Request, failure: Failure) -> web.Response:  # noqa: ARG002 - one manner
        headers = {} if failure.wait is None else {"Retry-After": f"{failure.wait:.0f}"}
        return _json({"error_code": -1, "message": failure.words}, _STATUS[failure.fault], headers)

    def bomb(self, request: web.Request) -> web.Response:  # noqa: ARG002 - one manner
        return web.Response(body=b"[" * 500_000, content_type="application/json")

    def callback(self, key: str, verdict: Verdict) -> tuple[bytes, str]:
        status = 9 if verdict.outcome == "accepted" else 8
        told = _told(key, verdict.reference or "", status, verdict.decided_at, verdict)
        return msgspec.json.encode([told]), "application/json"


class _Bus:
    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        self._tokens: dict[str, int] = {}
        self._files: dict[str, bytes] = {}
        self._numbers = 0

    async def get_token(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=dict[str, str])
        if asked != {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}:
            return _json({"error_code": -1, "message": f"wrong secret {asked.get('client_secret')}"}, 401)
        token = secrets.token_urlsafe(24)
        self._tokens[token] = 0
        return _json({"access_token": token, "expires_in": 3600})

    async def get_next_value(self, request: web.Request) -> web.Response:
        if (shut := self._shut_out(request)) is not None:
            return shut
        self._numbers += 1
        return _json(
            {"value": f"{request.query['code']}-{datetime.now(wire.VIETNAM):%Y%m%d}-{self._numbers:07d}"}
        )

    async def upload_file(self, request: web.Request) -> web.Response:
        if (shut := self._shut_out(request)) is not None:
            return shut
        part = await (await request.multipart()).next()
        document = bytes(await part.read()) if part is not None and hasattr(part, "read") else b""
        name = secrets.token_hex(8)
        self._files[name] = document
        return _json({"data": [{"IdTepTin": name, "HashTepTin": hashlib.sha256(document).hexdigest()}]})

    async def link(self, request: web.Request) -> web.Response:
        if (shut := self._shut_out(request)) is not None:
            return shut
        taken = await self._authority.take_in(self._handed(request, await request.read()))
        entry = taken.entry
        data = {"idHoSo": f"ID-{entry.reference}", "maHoSo": entry.reference}
        return _json({"error_code": wire.OK if taken.fresh else wire.DUPLICATE, "data": data})

    async def look_up(self, request: web.Request) -> web.Response:
        if (shut := self._shut_out(request)) is not None:
            return shut
        entry = self._authority.find(request.query.get("maGiaoDich", ""))
        verdict = self._authority.decided(entry)
        behaviour = self._authority.behaviour
        status = behaviour.stage if verdict is None else 9 if verdict.outcome == "accepted" else 8
        words = behaviour.stage_words if verdict is None else ""
        return _json({"error_code": 0, "data": _found(entry, status, words, verdict)})

    def _shut_out(self, request: web.Request) -> web.Response | None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        lasts = self._authority.behaviour.token_lasts
        used = self._tokens.get(token)
        if used is None or (lasts and used >= lasts):
            self._tokens.pop(token, None)
            return _json({"error_code": -1, "message": "Token không hợp lệ"}, 401)
        self._tokens[token] = used + 1
        return None

    def _handed(self, request: web.Request, body: bytes) -> Handed:
        try:
            told = msgspec.json.decode(body)
            attached, *beside = (one["GiayToDinhKem"][0] for one in told["ThanhPhanHoSo"])
            wire.read_moment(told["NgayNop"])
            handed = Handed(
                wire=BusWire.name,
                key=told["MaGiaoDich"],
                agency=told["MaDonViTiepNhan"],
                number=told["SoHoSoCong"],
                digest=attached["HashTepTin"],
                document=self._files.pop(attached["IdGiayTo"]),
                reference=told["MaHoSo"],
                papers=tuple(
                    HandedPaper(one["TenGiayTo"], one["HashTepTin"], self._files.pop(one["IdGiayTo"]))
                    for one in beside
                ),
            )
        except (msgspec.MsgspecError, LookupError, TypeError, ValueError) as error:
            raise Failure("malformed", f"NoiHoSo: {error!r}") from error
        if request.headers.get("Idempotency-Key") != handed.key:
            raise Failure("malformed", "The Idempotency-Key header and MaGiaoDich differ")
        return handed


def _found(entry: Entry, status: int, words: str, verdict: Verdict | None) -> dict[str, Any]:
    told = _told(entry.key, entry.reference, status, entry.decides_at, verdict)
    step = {
        "TrangThai": status,
        "ThoiDiemXuLy": wire.write_moment(entry.decides_at, wire.ISO),
        "NoiDungXuLy": words,
    }
    return {**told, "HashTepTin": entry.digest, "TienTrinh": [step]}


def _told(key: str, reference: str, status: int, at: datetime, verdict: Verdict | None) -> dict[str, Any]:
    reasons = verdict.reasons if verdict else ()
    payables = verdict.payables if verdict else ()
    return {
        "MaGiaoDich": key,
        "MaHoSo": reference,
        "IdHoSo": f"ID-{reference}",
        "TrangThai": status,
        "ThoiDiemCapNhat": wire.write_moment(at, wire.COMPACT),
        "DanhSachLePhi": [
            {"MaLePhi": p.id, "SoTien": p.amount, "LoaiTien": p.currency, "TenLePhi": p.name}
            for p in payables
        ],
        "LyDo": [
            {
                "MaLoi": r.code,
                "NhomLoi": r.group,
                "NoiDung": r.error,
                "HuongXuLy": r.remedy,
                "GhiChu": r.note,
            }
            for r in reasons
        ],
    }


def _json(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json", headers=headers
    )
