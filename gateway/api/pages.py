"""A filing and its notices as pages for people: the same documents, the same callers as in filings.py."""

from __future__ import annotations

import sys
from functools import partial

from aiohttp import web

from gateway.api.body import BodyBudget, send_body
from gateway.api.filings import FIRST_NOTICE, Own, first_notice
from gateway.errors import BadRequest, Removed
from gateway.filing.filing import NoticeKind
from gateway.filing.findings import Text
from gateway.journey import IntakeWorld
from gateway.view import filing_page, notice_page
from schemas import view

_HEADERS = {
    "Content-Security-Policy": view.CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
    "Vary": "Accept-Language",
}
_IN_A_THREAD = sys.maxsize
"""As the size of a document: the pool judges small ones on the event loop, and a page takes longer than judging."""


class PagesDoor:
    """Handlers for one provider's own filings; pages are made in the check pool, never on the event loop's time."""

    def __init__(self, world: IntakeWorld, own: Own, *, bodies: BodyBudget, body_seconds: float) -> None:
        self._world = world
        self._own = own
        self._bodies = bodies
        self._body_seconds = body_seconds

    def routes(self) -> list[web.RouteDef]:
        """The routes of this door; `docs/api.md` lists the same."""
        one = "/v1/filings/{number}"
        return [
            web.get(f"{one}/view", self.filing),
            web.get(f"{one}/receipt/view", self.receipt),
            web.get(f"{one}/verdict/view", self.verdict),
        ]

    async def filing(self, request: web.Request) -> web.StreamResponse:
        """GET …/view: the document as filed, and how it was judged."""
        filing = await self._own(request)
        language = _language(request)
        with self._bodies.hold() as hold:
            hold.take(filing.size)
            document = await self._world.filings.document(filing.number)
            if document is None:
                raise Removed(filing.number)
            recorded = await self._world.filings.judged(filing.number)
            work = partial(filing_page, filing, document, recorded, self._world.checks(), language)
            page = await self._world.pool.run(work, _IN_A_THREAD)
            hold.take(len(page.html))
            return await self._send(request, page)

    async def receipt(self, request: web.Request) -> web.StreamResponse:
        """GET …/receipt/view: the notice that was given when the filing came in."""
        return await self._notice(request, FIRST_NOTICE)

    async def verdict(self, request: web.Request) -> web.StreamResponse:
        """GET …/verdict/view: the notice of the agency's verdict; 404 until there is one."""
        return await self._notice(request, (NoticeKind.VERDICT,))

    async def _notice(self, request: web.Request, kinds: tuple[NoticeKind, ...]) -> web.StreamResponse:
        filing = await self._own(request)
        language = _language(request)
        notice = await first_notice(self._world.filings, filing, kinds)
        with self._bodies.hold() as hold:
            hold.take(len(notice.document))
            work = partial(notice_page, notice.document, self._world.checks(), language, at=notice.issued_at)
            page = (await self._world.pool.run(work, _IN_A_THREAD)).page
            hold.take(len(page.html))
            return await self._send(request, page)

    async def _send(self, request: web.Request, page: view.ViewPage) -> web.StreamResponse:
        return await send_body(request, page.html, "text/html", self._body_seconds, _HEADERS)


def _language(request: web.Request) -> view.Language:
    """`?lang=`, else English where `Accept-Language` begins with it, else Vietnamese."""
    asked = request.query.get("lang")
    if asked == "vi":
        return "vi"
    if asked == "en":
        return "en"
    if asked is not None:
        raise BadRequest("view.language", Text("lang: vi hoặc en", "lang: vi or en"))
    return "en" if request.headers.get("Accept-Language", "").strip().lower().startswith("en") else "vi"
