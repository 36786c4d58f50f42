"""The simulated agency on the document exchange, as `adapters/edxml_wire.py` has it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from aiohttp import web

from adapters import edxml_wire as wire
from adapters.result_wire import write_result
from adapters.simulator.authority import Authority, Failure, Fault, Handed, HandedPaper
from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Entry
from adapters.simulator.rest import json_answer
from adapters.simulator.wire import Handler
from adapters.told import Verdict
from adapters.xml import NotOfTheForm, encoded

_STATUS: dict[Fault, int] = {"malformed": 400, "damaged": 422, "conflict": 409, "unknown": 404, "busy": 503}
_LARGEST, _MOST = 200 << 20, 201
_ARRIVED, _STAGES = "01", {2: "03", 4: "05"}
_ORGAN, _CODE = "G22.99", "12/QĐ-MP"


class EdxmlWire:
    """Fulfils `adapters.simulator.wire.Wire`. It answers who asks: the organ in the question, for books keep none."""

    name = "edxml"

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        async def take_in(request: web.Request) -> web.Response:
            octets = await request.read()
            taken = await authority.take_in(_handed(octets, request.headers.get("Idempotency-Key", "")))
            return json_answer(
                {
                    "status": "OK",
                    "ErrorCode": "0" if taken.fresh else "1",
                    "ErrorDesc": "",
                    "DocId": taken.entry.reference,
                    "Hash": hashlib.sha256(octets).hexdigest(),
                }
            )

        async def tell(request: web.Request) -> web.Response:
            organ = request.query.get("organid", "")
            entry = authority.find(request.query.get("codenumber", ""))
            verdict = authority.decided(entry)
            octets = (
                _status(entry, organ, authority.behaviour)
                if verdict is None
                else _decision(entry.key, organ, verdict)
            )
            return web.Response(body=octets, content_type="application/xml", charset="utf-8")

        return [("POST", "/edxml/edocs", take_in), ("GET", "/edxml/edocs", tell)]

    def failed(self, _request: web.Request, failure: Failure) -> web.Response:
        told = {"status": "FAIL", "ErrorCode": "-1", "ErrorDesc": failure.words}
        answer = json_answer(told, _STATUS[failure.fault])
        if failure.wait is not None:
            answer.headers["Retry-After"] = f"{failure.wait:.0f}"
        return answer

    def bomb(self, request: web.Request) -> web.Response:
        if request.method == "POST":
            return web.Response(body=b"[" * 500_000, content_type="application/json")
        part = wire.Part(wire.RESULT_FILE, "application/xml", "", b" " * (64 << 20))
        head = _head(request.query.get("codenumber", ""), request.query.get("organid", ""))
        octets = wire.answer(head, datetime.now(UTC), part=part)
        return web.Response(body=octets, content_type="application/xml", charset="utf-8")

    def callback(self, _key: str, _verdict: Verdict) -> None:
        return None  # whom to answer stands in the question alone


def _handed(octets: bytes, key: str) -> Handed:
    try:
        root = wire.read(octets, large=True)
        head = wire.read_head(root)
        part, *papers = wire.read_parts(root, _LARGEST, _MOST)
    except (NotOfTheForm, ValueError) as error:
        raise Failure("malformed", f"Not a document with attachments: {error}") from error
    number = head.code.partition("/")[0]
    if number != key:
        raise Failure("malformed", "The Idempotency-Key header and CodeNumber differ")
    return Handed(
        wire=EdxmlWire.name,
        key=number,
        agency=head.receiver,
        number=part.name.rpartition(".")[0],
        digest=_digest(part),
        document=part.octets,
        papers=tuple(HandedPaper(paper.name, _digest(paper), paper.octets) for paper in papers),
    )


def _digest(part: wire.Part) -> str:
    return part.description.removeprefix(wire.DIGEST).partition(" ")[0]


def _head(key: str, organ: str) -> wire.Head:
    return wire.Head(_ORGAN, organ, _CODE, f"{key}/", organ)


def _status(entry: Entry, organ: str, behaviour: Behaviour) -> bytes:
    at = datetime.now(UTC)
    status = wire.Status(_STAGES.get(behaviour.stage, _ARRIVED), behaviour.stage_words, at)
    return wire.answer(_head(entry.key, organ), at, status=status)


def _decision(key: str, organ: str, verdict: Verdict) -> bytes:
    part = wire.Part(wire.RESULT_FILE, "application/xml", "", encoded(write_result(verdict)))
    return wire.answer(_head(key, organ), verdict.decided_at, part=part)
