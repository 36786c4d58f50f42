"""/admin/v1: what the command line does with the store, over mutual TLS; every act with its audit entry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.admin import filings, incidents, queue
from gateway.admin.agencies import agencies
from gateway.admin.call import (
    FILTER,
    MOST_ACTS,
    Call,
    filter_of,
    limit_of,
    malformed,
    moment_of,
    plain_fields,
    why_of,
)
from gateway.admin.deadlines import deadlines
from gateway.admin.filings import is_plain
from gateway.admin.queue import Act
from gateway.admin.roles import RIGHTS
from gateway.admin.times import local
from gateway.api.answers import json_response
from gateway.errors import NotFound, NotPossible
from gateway.store.incidents import IncidentRefused
from gateway.store.looking import AuditFilter

_MOST_AUDIT = 1000
Short = Annotated[str, Meta(min_length=1, max_length=100)]


class Acting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /admin/v1/queue/{act}: `numbers`, or `filter` with the parameters of GET /admin/v1/queue."""

    why: str
    numbers: Annotated[tuple[Short, ...], Meta(max_length=MOST_ACTS)] = ()
    filter: dict[str, str] = {}
    handoverTo: Short | None = None


class Because(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of an act on one thing, which the path names."""

    why: str


class Declaring(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"first": "from"}):
    """Body of POST /admin/v1/incidents; times are Vietnam's where they have no offset."""

    agency: Short
    first: Short
    why: str
    until: Short | None = None


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /admin/v1/incidents/{id}/end."""

    at: Short
    why: str


async def me(call: Call) -> web.StreamResponse:
    """Who the caller is, and what it may do."""
    person = call.person
    rights = sorted({right.value for role in person.roles for right in RIGHTS[role]})
    return json_response({"name": person.name, "roles": sorted(person.roles), "rights": rights})


async def queue_list(call: Call) -> web.StreamResponse:
    """What waits, by filter."""
    wanted = filter_of(call.asked(*FILTER), call.world.now())
    return json_response(await queue.listed(call.store, wanted))


async def queue_act(call: Call) -> web.StreamResponse:
    """Replay, hold or release filings."""
    act = act_of(call.request.match_info["act"])
    said = await call.body(Acting)
    wanted = filter_of(plain_fields(said.filter.items(), FILTER), call.world.now())
    if bool(said.numbers) == wanted.narrows:
        raise malformed("numbers, or a filter that says something; never both")
    if said.handoverTo is not None and (act is not Act.REPLAY or not said.numbers):
        raise malformed("handoverTo goes with the replay of numbers")
    if not all(map(is_plain, (*said.numbers, said.handoverTo or "-"))):
        raise malformed("numbers")
    order = queue.Order(act, call.person.actor, why_of(said.why), said.handoverTo)
    numbers = list(said.numbers) or await queue.chosen(call.store, act, wanted, wanted.limit)
    done = await queue.act_on_filings(call.store, order, numbers)
    return json_response([asdict(one) for one in done])


async def agencies_list(call: Call) -> web.StreamResponse:
    """How the back-ends stand."""
    return json_response(await agencies(call.store))


async def agency_act(call: Call) -> web.StreamResponse:
    """Hold or release a back-end."""
    name = call.request.match_info["agency"]
    act = act_of(call.request.match_info["act"])
    await hold_agency(call, act, name, (await call.body(Because)).why)
    return json_response(next(one for one in await agencies(call.store) if one["agency"] == name))


async def hold_agency(call: Call, act: Act, agency: str, why: str) -> None:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    if not is_plain(agency) or all(agency != one.id for one in await call.store.backends()):
        raise NotFound(agency)
    done = await queue.act_on_agency(call.store, queue.Order(act, call.person.actor, why_of(why)), agency)
    if done.fault is not None:
        raise NotPossible(done.fault)


async def deadlines_list(call: Call) -> web.StreamResponse:
    """What is near its term or past it."""
    asked = call.asked("all", "agency", "limit")
    if asked.get("all") not in (None, "true", "false"):
        raise malformed("all: true or false")
    rows = await deadlines(
        call.store,
        call.world.deadlines(),
        call.world.now(),
        all_that_waits=asked.get("all") == "true",
        agency=asked.get("agency"),
        limit=limit_of(asked, default=MOST_ACTS),
    )
    return json_response(rows)


async def incidents_list(call: Call) -> web.StreamResponse:
    """All incidents, the oldest first."""
    return json_response([incidents.incident_json(one) for one in await call.store.incidents()])


async def incident_declare(call: Call) -> web.StreamResponse:
    """Declare one."""
    said = await call.body(Declaring)
    declared = await declare(call, said.agency, said.first, said.until, said.why)
    return json_response(declared, status=201)


async def declare(call: Call, agency: str, first: str, until: str | None, why: str) -> dict[str, object]:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    if not is_plain(agency):
        raise NotFound(agency)
    try:
        declared = await incidents.declare(
            call.store,
            agency,
            first=moment_of(first),
            until=moment_of(until) if until else None,
            why=why_of(why),
            who=call.person.actor,
        )
    except IncidentRefused as error:
        raise NotPossible(error.text) from error
    return incidents.incident_json(declared)


async def incident_end(call: Call) -> web.StreamResponse:
    """End one."""
    said = await call.body(Ending)
    id = call.request.match_info["id"]
    await end(call, id, said.at, said.why)
    ended = next(one for one in await call.store.incidents() if one.id == id)
    return json_response(incidents.incident_json(ended))


async def end(call: Call, id: str, at: str, why: str) -> None:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    if not is_plain(id):
        raise NotFound(id)
    try:
        await call.store.end_incident(id, moment_of(at), why_of(why), call.person.actor)
    except IncidentRefused as error:
        raise NotPossible(error.text) from error


async def filings_search(call: Call) -> web.StreamResponse:
    """Filings by filing number, dossier code or tax code."""
    asked = call.asked("q", "limit")
    if "q" not in asked:
        raise malformed("q: a filing number, a dossier code or a tax code")
    return json_response(await filings.search(call.store, asked["q"], limit_of(asked, default=200)))


async def filing_story(call: Call) -> web.StreamResponse:
    """All that is known of one filing."""
    number = call.request.match_info["number"]
    found = await filings.story(call.store, number)
    if found is None:
        raise NotFound(number)
    return json_response(found)


async def audit_list(call: Call) -> web.StreamResponse:
    """The audit record, the newest first."""
    return json_response(await audit_entries(call))


async def audit_entries(call: Call) -> list[dict[str, object]]:
    """For both doors. Raises BadRequest."""
    asked = call.asked("actor", "act", "subject", "before", "limit", "lang")
    before = asked.get("before")
    if before is not None and not (before.isascii() and before.isdigit() and len(before) < 19):
        raise malformed("before: the number of an entry")
    wanted = AuditFilter(
        asked.get("actor"),
        asked.get("act"),
        asked.get("subject"),
        None if before is None else int(before),
        limit_of(asked, _MOST_AUDIT, 200),
    )
    return [{**asdict(one), "at": local(one.at)} for one in await call.store.audit(wanted)]


def act_of(text: str) -> Act:
    """Raises NotFound."""
    try:
        return Act(text)
    except ValueError:
        raise NotFound(text) from None
