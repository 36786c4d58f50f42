"""Those whom channels speak to: a real HTTP server and a real SMTP server on loopback, believable and hostile."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiohttp import web
from aiosmtpd.controller import UnthreadedController
from aiosmtpd.smtp import SMTP as Server
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

import certs_dev
from tests.house import free_port

MEGABYTES = 64


@dataclass
class Hook:
    """What it was sent; `answers`: how it behaves, the last one for good."""

    url: str
    answers: list[str] = field(default_factory=lambda: ["204"])
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    elsewhere: int = 0
    octets: int = 0


@asynccontextmanager
async def hook_server(pki: certs_dev.DevPki | None = None) -> AsyncIterator[Hook]:
    """Over TLS with a certificate of `pki`, or in the clear."""
    port = free_port()
    hook = Hook(f"http{'s' if pki else ''}://localhost:{port}/hook?key=in-the-address")

    async def take(request: web.Request) -> web.StreamResponse:
        hook.bodies.append(await request.read())
        hook.headers.append(dict(request.headers))
        how = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
        if how == "hang":
            await asyncio.sleep(3600)
        if how == "redirect":
            raise web.HTTPTemporaryRedirect("/elsewhere")
        if how == "huge":
            answer = web.StreamResponse()
            await answer.prepare(request)
            for _ in range(MEGABYTES):
                await answer.write(b"x" * 1_000_000)
                hook.octets += 1_000_000
            return answer
        return web.Response(status=int(how), text="a secret of theirs")

    async def elsewhere(_: web.Request) -> web.Response:
        hook.elsewhere += 1
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/hook", take), web.route("*", "/elsewhere", elsewhere)])
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    tls = None if pki is None else server_tls(pki)
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls).start()
    try:
        yield hook
    finally:
        await runner.cleanup()


@dataclass
class Post:
    """The mails it took. `refuses`: the code with which it answers each recipient, or each message at the end."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[list[str]] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)
    over_tls: list[bool] = field(default_factory=list)
    refuses: str | None = None

    async def handle_DATA(self, _: Server, session: Session, envelope: Envelope) -> str:
        if self.refuses is not None:
            return self.refuses
        assert isinstance(envelope.content, bytes)
        self.raw.append(envelope.content)
        read: Any = message_from_bytes(envelope.content, policy=policy.default)
        self.mails.append(read)
        self.recipients.append(list(envelope.rcpt_tos))
        self.over_tls.append(session.ssl is not None)
        return "250 taken"


@asynccontextmanager
async def mail_server(
    pki: certs_dev.DevPki | None = None, password: str = "", **options: Any
) -> AsyncIterator[Post]:
    """STARTTLS with a certificate of `pki`; with `password` nobody else may send."""
    post = Post(free_port())

    def known(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        post.logins.append(data.login.decode())
        return AuthResult(success=data.password.decode() == password, handled=False)

    made: dict[str, Any] = {"tls_context": server_tls(pki), "require_starttls": True} if pki else {}
    if password:
        made |= {"authenticator": known, "auth_required": True}
    controller = UnthreadedController(
        post, hostname="127.0.0.1", port=post.port, loop=asyncio.get_running_loop(), **made, **options
    )
    controller.server = await controller._create_server()
    try:
        yield post
    finally:
        controller.server.close()


def server_tls(pki: certs_dev.DevPki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki["agency-server"].chain, pki["agency-server"].key)
    return context


def written(file: Path, text: str) -> Path:
    """A file that its owner alone reads."""
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file
