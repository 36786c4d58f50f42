"""/v1/filings and /v1/check: what a T-VAN provider's machine calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiohttp import web

from gateway.api.answers import attempt_json, filing_json, intake_response, json_response
from gateway.api.body import BodyBudget, Hold, any_size, expect_later, read_body, read_parts, send_body
from gateway.api.clients import Clients
from gateway.errors import GatewayError, NotFound, Removed, WrongMediaType
from gateway.filing.dossier_codes import is_dossier_code
from gateway.filing.filing import Filing, NoticeKind, SignedNotice
from gateway.filing.identifiers import VIETNAM, is_filing_number
from gateway.filing.incident import InTime
from gateway.intake.parts import Unwrapped, multipart_type
from gateway.intake.receive import Message
from gateway.intake.validate import Refusal
from gateway.journey import IntakeWorld, dry_run, take_in
from gateway.ports import Filings, Provider
from gateway.problems import finding_json, problem_of

FIRST_NOTICE = (NoticeKind.RECEIPT, NoticeKind.REFUSAL)
Own = Callable[[web.Request], Awaitable[Filing]]
"""The filing that a request names, if it is the caller's own. Raises NotFound, Stranger."""


class Gate(Protocol):
    """What may be taken in now; see `jobs/gate.py`."""

    def refuse_when_closed(self) -> None:
        """Raises Busy where nothing may."""
        ...

    def refuse_large(self, size: int) -> None:
        """Raises Busy where no body of so many octets may."""
        ...


class FilingsDoor:
    """Handlers for one provider's own filings; others' do not exist for it."""

    def __init__(
        self,
        world: IntakeWorld,
        clients: Clients,
        *,
        bodies: BodyBudget,
        body_seconds: float,
        wake: Callable[[], None],
        gate: Gate,
        filed: Callable[[str], None],
    ) -> None:
        self._world = world
        self._gate = gate
        self._filed = filed
        self._bodies = bodies
        self._clients = clients
        self._body_seconds = body_seconds
        self._wake = wake

    def routes(self) -> list[web.RouteDef]:
        """The routes of this door; `docs/api.md` lists the same."""
        one = "/v1/filings/{number}"
        return [
            web.post("/v1/filings", self.file, expect_handler=expect_later),
            web.post("/v1/check", self.check, expect_handler=expect_later),
            web.get(one, self.show),
            web.get(f"{one}/receipt", self.receipt),
            web.get(f"{one}/verdict", self.verdict),
            web.get(f"{one}/document", self.document),
            web.get(f"{one}/attempts", self.attempts),
            web.get(f"{one}/events", self.events),
            web.get(f"{one}/notices/{{kind}}", self.notice),
        ]

    async def file(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/filings: take a filing in."""
        try:
            with self._bodies.hold() as hold:
                message = await self._message(request, hold, self._gate)
                answer = await take_in(message, self._world)
        except GatewayError as error:
            self._filed(problem_of(error).type)
            raise
        self._filed("repeat" if answer.repeat else answer.filing.status.value)
        self._wake()
        return intake_response(answer, request, self._in_time(answer.filing))

    def _in_time(self, filing: Filing) -> InTime | None:
        return self._world.in_time(filing.summary, filing.received_at, filing.agency)

    async def check(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/check: the same checks, nothing recorded, nothing promised."""
        with self._bodies.hold() as hold:
            examined = await dry_run(await self._message(request, hold), self._world)
        refused = isinstance(examined, Refusal)
        return json_response(
            {
                "verdict": "refused" if isinstance(examined, Refusal) else examined.status.value,
                "wouldBeAccepted": not refused,
                "findings": [finding_json(finding) for finding in examined.findings],
                "summary": examined.summary,
                "signatures": examined.report.as_json(),
            }
        )

    async def show(self, request: web.Request) -> web.StreamResponse:
        """GET /v1/filings/{number}: where it stands."""
        filing = await self.own(request)
        kinds = [kind for kind in NoticeKind if await self._world.filings.notice(filing.number, [kind])]
        handovers = await self._world.filings.handovers(filing.number)
        notices = tuple(kind.value for kind in kinds)
        story = await self._world.filings.events(filing.number) if filing.dossier_code else ()
        return json_response(filing_json(filing, notices, handovers, story, self._in_time(filing)))

    async def receipt(self, request: web.Request) -> web.StreamResponse:
        """GET …/receipt: the notice that was given when the filing came in."""
        return await self._notice(request, FIRST_NOTICE)

    async def verdict(self, request: web.Request) -> web.StreamResponse:
        """GET …/verdict: the notice of the agency's verdict; 404 until there is one."""
        return await self._notice(request, (NoticeKind.VERDICT,))

    async def notice(self, request: web.Request) -> web.StreamResponse:
        """GET …/notices/{kind}."""
        kind = request.match_info["kind"]
        if kind not in list(NoticeKind):
            raise NotFound(kind)
        return await self._notice(request, (NoticeKind(kind),))

    async def document(self, request: web.Request) -> web.StreamResponse:
        """GET …/document: the bytes exactly as filed."""
        filing = await self.own(request)
        with self._bodies.hold() as hold:
            hold.take(filing.size)
            document = await self._world.filings.document(filing.number)
            if document is None:
                raise Removed(filing.number)
            return await send_body(request, document, "application/xml", self._body_seconds)

    async def attempts(self, request: web.Request) -> web.StreamResponse:
        """GET …/attempts: what was asked of agencies, and what they answered, oldest first."""
        filing = await self.own(request)
        return json_response([attempt_json(one) for one in await self._world.filings.attempts(filing.number)])

    async def events(self, request: web.Request) -> web.StreamResponse:
        """GET …/events: the filing's story, oldest first."""
        filing = await self.own(request)
        return json_response(
            [
                {"at": e.at.astimezone(VIETNAM).isoformat(), "event": e.name, "detail": e.detail}
                for e in await self._world.filings.events(filing.number)
            ]
        )

    async def _message(self, request: web.Request, hold: Hold, gate: Gate | None = None) -> Message:
        """Let the caller in, make sure there is room, then read: nobody sends 20 MB to hear "busy"."""
        provider: Provider = await self._clients.provider(request)
        if gate is not None:
            gate.refuse_when_closed()
        refuse_large = any_size if gate is None else gate.refuse_large
        self._world.pool.refuse_when_full()
        coding = request.headers.get("Content-Encoding", "identity")
        if (
            coding.strip().lower() != "identity"
        ):  # what was signed is what is sent; and nothing here unfolds bombs
            raise WrongMediaType(f"Content-Encoding: {coding[:60]!a}")
        content_type = request.headers.get("Content-Type", "")
        parts = multipart_type(content_type)
        if parts is None:
            most, seconds = self._world.sizes.body, self._body_seconds
            body = await read_body(request, most, seconds, hold, refuse_large)
            found = Unwrapped(body, content_type, ())
        else:
            found = await read_parts(request, parts, self._world.sizes, self._body_seconds, hold)
            refuse_large(
                len(found.body)
            )  # papers lie elsewhere: only now is it known how much of it they are
        keys = request.headers.getall("Idempotency-Key", [])
        return Message(
            body=found.body,
            content_type=found.content_type,
            idempotency_key=", ".join(keys) if keys else None,  # several are one with a comma (RFC 9110 5.3)
            provider=provider,
            papers=found.papers,
        )

    async def own(self, request: web.Request) -> Filing:
        """See `Own`."""
        provider = await self._clients.provider(request)
        number = request.match_info["number"]
        filing = None
        if is_filing_number(number):
            filing = await self._world.filings.filing(number)
        elif is_dossier_code(number):
            filing = await self._world.filings.dossier(number)
        if filing is None or filing.provider != provider.id:
            raise NotFound(number)
        return filing

    async def _notice(self, request: web.Request, kinds: tuple[NoticeKind, ...]) -> web.StreamResponse:
        filing = await self.own(request)
        document = (await first_notice(self._world.filings, filing, kinds)).document
        with self._bodies.hold() as hold:
            hold.take(len(document))
            return await send_body(request, document, "application/xml", self._body_seconds)


async def first_notice(filings: Filings, filing: Filing, kinds: Sequence[NoticeKind]) -> SignedNotice:
    """The filing's notice of the first of these kinds that it has one of. Raises NotFound."""
    for kind in kinds:
        notice = await filings.notice(filing.number, [kind])
        if notice is not None:
            return notice
    raise NotFound(filing.number)
