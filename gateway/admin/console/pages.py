"""The pages that show. Each asks the same functions as /admin/v1 and the command line."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from urllib.parse import urlencode

import msgspec
from aiohttp import web

from gateway.admin import api, filings, incidents, queue
from gateway.admin.agencies import agencies
from gateway.admin.call import FILTER, Call, filter_of, malformed
from gateway.admin.certificates import entry_json
from gateway.admin.console.page import language_of, page
from gateway.admin.console.render import ICON, STYLE, STYLE_NAME
from gateway.admin.deadlines import LEVEL_WORDS, deadlines, level_of
from gateway.admin.roles import Right
from gateway.errors import NotFound
from gateway.filing.attempt import AGENCY_IS_UP
from gateway.filing.deadline import Level
from gateway.filing.handover import HANDOVER_WORDS
from gateway.filing.status import WORDS, Status
from gateway.register.plan import warning_level
from gateway.store.audit import EVENTS

ROWS = 200
"""On one page."""


async def root(_: Call) -> web.StreamResponse:
    """The door's address alone."""
    return web.Response(status=303, headers={"Location": "/console"})


async def nowhere(call: Call) -> web.StreamResponse:
    """Every other address of the console: told as a page."""
    raise NotFound(call.request.path)


async def static(call: Call) -> web.StreamResponse:
    """The style sheet and the icon; by their content, so that they may be kept."""
    name = call.request.match_info["file"]
    found = {STYLE_NAME: (STYLE, "text/css"), "icon.svg": (ICON, "image/svg+xml")}.get(name)
    if found is None:
        raise NotFound(name)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return web.Response(body=found[0], content_type=found[1], headers=headers)


async def overview(call: Call) -> web.StreamResponse:
    """How things stand, as far as the caller may see them."""
    may, store = call.person.may, call.store
    register, now = call.world.register, call.world.now()
    known = await register.entries() if may(Right.CERTIFICATES_READ) else []
    warned = [one for one in known if warning_level(one, register.policy, now) is not None]
    survey = await store.survey() if may(Right.QUEUE_READ) else None
    going_on = [one for one in await store.incidents() if one.until is None]
    return page(
        call,
        "overview.html.j2",
        "overview",
        counts=survey.filings if survey else None,
        overdue=await store.overdue() if may(Right.DEADLINES_READ) else None,
        agencies=await agencies(store) if may(Right.AGENCIES_READ) else None,
        warnings=[entry_json(one, now) for one in sorted(warned, key=lambda one: one.valid_to)],
        incidents=[incidents.incident_json(one) for one in going_on] if may(Right.INCIDENTS_READ) else None,
    )


async def waiting(call: Call) -> web.StreamResponse:
    """The queue and its dead letters, by filter."""
    asked = call.asked(*FILTER, "lang")
    fields = {name: value for name, value in asked.items() if name in FILTER}
    wanted = filter_of({"limit": str(ROWS), **fields}, call.world.now())
    rows = await queue.listed(call.store, wanted)
    return page(
        call,
        "queue.html.j2",
        "queue",
        rows=[_waiting(row, call) for row in rows],
        fields={name: fields.get(name, "") for name in FILTER},
        narrows=wanted.narrows,
        full=len(rows) >= wanted.limit,
        statuses=[(one.value, status_words(one, call)) for one in Status],
        agencies=[one.id for one in await call.store.backends()],
        everything=urlencode({name: value for name, value in fields.items() if name != "limit"}),
    )


def _waiting(row: dict[str, Any], call: Call) -> dict[str, Any]:
    """A handover is told from a filing by its event."""
    handover = row["last_event"].startswith("handover-") and not row["order_key"]
    known = {status.value: status_words(status, call) for status in Status}
    return {
        **row,
        "handover": handover,
        "status_text": known.get(row["status"]) or _handover(row["status"], call),
    }


def status_words(status: Status, call: Call) -> str:
    """In the caller's language."""
    return WORDS[status][0 if language_of(call) == "vi" else 1]


def _handover(status: str, call: Call) -> str:
    found = {one.value: said for one, said in HANDOVER_WORDS.items()}.get(status, (status, status))
    return found[0 if language_of(call) == "vi" else 1]


async def terms(call: Call) -> web.StreamResponse:
    """What is near its term or past it."""
    asked = call.asked("all", "agency", "lang")
    if asked.get("all") not in (None, "true"):
        raise malformed("all: true")
    rows = await deadlines(
        call.store,
        call.world.deadlines(),
        call.world.now(),
        all_that_waits="all" in asked,
        agency=asked.get("agency"),
    )
    side = 0 if language_of(call) == "vi" else 1
    return page(
        call,
        "deadlines.html.j2",
        "deadlines",
        rows=[
            {
                **row,
                "level_text": LEVEL_WORDS[level_of(row["level"])][side],
                "status_text": status_words(Status(row["status"]), call),
            }
            for row in rows[: 5 * ROWS]
        ],
        left_out=max(0, len(rows) - 5 * ROWS),
        late=sum(level_of(row["level"]) >= Level.OVERDUE for row in rows),
        all_that_waits="all" in asked,
        agency=asked.get("agency", ""),
        agencies=[one.id for one in await call.store.backends()],
    )


async def health(call: Call) -> web.StreamResponse:
    """How the back-ends stand."""
    call.asked("lang")
    up = {result.value for result in AGENCY_IS_UP}
    return page(call, "agencies.html.j2", "agencies", rows=await agencies(call.store), up=up)


async def outages(call: Call) -> web.StreamResponse:
    """Incidents, the newest first."""
    call.asked("lang")
    found = [incidents.incident_json(one) for one in await call.store.incidents()]
    backends = [one.id for one in await call.store.backends()]
    return page(call, "incidents.html.j2", "incidents", rows=found[::-1], agencies=backends)


async def search(call: Call) -> web.StreamResponse:
    """Filings by filing number, dossier code or tax code; the one that is found alone is shown at once."""
    asked = call.asked("q", "lang")
    wanted = asked.get("q", "")
    rows = await filings.search(call.store, wanted, ROWS) if wanted else None
    if rows is not None and len(rows) == 1 and wanted in (rows[0]["number"], rows[0]["dossierCode"]):
        return web.Response(status=303, headers={"Location": f"/console/filings/{rows[0]['number']}"})
    told = [{**row, "status_text": status_words(Status(row["status"]), call)} for row in rows or ()]
    return page(call, "search.html.j2", "filings", q=wanted, rows=None if rows is None else told, most=ROWS)


async def filing(call: Call) -> web.StreamResponse:
    """A filing's whole story."""
    call.asked("lang")
    number = call.request.match_info["number"]
    found = await filings.story(call.store, number)
    if found is None:
        raise NotFound(number)
    return page(call, "filing.html.j2", "filings", it=found)


async def record(call: Call) -> web.StreamResponse:
    """The audit record, the newest first."""
    asked = call.asked("actor", "act", "subject", "before", "limit", "lang")
    entries = await api.audit_entries(call)
    side = language_of(call)
    rows = [
        {
            **one,
            "meaning": getattr(EVENTS.get(str(one["act"])), side, ""),
            "values": _values(str(one["detail"])),
        }
        for one in entries
    ]
    fields = {name: asked.get(name, "") for name in ("actor", "act", "subject")}
    older = urlencode({**{k: v for k, v in fields.items() if v}, "before": rows[-1]["seq"]}) if rows else ""
    acts = sorted({*EVENTS, *(f"{act.partition('.')[0]}.*" for act in EVENTS)})
    return page(
        call,
        "audit.html.j2",
        "audit",
        rows=rows,
        fields=fields,
        acts=acts,
        older=older if len(rows) >= ROWS else "",
    )


def _values(detail: str) -> dict[str, Any]:
    """Of an entry whose detail is JSON, its members that say something; {} for one that gives a reason in words."""
    try:
        found = msgspec.json.decode(detail)
    except msgspec.DecodeError:
        return {}
    said = found.items() if isinstance(found, dict) else ()
    return {name: value for name, value in said if value not in ("", None, [], {})}


async def told(call: Call, done: list[queue.Done], order: queue.Order) -> web.StreamResponse:
    """What came of an order, for each that it was about."""
    return page(call, "done.html.j2", "queue", done=[asdict(one) for one in done], order=order)
