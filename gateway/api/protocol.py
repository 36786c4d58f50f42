"""What is no HTTP request: answered like every other error, not by aiohttp's own text with what was sent in it."""

from __future__ import annotations

from aiohttp import web

from gateway.api.answers import problem_response
from gateway.problems import INTERNAL, malformed_request


class _Protocol(web.RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """A problem in both languages and the end of the connection; aiohttp logs the reason."""
        super().handle_error(request, status, exc, message)
        response = problem_response(INTERNAL if status >= 500 else malformed_request(message or ""), request)
        response.force_close()
        return response


class _Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return _Protocol(self, loop=self._loop, **self._kwargs)


class DoorRunner(web.AppRunner):
    """An `AppRunner` whose connections answer so."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return _Server(made.request_handler, request_factory=made.request_factory, **made._kwargs)
