"""The simulated authority over JSON, as `adapters/rest_wire.py` has it."""

from __future__ import annotations

from typing import Any

import msgspec
from aiohttp import web

from adapters import rest_wire as wire
from adapters.simulator.authority import Authority, Failure, Fault, Handed, HandedPaper
from adapters.simulator.wire import Handler
from adapters.told import Verdict

_STATUS: dict[Fault, int] = {"malformed": 400, "damaged": 422, "conflict": 409, "unknown": 404, "busy": 503}


class RestWire:
    """Fulfils `adapters.simulator.wire.Wire`."""

    name = "rest"

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        async def take_in(request: web.Request) -> web.Response:
            envelope = _envelope(request, await request.read())
            taken = await authority.take_in(_handed(envelope))
            entry = taken.entry
            told = wire.Acknowledgement(entry.key, entry.digest, entry.reference, taken.verdict)
            return json_answer(told, 201 if taken.fresh else 200)

        async def tell(request: web.Request) -> web.Response:
            entry = authority.find(request.match_info["key"])
            verdict = authority.decided(entry)
            state = "decided" if verdict else "pending"
            return json_answer(wire.State(entry.key, state, entry.reference, verdict))  # type: ignore[arg-type]

        return [("POST", "/filings", take_in), ("GET", "/filings/{key}", tell)]

    def failed(self, _request: web.Request, failure: Failure) -> web.Response:
        return problem(_STATUS[failure.fault], failure.words, failure.wait)

    def bomb(self, _request: web.Request) -> web.Response:
        return web.Response(body=b"[" * 500_000, content_type="application/json")

    def callback(self, key: str, verdict: Verdict) -> tuple[bytes, str]:
        return msgspec.json.encode(wire.Callback(key, verdict)), "application/json"


def json_answer(body: Any, status: int = 200) -> web.Response:
    """An answer of the agreed form."""
    return web.Response(body=msgspec.json.encode(body), status=status, content_type="application/json")


def problem(status: int, detail: str, wait: float | None = None) -> web.Response:
    """RFC 9457; `wait` in seconds."""
    body = msgspec.json.encode({"status": status, "title": "Simulated tax authority", "detail": detail})
    headers = {} if wait is None else {"Retry-After": f"{wait:.0f}"}
    return web.Response(body=body, status=status, content_type="application/problem+json", headers=headers)


def _envelope(request: web.Request, body: bytes) -> wire.Envelope:
    try:
        envelope = msgspec.json.decode(body, type=wire.Envelope)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Failure("malformed", f"Not an envelope: {error}") from error
    if request.headers.get("Idempotency-Key") != envelope.key:
        raise Failure("malformed", "The Idempotency-Key header and the envelope's key differ")
    return envelope


def _handed(envelope: wire.Envelope) -> Handed:
    return Handed(
        wire=RestWire.name,
        key=envelope.key,
        agency=envelope.agency,
        number=envelope.number,
        digest=envelope.document.digest,
        document=envelope.document.content,
        papers=tuple(HandedPaper(one.name, one.digest, one.content) for one in envelope.papers),
    )
