"""The administrators' door: who calls is told from the certificate, on every request, before anything else."""

from __future__ import annotations

import hashlib

import structlog
from aiohttp import web

from gateway.admin.call import AdminWorld, Call, require_same_site
from gateway.admin.console.page import shown
from gateway.admin.people import People, Person
from gateway.admin.routes import ROUTES, AdminRoute
from gateway.api.answers import Handler, errors_as_problems
from gateway.api.clients import Clients, certificate_of
from gateway.errors import CrossSite, Forbidden

log = structlog.get_logger("admin")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer; a page has a policy of its own."""
_PERSON = web.RequestKey("person", Person)
_SAFE = ("GET", "HEAD")


def admin_app(world: AdminWorld, clients: Clients, people: People) -> web.Application:
    """What the administrators' port serves. `clients` knows `people`, and who issues and revokes their certificates."""

    @web.middleware
    async def identified(request: web.Request, handler: Handler) -> web.StreamResponse:
        """Strangers learn nothing, not even which paths there are."""
        person = await people.person(await clients.admin(request))
        if person is None:
            raise clients.refuse(request, "suspended")
        request[_PERSON] = person
        return await handler(request)

    app = web.Application(middlewares=[_with_headers, errors_as_problems, identified])
    app.add_routes([web.route(route.method, route.path, _guarded(route, world)) for route in ROUTES])
    return app


def _guarded(route: AdminRoute, world: AdminWorld) -> Handler:
    async def allowed(call: Call) -> web.StreamResponse:
        try:
            if route.right is not None:
                call.person.require(route.right)
            if call.request.method not in _SAFE:
                require_same_site(call.request)
        except (Forbidden, CrossSite) as error:
            log.warning("admin-denied", person=call.person.name, path=call.request.path, reason=repr(error))
            raise
        return await route.handler(call)

    answer = shown(allowed) if route.is_page else allowed

    async def handle(request: web.Request) -> web.StreamResponse:
        fingerprint = hashlib.sha256(certificate_of(request) or b"").hexdigest()
        return await answer(Call(request, request[_PERSON], fingerprint, world))

    return handle


@web.middleware
async def _with_headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
