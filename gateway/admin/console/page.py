"""What every page has: the frame, the language, the session, the policy; and errors as pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import Any
from urllib.parse import parse_qsl, urlencode

from aiohttp import web

from gateway.admin.call import MOST_BYTES, Call, Handler, malformed
from gateway.admin.console.render import CSP, Language, render, words
from gateway.admin.console.session import COOKIE, FIELD, LANGUAGE_COOKIE, Sessions, give_cookie
from gateway.admin.roles import ROLE_WORDS, Right
from gateway.api.body import read_body
from gateway.errors import CrossSite, GatewayError, WrongMediaType
from gateway.problems import problem_of

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 12_000


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the navigation."""

    name: str
    path: str
    right: Right | None


NAVIGATION = (
    Item("overview", "/console", None),
    Item("queue", "/console/queue", Right.QUEUE_READ),
    Item("deadlines", "/console/deadlines", Right.DEADLINES_READ),
    Item("agencies", "/console/agencies", Right.AGENCIES_READ),
    Item("incidents", "/console/incidents", Right.INCIDENTS_READ),
    Item("filings", "/console/filings", Right.FILING_READ),
    Item("certificates", "/console/certificates", Right.CERTIFICATES_READ),
    Item("providers", "/console/providers", Right.PROVIDERS_READ),
    Item("people", "/console/people", Right.PEOPLE_READ),
    Item("audit", "/console/audit", Right.AUDIT_READ),
)


def page(call: Call, template: str, here: str, status: int = 200, **values: Any) -> web.Response:
    """A page of the console. `here`: the name of its entry in the navigation."""
    language = language_of(call)
    sessions = Sessions(call.world.secret)
    session, new = sessions.session(call)
    html = render(
        template,
        language,
        gateway=call.world.name,
        person=call.person,
        roles=[getattr(ROLE_WORDS[role], language) for role in sorted(call.person.roles)],
        navigation=[one for one in NAVIGATION if one.right is None or call.person.may(one.right)],
        here=here,
        others={other: _in(call, other) for other in ("vi", "en") if other != language},
        token=sessions.token(session, call.fingerprint),
        may=lambda right: call.person.may(Right(right)),
        now=call.world.now(),
        **values,
    )
    response = web.Response(text=html, status=status, content_type="text/html", charset="utf-8")
    response.headers["Content-Security-Policy"] = CSP
    response.headers["Vary"] = "Accept-Language, Cookie"
    if new:
        give_cookie(response, COOKIE, session)
    if call.request.query.get("lang") in ("vi", "en"):
        give_cookie(response, LANGUAGE_COOKIE, language)
    return response


def language_of(call: Call) -> Language:
    """`?lang=`, else what was chosen before, else English where `Accept-Language` begins with it, else Vietnamese."""
    asked = call.request.query.get("lang") or call.request.cookies.get(LANGUAGE_COOKIE)
    if asked in ("vi", "en"):
        return "vi" if asked == "vi" else "en"
    accepted = call.request.headers.get("Accept-Language", "").strip().lower()
    return "en" if accepted.startswith("en") else "vi"


def _in(call: Call, language: str) -> str:
    """This page in another language; of what was posted, where it was posted from."""
    if call.request.method == "POST":
        return f"/console?lang={language}"
    kept = [(name, value) for name, value in call.request.query.items() if name != "lang"]
    return f"{call.request.rel_url.raw_path}?{urlencode([*kept, ('lang', language)])}"


async def form(call: Call) -> list[tuple[str, str]]:
    """The fields of a form that this door gave, in their order, without the token.

    Raises CrossSite, BadRequest, WrongMediaType, BodyTooLarge, BodyTimeout.
    """
    if call.request.content_type != _FORM:
        raise WrongMediaType(call.request.headers.get("Content-Type", "")[:60])
    if call.request.headers.get("Origin") is None and call.request.headers.get("Sec-Fetch-Site") is None:
        raise CrossSite  # every browser says one of them
    octets = await read_body(call.request, MOST_BYTES, call.world.seconds)
    try:
        fields = parse_qsl(
            octets.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MOST_FIELDS,
        )
    except ValueError as error:
        raise malformed("the form") from error
    tokens = [value for name, value in fields if name == FIELD]
    Sessions(call.world.secret).require(call, tokens[0] if len(tokens) == 1 else "")
    return [(name, value) for name, value in fields if name != FIELD]


def one_of(fields: list[tuple[str, str]], name: str) -> str:
    """A field that comes once; "" where it does not come. Raises BadRequest."""
    found = [value for key, value in fields if key == name]
    if len(found) > 1:
        raise malformed(f"{name} comes twice")
    return found[0] if found else ""


def version_of(fields: list[tuple[str, str]]) -> int:
    """Of the entry or person as the form showed it. Raises BadRequest."""
    version = one_of(fields, "version")
    if not (version.isascii() and version.isdigit() and len(version) < 10):
        raise malformed("version")
    return int(version)


def shown(handler: Handler) -> Handler:
    """An error of a page is a page."""

    @wraps(handler)
    async def with_errors(call: Call) -> web.StreamResponse:
        try:
            return await handler(call)
        except GatewayError as error:
            problem = problem_of(error)
            language = language_of(call)
            title = getattr(problem.title, language)
            detail = getattr(problem.detail, language) if problem.detail is not None else ""
            return page(call, "error.html.j2", "", problem.status, title=title, detail=detail)

    return with_errors


def say(call: Call, name: str) -> str:
    """One of the console's words in the caller's language."""
    return words(language_of(call))[name]
