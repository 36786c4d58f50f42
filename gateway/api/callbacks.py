"""/v1/callbacks: an agency brings its verdict by itself."""

from __future__ import annotations

from aiohttp import web

import adapters
from gateway.api.answers import json_response
from gateway.api.body import read_body
from gateway.api.clients import Clients
from gateway.delivery.world import DeliveryWorld
from gateway.errors import BadRequest, NotFound
from gateway.filing.findings import Text
from gateway.journey import hear_from
from gateway.ports import Filings

_MAX_BYTES = 1_000_000
_SECONDS = 30.0


class CallbackDoor:
    """Handlers for agencies, known by client certificates of their own."""

    def __init__(self, world: DeliveryWorld, filings: Filings, clients: Clients) -> None:
        self._world = world
        self._filings = filings
        self._clients = clients

    def routes(self) -> list[web.RouteDef]:
        """The routes of this door; `docs/api.md` lists the same."""
        return [web.post("/v1/callbacks/verdicts", self.verdict)]

    async def verdict(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/callbacks/verdicts: idempotent; 409 where it contradicts the recorded verdict."""
        agency = await self._clients.agency(request)
        adapter = self._world.adapters.get(agency)
        if adapter is None:
            raise NotFound(agency)
        body = await read_body(request, _MAX_BYTES, _SECONDS)
        try:
            key, answer = adapter.read_callback(body, dict(request.headers))
        except adapters.MalformedCallback as error:
            detail = Text(
                f"Nội dung gọi lại không đúng quy cách (nguyên văn: {error}).",
                f"The callback is malformed: {error}",
            )
            raise BadRequest("callback.malformed", detail) from error
        heard = await hear_from(agency, key, answer, self._world, self._filings)
        told = {"agency": heard.cooperating} if heard.cooperating else {"status": heard.status.value}
        return json_response({"number": heard.number, **told, "first": heard.first})
