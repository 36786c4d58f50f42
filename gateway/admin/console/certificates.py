"""Certificates and providers as pages: the register, its timeline as a drawing, what is to be done when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from gateway.admin import certificates_api
from gateway.admin.call import Call, malformed
from gateway.admin.certificates import CertificateAct, entry_json, provider_json, sealed_by, step_json
from gateway.admin.console.page import form, language_of, one_of, page, version_of
from gateway.filing.identifiers import VIETNAM
from gateway.register.entry import MOVES, STATE_WORDS, Entry, State

_BEFORE, _AFTER = timedelta(days=60), timedelta(days=400)
_LEFT, _WIDTH, _ROW, _TOP = 270.0, 1100.0, 26.0, 34.0
SHOWN = (State.NEXT, State.ACTIVE, State.RETIRING)


@dataclass(frozen=True, slots=True)
class Bar:
    """One entry on the drawing, from `x` on, `width` wide; `kind` is its state, or `ended`."""

    id: str
    purpose: str
    party: str
    state: str
    kind: str
    y: float
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole drawing, in units of its own."""

    width: float
    height: float
    today: float
    months: tuple[tuple[float, str], ...]
    bars: tuple[Bar, ...]


def timeline(entries: Sequence[Entry], at: datetime, words: dict[State, str]) -> Timeline:
    """From two months ago on, thirteen months ahead; what ends earlier or later is cut off at the edge."""
    first, last = at - _BEFORE, at + _AFTER

    def place(when: datetime) -> float:
        share = (min(max(when, first), last) - first) / (last - first)
        return round(_LEFT + share * (_WIDTH - _LEFT), 1)

    bars = []
    for n, entry in enumerate(entries):
        start, end = place(entry.starts_at or entry.valid_from), place(entry.ends_at or entry.valid_to)
        bars.append(
            Bar(
                entry.id,
                entry.purpose.value,
                entry.party,
                words[entry.state],
                "ended" if entry.valid_to < at else entry.state.value,
                _TOP + n * _ROW,
                start,
                max(2.0, round(end - start, 1)),
            )
        )
    months, day = [], first.astimezone(VIETNAM).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    while day <= last:
        if day >= first:
            months.append((place(day), f"{day:%m/%Y}"))
        day = (day + timedelta(days=32)).replace(day=1)
    return Timeline(_WIDTH, _TOP + len(bars) * _ROW + 10, place(at), tuple(months), tuple(bars))


async def register(call: Call) -> web.StreamResponse:
    """The register, what comes when, and what is to be done."""
    asked = call.asked("all", "lang")
    if asked.get("all") not in (None, "true"):
        raise malformed("all: true")
    now, language = call.world.now(), language_of(call)
    words = {state: getattr(text, language) for state, text in STATE_WORDS.items()}
    known = sorted(await call.world.register.entries(), key=lambda e: (e.purpose, e.party, e.valid_to))
    drawn = [entry for entry in known if entry.state in SHOWN]
    steps = await call.world.register.timeline()
    sealed = await sealed_by(call.world.register, known)
    return page(
        call,
        "certificates.html.j2",
        "certificates",
        rows=[_row(entry, now, words, sealed) for entry in (known if "all" in asked else drawn)],
        drawing=timeline(drawn, now, words),
        steps=[step_json(step) for step in steps if step.at <= now + _AFTER],
        later=sum(step.at > now + _AFTER for step in steps),
        everything="all" in asked,
    )


def _row(
    entry: Entry, now: datetime, words: dict[State, str], sealed: Mapping[str | None, int]
) -> dict[str, Any]:
    acts = {CertificateAct.REVOKE: State.REVOKED, CertificateAct.RETIRE: State.RETIRED}
    possible = [act.value for act, state in acts.items() if state in MOVES[entry.state]]
    if entry.state is State.NEXT:
        possible = [CertificateAct.REHEARSE.value, CertificateAct.ACTIVATE.value, *possible]
    return {**entry_json(entry, now, sealed), "state_text": words[entry.state], "acts": possible}


async def entry(call: Call) -> web.StreamResponse:
    """One entry, with what can be done with it."""
    call.asked("lang")
    words = {state: getattr(text, language_of(call)) for state, text in STATE_WORDS.items()}
    one = await certificates_api.entry_of(call)
    sealed = await sealed_by(call.world.register, [one])
    return page(call, "certificate.html.j2", "certificates", it=_row(one, call.world.now(), words, sealed))


async def act(call: Call) -> web.StreamResponse:
    """Rehearse, activate, retire or revoke."""
    what = certificates_api.act_of(call.request.match_info["act"])
    if what is CertificateAct.APPROVE:
        raise malformed("act")
    return await _changed(call, what)


async def approve(call: Call) -> web.StreamResponse:
    """Do what another person has proposed."""
    return await _changed(call, CertificateAct.APPROVE)


async def _changed(call: Call, what: CertificateAct) -> web.StreamResponse:
    fields = await form(call)
    at = one_of(fields, "at") if what in (CertificateAct.ACTIVATE, CertificateAct.RETIRE) else ""
    changed = await certificates_api.change(call, what, one_of(fields, "why"), version_of(fields), at or None)
    return web.Response(status=303, headers={"Location": f"/console/certificates/{changed.id}"})


async def providers(call: Call) -> web.StreamResponse:
    """T-VAN providers with their certificates."""
    call.asked("lang")
    now = call.world.now()
    entries = [entry_json(one, now) for one in await call.world.register.entries() if one.state in SHOWN]
    rows = [
        {
            **provider_json(provider, suspended),
            "certificates": [one for one in entries if one["party"] == f"provider {provider.id}"],
        }
        for provider, suspended in await call.world.register.providers()
    ]
    return page(call, "providers.html.j2", "providers", rows=rows)


async def provider_act(call: Call) -> web.StreamResponse:
    """Suspend one, or serve it again."""
    suspended = certificates_api.suspended_of(call.request.match_info["act"])
    await certificates_api.switch(call, one_of(await form(call), "why"), suspended=suspended)
    return web.Response(status=303, headers={"Location": "/console/providers"})
