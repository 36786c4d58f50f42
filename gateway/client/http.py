"""Talks to a gateway over mutual TLS."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp


class Unreachable(Exception):
    """No answer could be had: whether the filing was taken in is unknown. Send again with the same key."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of the gateway. `body` is parsed JSON, or the octets of an XML answer in `octets`."""

    status: int
    body: dict[str, Any]
    octets: bytes

    @property
    def done(self) -> bool:
        """Whether the gateway did what was asked."""
        return self.status < 300


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the gateway is and who we are: PEM files; `server_ca` verifies the gateway's TLS certificate."""

    url: str
    certificate: Path
    key: Path
    server_ca: Path
    timeout_seconds: float = 120.0

    def tls(self) -> ssl.SSLContext:
        """TLS 1.2 or newer, with our client certificate. Raises OSError or ssl.SSLError for unusable files."""
        context = ssl.create_default_context(cafile=str(self.server_ca))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        return context


class GatewayClient:
    """`async with GatewayClient(connection) as client: await client.submit(octets)`."""

    def __init__(self, connection: Connection) -> None:
        self._url = connection.url.rstrip("/")
        self._tls = connection.tls()
        self._timeout = aiohttp.ClientTimeout(total=connection.timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=self._tls), timeout=self._timeout
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def submit(
        self, document: bytes, key: str | None = None, papers: Mapping[str, bytes] | None = None
    ) -> Reply:
        """File the bytes, and the files beside them by name. 201 new, 200 repeat, 422 refused; the same key makes a
        repetition safe."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self._send("/v1/filings", document, papers, headers)

    async def check(self, document: bytes, papers: Mapping[str, bytes] | None = None) -> Reply:
        """The same checks, nothing recorded."""
        return await self._send("/v1/check", document, papers, {})

    async def status(self, number: str) -> Reply:
        """Where a filing stands."""
        return await self._call("GET", f"/v1/filings/{number}")

    async def part(self, number: str, name: str) -> Reply:
        """`receipt`, `verdict`, `document`, `attempts`, `events`, `attachments[/{n}]` or `notices/{kind}`."""
        return await self._call("GET", f"/v1/filings/{number}/{name}")

    async def _send(
        self, path: str, document: bytes, papers: Mapping[str, bytes] | None, headers: dict[str, str]
    ) -> Reply:
        """As XML alone, or with its papers as multipart/form-data (RFC 7578), file names in UTF-8 as they are."""
        if not papers:
            return await self._call("POST", path, document, {**headers, "Content-Type": "application/xml"})
        form = aiohttp.FormData(quote_fields=False)
        form.add_field("filing", document, filename="filing.xml", content_type="application/xml")
        for name, content in papers.items():
            form.add_field("attachment", content, filename=name, content_type="application/octet-stream")
        return await self._call("POST", path, form, headers)

    async def _call(
        self,
        method: str,
        path: str,
        data: bytes | aiohttp.FormData | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        assert self._session is not None, "use it in `async with`"
        try:
            async with self._session.request(
                method, self._url + path, data=data, headers=headers
            ) as response:
                octets = await response.read()
                is_json = "json" in response.content_type
                body = await response.json(content_type=None) if is_json else {}
                return Reply(response.status, body if isinstance(body, dict) else {"items": body}, octets)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unreachable(f"{self._url}: {error or type(error).__name__}") from error
