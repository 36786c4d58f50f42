"""/admin/v1/people: who may call here. New people, roles and certificates come in by the command line alone."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.admin.call import Call, why_of
from gateway.admin.certificates import person_json, refused
from gateway.admin.filings import is_plain
from gateway.admin.people import Person
from gateway.api.answers import json_response
from gateway.errors import NotFound
from gateway.register.acts import Who
from gateway.register.entry import RegisterRefused

ACTS = ("suspend", "resume", "approve")


class ChangingPerson(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /admin/v1/people/{name}/{act}; `version`: of the person as the caller saw it."""

    why: str
    version: Annotated[int, Meta(ge=1)] | None = None


async def people_list(call: Call) -> web.StreamResponse:
    """The administrators."""
    return json_response([person_json(one) for one in await call.world.administrators.people()])


async def person_act(call: Call) -> web.StreamResponse:
    """Suspend one, let it in again, or approve what another person has proposed of it."""
    name, what = person_of(call)
    said = await call.body(ChangingPerson)
    return json_response(person_json(await change(call, name, what, said.why, said.version)))


def person_of(call: Call) -> tuple[str, str]:
    """Whom the path names, and for which act. Raises NotFound."""
    name, what = call.request.match_info["name"], call.request.match_info["act"]
    if what not in ACTS or not is_plain(name):
        raise NotFound(name)
    return name, what


async def change(call: Call, name: str, what: str, why: str, version: int | None) -> Person:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    who, people = Who(call.person.actor, why_of(why), version), call.world.administrators
    try:
        if what == "approve":
            return await people.approve(name, who)
        return await people.suspend(name, who, suspended=what == "suspend")
    except RegisterRefused as error:
        raise refused(error) from error
