"""The page of people: who may call here, by which certificates, and what is done about them at this door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from gateway.admin import people_api
from gateway.admin.call import Call
from gateway.admin.certificates import entry_json, person_json
from gateway.admin.console.certificates import SHOWN
from gateway.admin.console.page import form, language_of, one_of, page, version_of
from gateway.admin.people import ACTOR, Person
from gateway.admin.roles import ROLE_WORDS, Role
from gateway.register.entry import Purpose


async def people(call: Call) -> web.StreamResponse:
    """The administrators, with their certificates and what is proposed of them."""
    call.asked("lang")
    now = call.world.now()
    entries = [
        entry_json(one, now)
        for one in await call.world.register.entries()
        if one.purpose is Purpose.ADMIN and one.state in SHOWN
    ]
    rows = [
        {
            **_told(person, call),
            "certificates": [
                one for one in entries if one["party"] == f"{Purpose.ADMIN.value} {person.name}"
            ],
        }
        for person in await call.world.administrators.people()
    ]
    return page(call, "people.html.j2", "people", rows=rows)


def _told(person: Person, call: Call) -> dict[str, Any]:
    told, proposal = person_json(person), person.proposal
    told["role_words"] = _words(person.roles, call)
    if proposal is not None:
        told["proposal"]["own"] = proposal.by == f"{ACTOR}{call.person.name}"
        told["proposal"]["role_words"] = _words(proposal.wanted.roles or (), call)
    return told


def _words(roles: Iterable[Role], call: Call) -> str:
    return ", ".join(getattr(ROLE_WORDS[role], language_of(call)) for role in sorted(roles))


async def act(call: Call) -> web.StreamResponse:
    """Suspend one, let it in again, or approve what another person has proposed of it."""
    name, what = people_api.person_of(call)
    fields = await form(call)
    await people_api.change(call, name, what, one_of(fields, "why"), version_of(fields))
    return web.Response(status=303, headers={"Location": "/console/people"})
