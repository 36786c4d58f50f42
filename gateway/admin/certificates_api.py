"""/admin/v1/certificates and /admin/v1/providers."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from gateway.admin import certificates
from gateway.admin.call import Call, moment_of, why_of
from gateway.admin.certificates import CertificateAct, entry_json, provider_json, step_json
from gateway.admin.filings import is_plain
from gateway.api.answers import json_response
from gateway.errors import NotFound
from gateway.register.acts import Who
from gateway.register.entry import Entry, RegisterRefused

Version = Annotated[int, Meta(ge=1)]


class Changing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of POST /admin/v1/certificates/{id}/{act}; `version`: of the entry as the caller saw it."""

    why: str
    version: Version | None = None
    at: Annotated[str, Meta(min_length=1, max_length=40)] | None = None


class Because(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Body of an act on a provider, which the path names."""

    why: str


async def entries_list(call: Call) -> web.StreamResponse:
    """The register."""
    now, entries = call.world.now(), await call.world.register.entries()
    sealed = await certificates.sealed_by(call.world.register, entries)
    return json_response([entry_json(entry, now, sealed) for entry in entries])


async def plan(call: Call) -> web.StreamResponse:
    """What happens when."""
    return json_response([step_json(step) for step in await call.world.register.timeline()])


async def act(call: Call) -> web.StreamResponse:
    """Rehearse, activate, retire or revoke."""
    what = act_of(call.request.match_info["act"])
    if what is CertificateAct.APPROVE:
        raise NotFound(what.value)  # a route of its own, since the right is another
    return await _done(call, what)


async def approve(call: Call) -> web.StreamResponse:
    """Do what another person has proposed."""
    return await _done(call, CertificateAct.APPROVE)


async def _done(call: Call, what: CertificateAct) -> web.StreamResponse:
    said = await call.body(Changing)
    entry = await change(call, what, said.why, said.version, said.at)
    return json_response(entry_json(entry, call.world.now()))


async def change(call: Call, what: CertificateAct, why: str, version: int | None, at: str | None) -> Entry:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    entry = await entry_of(call)
    who = Who(call.person.actor, why_of(why), version)
    return await certificates.act(call.world.register, what, entry.id, who, moment_of(at) if at else None)


async def entry_of(call: Call) -> Entry:
    """The one that the path names, whole. Raises NotFound."""
    id = call.request.match_info["id"]
    for entry in await call.world.register.entries():
        if entry.id == id:
            return entry
    raise NotFound(id)


async def providers_list(call: Call) -> web.StreamResponse:
    """T-VAN providers."""
    found = await call.world.register.providers()
    return json_response([provider_json(provider, suspended) for provider, suspended in found])


async def provider_act(call: Call) -> web.StreamResponse:
    """Suspend one, or serve it again."""
    suspended = suspended_of(call.request.match_info["act"])
    await switch(call, (await call.body(Because)).why, suspended=suspended)
    id = call.request.match_info["id"]
    (one,) = [found for found in await call.world.register.providers() if found[0].id == id]
    return json_response(provider_json(*one))


async def switch(call: Call, why: str, *, suspended: bool) -> None:
    """For both doors. Raises NotFound, NotPossible, BadRequest."""
    id = call.request.match_info["id"]
    if not is_plain(id):
        raise NotFound(id)
    try:
        await call.world.register.suspend(id, Who(call.person.actor, why_of(why)), suspended=suspended)
    except RegisterRefused as error:
        raise certificates.refused(error) from error


def act_of(text: str) -> CertificateAct:
    """Raises NotFound."""
    try:
        return CertificateAct(text)
    except ValueError:
        raise NotFound(text) from None


def suspended_of(text: str) -> bool:
    """`suspend` or `resume`. Raises NotFound."""
    if text not in ("suspend", "resume"):
        raise NotFound(text)
    return text == "suspend"
