"""The forms that do something: the same acts as /admin/v1, from pages of this door alone."""

from __future__ import annotations

from aiohttp import web

from gateway.admin import api, queue
from gateway.admin.call import FILTER, MOST_ACTS, Call, filter_of, malformed, plain_fields, why_of
from gateway.admin.console.page import form, one_of
from gateway.admin.console.pages import told
from gateway.admin.filings import is_plain

_OF_FILTER = "filter."


async def act(call: Call) -> web.StreamResponse:
    """Replay, hold or release what was ticked, or all of a filter; what came of each is told."""
    asked = api.act_of(call.request.match_info["act"])
    fields = await form(call)
    order = queue.Order(
        asked, call.person.actor, why_of(one_of(fields, "why")), one_of(fields, "handover") or None
    )
    numbers = list(dict.fromkeys(value for name, value in fields if name == "number"))
    if one_of(fields, "scope") == "filter":
        named = [(n.removeprefix(_OF_FILTER), value) for n, value in fields if n.startswith(_OF_FILTER)]
        wanted = filter_of({**plain_fields(named, FILTER), "limit": str(MOST_ACTS)}, call.world.now())
        if not wanted.narrows:
            raise malformed("a filter that says nothing")
        numbers = await queue.chosen(call.store, asked, wanted, MOST_ACTS)
    elif not numbers:
        raise malformed("nothing is ticked")
    if len(numbers) > MOST_ACTS or not all(map(is_plain, (*numbers, order.handover_to or "-"))):
        raise malformed("number")
    return await told(call, await queue.act_on_filings(call.store, order, numbers), order)


async def agency(call: Call) -> web.StreamResponse:
    """Hold or release a back-end."""
    asked = api.act_of(call.request.match_info["act"])
    fields = await form(call)
    await api.hold_agency(call, asked, call.request.match_info["agency"], one_of(fields, "why"))
    return _back("/console/agencies")


async def declare(call: Call) -> web.StreamResponse:
    """Declare an incident."""
    fields = await form(call)
    agency, first, until, why = (one_of(fields, name) for name in ("agency", "from", "until", "why"))
    await api.declare(call, agency, first, until or None, why)
    return _back("/console/incidents")


async def end(call: Call) -> web.StreamResponse:
    """End an incident."""
    fields = await form(call)
    await api.end(call, call.request.match_info["id"], one_of(fields, "at"), one_of(fields, "why"))
    return _back("/console/incidents")


def _back(path: str) -> web.Response:
    """Loading the page that follows again does nothing again."""
    return web.Response(status=303, headers={"Location": path})
