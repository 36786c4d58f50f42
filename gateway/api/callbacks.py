"""/v1/callbacks: an agency brings its verdict by itself."""

from __future__ import annotations

from aiohttp import web

import adapters
from gateway.api.answers import json_response
from gateway.api.body import read_body
from gateway.api.clients import Clients
from gateway.delivery.hand_over import parts_of
from gateway.delivery.notify import verdict_of
from gateway.delivery.world import DeliveryWorld
from gateway.errors import BadRequest, NotFound
from gateway.journey import conclude, hear
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
            raise BadRequest("callback.malformed", str(error)) from error
        number, cooperating = parts_of(key)
        if cooperating:
            first = await hear(key, verdict_of(answer), agency, self._world, self._filings)
            return json_response({"number": number, "agency": cooperating, "first": first})
        filing = await self._filings.filing(number)
        if filing is None or filing.agency != agency:
            raise NotFound(number)  # another agency's filing does not exist for this one
        concluded = await conclude(number, verdict_of(answer), self._world, self._filings)
        return json_response(
            {"number": number, "status": concluded.verdict.status.value, "first": concluded.first}
        )
