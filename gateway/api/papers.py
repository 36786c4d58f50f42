"""The papers of a dossier, inside it or beside it, each as the file that it is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import quote

from aiohttp import web

import schemas
from gateway.api.answers import json_response
from gateway.api.body import BodyBudget, Hold, send_body
from gateway.api.filings import Own
from gateway.errors import NotFound, Removed
from gateway.filing.filing import Filing
from gateway.intake.attachments import listed_papers
from gateway.journey import IntakeWorld

_IN_A_THREAD = sys.maxsize
_KNOWN = frozenset({"application/pdf", "image/jpeg", "image/png"})
"""Any other type leaves as octets: in what was refused it may have any name."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class PapersDoor:
    """Handlers for one provider's own filings."""

    def __init__(self, world: IntakeWorld, own: Own, *, bodies: BodyBudget, body_seconds: float) -> None:
        self._world = world
        self._own = own
        self._bodies = bodies
        self._body_seconds = body_seconds

    def routes(self) -> list[web.RouteDef]:
        """The routes of this door; `docs/api.md` lists the same."""
        all_of_one = "/v1/filings/{number}/attachments"
        return [web.get(all_of_one, self.list), web.get(f"{all_of_one}/{{n}}", self.give)]

    async def list(self, request: web.Request) -> web.StreamResponse:
        """GET …/attachments: what the dossier lists."""
        filing = await self._own(request)
        kept = {paper.place for paper in await self._world.filings.papers(filing.number)}
        with self._bodies.hold() as hold:
            listed = await self._listed(filing, hold)
            return json_response([_entry(filing, one, one.number in kept) for one in listed])

    async def give(self, request: web.Request) -> web.StreamResponse:
        """GET …/attachments/{n}: the octets of the n-th, from 1, to be saved, never to be shown by a browser."""
        filing = await self._own(request)
        n = request.match_info["n"]
        if not (n.isascii() and n.isdigit() and len(n) < 5):
            raise NotFound(n)
        with self._bodies.hold() as hold:
            name, media_type, octets = await self._paper(filing, int(n), hold)
            headers = {**_HEADERS, "Content-Disposition": _disposition(name)}
            kind = media_type if media_type in _KNOWN else "application/octet-stream"
            return await send_body(request, octets, kind, self._body_seconds, headers)

    async def _paper(self, filing: Filing, place: int, hold: Hold) -> tuple[str, str, bytes]:
        """Name, media type and octets. Raises NotFound."""
        beside = {paper.place: paper for paper in await self._world.filings.papers(filing.number)}
        if (paper := beside.get(place)) is not None:
            hold.take(paper.size)
            octets = await self._world.filings.paper(filing.number, place)
            return paper.name, paper.media_type, octets
        inside = {one.number: one for one in await self._listed(filing, hold)}
        if place not in inside or (content := inside[place].content) is None:
            raise NotFound(str(place))
        hold.take(len(content))
        return inside[place].file_name, inside[place].media_type, content

    async def _listed(self, filing: Filing, hold: Hold) -> tuple[schemas.Attachment, ...]:
        hold.take(filing.size)
        document = await self._world.filings.document(filing.number)
        if document is None:
            raise Removed(filing.number)
        return await self._world.pool.run(
            partial(listed_papers, document, self._world.checks().catalogue.families), _IN_A_THREAD
        )


def _entry(filing: Filing, listed: schemas.Attachment, kept: bool) -> Mapping[str, Any]:
    """`link` where the octets can be had: a refused filing keeps those that stand in it alone."""
    entry = {
        "n": listed.number,
        "kind": listed.kind,
        "name": listed.file_name,
        "mediaType": listed.media_type,
        "size": listed.size,
        "digest": {"algorithm": "SHA-256", "value": listed.sha256.lower()},
        "inside": listed.base64_text is not None,
    }
    if kept or listed.base64_text is not None:
        entry["link"] = f"/v1/filings/{filing.number}/attachments/{listed.number}"
    return entry


def _disposition(name: str) -> str:
    """To be saved under this name (RFC 6266, RFC 8187), whatever is in it."""
    return f"attachment; filename*=UTF-8''{quote(name[:200], safe='')}"
