"""One request of an administrator: who asks, from where, and for what; read strictly."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import msgspec
from aiohttp import web

from gateway.admin.filings import is_plain
from gateway.admin.people import Person
from gateway.admin.times import read_age, read_moment
from gateway.api.body import read_body
from gateway.calendar import Deadlines
from gateway.errors import BadRequest, CrossSite, WrongMediaType
from gateway.filing.findings import Text
from gateway.filing.status import Status
from gateway.ports import Clock
from gateway.register.acts import Certificates
from gateway.register.administrators import Administrators
from gateway.store.queue import QueueFilter
from gateway.store.store import Store

T = TypeVar("T")
MOST_BYTES = 1_000_000
MOST_ACTS = 10_000
"""Filings that one request may act on; of a longer filter the oldest, and the next request the next."""
MOST_WHY = 500
_LIMIT = 1000


@dataclass(frozen=True, slots=True)
class AdminWorld:
    """What the door works on. `deadlines`: the tables in force; `seconds`: how long a body may take; `name`: the
    gateway's; `secret`: the same in all processes of this door, and nobody else's."""

    store: Store
    register: Certificates
    administrators: Administrators
    deadlines: Callable[[], Deadlines]
    now: Clock
    seconds: float
    name: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A request whose sender is known. `fingerprint`: of the certificate on this connection."""

    request: web.Request
    person: Person
    fingerprint: str
    world: AdminWorld

    @property
    def store(self) -> Store:
        """The store."""
        return self.world.store

    async def body(self, kind: type[T]) -> T:
        """The JSON body. Raises BadRequest, WrongMediaType, BodyTooLarge, BodyTimeout."""
        if self.request.content_type != "application/json":
            raise WrongMediaType(self.request.headers.get("Content-Type", "")[:60])
        octets = await read_body(self.request, MOST_BYTES, self.world.seconds)
        try:
            return msgspec.json.decode(octets, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise malformed(str(error)) from error

    def asked(self, *names: str) -> dict[str, str]:
        """The query's parameters that are not empty. Raises BadRequest for unknown, doubled, unprintable ones."""
        return plain_fields(self.request.query.items(), names)


Handler = Callable[[Call], Awaitable[web.StreamResponse]]


def malformed(why: str) -> BadRequest:
    """A parameter or a body that is not of the form that docs/admin.md shows."""
    return BadRequest(
        "admin.malformed", Text(f"Sai quy cách (nguyên văn: {why}).", f"Not of the agreed form: {why}")
    )


def plain_fields(pairs: object, names: tuple[str, ...]) -> dict[str, str]:
    """Each at most once, of known names, printable; empty ones are left out. Raises BadRequest."""
    found: dict[str, str] = {}
    for name, value in pairs:  # type: ignore[attr-defined]
        if name not in names:
            raise malformed(f"unknown parameter {name[:40]!a}")
        if name in found:
            raise malformed(f"{name} comes twice")
        text = value.strip()
        if text:
            if not is_plain(text):
                raise malformed(f"{name} is too long, or not printable")
            found[name] = text
    return found


def why_of(text: str) -> str:
    """The reason of an act, for the audit record. Raises BadRequest where there is none."""
    why = " ".join(text.split())
    if not why:
        raise BadRequest(
            "admin.why",
            Text("Phải ghi rõ lý do (why)", "Every act needs a reason (why)"),
        )
    if len(why) > MOST_WHY or not why.isprintable():
        raise malformed(f"why: at most {MOST_WHY} printable characters")
    return why


FILTER = ("agency", "form", "status", "olderThan", "reason", "held", "limit")


def filter_of(fields: dict[str, str], now: datetime) -> QueueFilter:
    """From the parameters of FILTER. Raises BadRequest."""
    try:
        return QueueFilter(
            agency=fields.get("agency"),
            form=fields.get("form"),
            status=Status(fields["status"]) if "status" in fields else None,
            received_before=now - read_age(fields["olderThan"]) if "olderThan" in fields else None,
            reason=fields.get("reason"),
            held={"true": True, "false": False}[fields["held"]] if "held" in fields else None,
            limit=limit_of(fields),
        )
    except KeyError as error:
        raise malformed("held: true or false") from error
    except ValueError as error:
        raise malformed(str(error)) from error


def limit_of(fields: dict[str, str], most: int = MOST_ACTS, default: int = _LIMIT) -> int:
    """`limit`, from 1. Raises BadRequest."""
    text = fields.get("limit", str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 7 and 1 <= int(text) <= most):
        raise malformed(f"limit: 1 to {most}")
    return int(text)


def moment_of(text: str) -> datetime:
    """A moment, Vietnam's where it has no offset. Raises BadRequest."""
    try:
        return read_moment(text)
    except ValueError as error:
        raise malformed(str(error)) from error


def require_same_site(request: web.Request, *, proven: bool = False) -> None:
    """A browser shows the client certificate whoever asks it to: what changes something must not come from a page of
    another origin. `proven`: nothing else keeps such a page out, so the browser must have said where it comes from.

    Raises CrossSite.
    """
    site, origin = request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin")
    own = f"https://{request.headers.get('Host', '')}"
    if (
        site not in (None, "same-origin")
        or origin not in (None, own)
        or (proven and site is None and origin is None)
    ):
        raise CrossSite
