"""Agencies that take filings as JSON over HTTPS (kind "rest"). The messages are in `rest_wire.py`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, TypeVar

import aiohttp
import msgspec
from yarl import URL

from adapters import rest_wire as wire
from adapters.base import (
    ConfigError,
    MalformedCallback,
    Parcel,
    Pending,
    Rejected,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]

_TAKEN = {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}
# 4xx that say nothing about the filing: our access, their address, their load. Trying again may help.
_NOT_ABOUT_THE_FILING = {401, 403, 404, 405, 407, 408, 421, 423, 425, 429}
_LONGEST_WAIT = 86_400.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_Message = TypeVar("_Message", bound=msgspec.Struct)


class RestConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where and how to reach the agency.

    `base_url` is https (http only to this very machine), without user, query or fragment. `ca_file` (PEM) holds
    the only roots to trust for it; without one, the system's. Times are in seconds: `timeout_s` bounds a whole
    exchange, `connect_timeout_s` its connection. A call waits as long for one of `max_connections`, before its
    exchange begins. The files are read once: after a renewal open a new adapter.
    """

    base_url: str
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    timeout_s: Seconds = 30.0
    connect_timeout_s: Seconds = 5.0
    max_answer_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 << 20)] = 1 << 20
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16


class RestAdapter:
    """Fulfils `adapters.base.Adapter`; one pool of connections, opened with the first call."""

    def __init__(self, config: RestConfig) -> None:
        """Reads the TLS files. Raises ConfigError."""
        self._config = config
        self._filings = _base_url(config.base_url) / "filings"
        self._tls = _tls(config) if self._filings.scheme == "https" else None
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(config.max_connections)

    @property
    def longest_call_s(self) -> float:
        return 2 * self._config.timeout_s  # the wait for a turn, and the exchange

    async def submit(self, parcel: Parcel) -> Submitted:
        body = msgspec.json.encode(wire.enclose(parcel))
        headers = {"Idempotency-Key": parcel.key, "Content-Type": "application/json"}
        status, answer = await self._exchange("POST", self._filings, headers, body)
        if status not in {*_TAKEN, HTTPStatus.OK}:
            raise Unavailable(f"the agency answered {status}, which means nothing here")
        told = _decode(answer, wire.Acknowledgement)
        if told.key != parcel.key:
            raise Unavailable("the agency's answer is about another key")
        if told.digest != parcel.digest_hex:
            raise Unavailable("the agency's answer is about another document (digest differs)")
        verdict = wire.read_verdict(told.verdict) if told.verdict else None
        return Submitted(told.reference, status == HTTPStatus.OK, verdict)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        status, answer = await self._exchange("GET", self._filings / check_key(key), {}, None, unknown=True)
        if status == HTTPStatus.NOT_FOUND:
            return Unknown()
        if status != HTTPStatus.OK:
            raise Unavailable(f"the agency answered {status}, which means nothing here")
        told = _decode(answer, wire.State)
        if told.key != key:
            raise Unavailable("the agency's answer is about another key")
        return Pending(told.reference) if told.verdict is None else wire.read_verdict(told.verdict)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:
        media_type = next((v for k, v in headers.items() if k.lower() == "content-type"), "")
        if media_type.partition(";")[0].strip().lower() != "application/json":
            raise MalformedCallback("a callback is application/json")
        if len(body) > self._config.max_answer_bytes:
            raise MalformedCallback(f"larger than {self._config.max_answer_bytes} bytes")
        try:
            told = msgspec.json.decode(body, type=wire.Callback)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise MalformedCallback(f"not a verdict: {_printable(str(error))}") from error
        return told.key, wire.read_verdict(told.verdict)

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _exchange(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes | None, *, unknown: bool = False
    ) -> tuple[int, bytes]:
        """Status and body of a 2xx answer (with `unknown`, of a 404 too); everything else raises."""
        try:
            # A redirect would carry the filing to somebody who is not configured.
            async with (
                self._turn(),
                self._open_session().request(
                    method, url, headers=headers, data=body, allow_redirects=False
                ) as response,
            ):
                answer = await _read(response, self._config.max_answer_bytes)
        except TimeoutError as error:
            raise Unavailable("the agency did not answer in time") from error
        except (aiohttp.ClientError, OSError, ssl.SSLError) as error:
            raise Unavailable(
                f"no connection to the agency: {_printable(str(error) or repr(error))}"
            ) from error
        status = response.status
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return status, answer
        if unknown and status == HTTPStatus.NOT_FOUND and _is_json(response):
            return status, answer
        raise _failure(response, answer)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of our connections. The time spent waiting for it is ours, not the agency's."""
        try:
            async with asyncio.timeout(self._config.timeout_s):
                await self._turns.acquire()
        except TimeoutError as error:
            raise Unavailable("not sent: all our connections to the agency are in use") from error
        try:
            yield
        finally:
            self._turns.release()

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            config = self._config
            connector = aiohttp.TCPConnector(
                limit=config.max_connections, ssl=True if self._tls is None else self._tls
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=config.timeout_s, sock_connect=config.connect_timeout_s),
                cookie_jar=aiohttp.DummyCookieJar(),
                # A compressed answer could unfold beyond any bound: none is asked for, none is unfolded.
                auto_decompress=False,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            )
        return self._session


def open_rest(config: Mapping[str, Any]) -> RestAdapter:
    """A REST adapter from a table of settings (see RestConfig). Raises ConfigError."""
    try:
        return RestAdapter(msgspec.convert(dict(config), RestConfig))
    except msgspec.ValidationError as error:
        raise ConfigError(f"rest adapter: {error}") from error


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()
            raise Unavailable(f"the agency's answer is larger than {limit} bytes")
    return bytes(body)


def _decode(answer: bytes, form: type[_Message]) -> _Message:
    try:
        return msgspec.json.decode(answer, type=form)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise Unavailable(
            f"the agency's answer is not of the agreed form: {_printable(str(error))}"
        ) from error


def _failure(response: aiohttp.ClientResponse, answer: bytes) -> Unavailable | Rejected:
    status = response.status
    words = f"the agency answered {status}{_said(response, answer)}"
    if status < HTTPStatus.BAD_REQUEST:
        return Unavailable(f"{words}: a redirect is not followed")
    if (
        status >= HTTPStatus.INTERNAL_SERVER_ERROR
        or status in _NOT_ABOUT_THE_FILING
        or not _is_json(response)
    ):
        return Unavailable(words, _retry_after(response.headers))
    return Rejected(words)


def _said(response: aiohttp.ClientResponse, answer: bytes) -> str:
    if not _is_json(response):
        return ""
    try:
        problem = msgspec.json.decode(answer, type=wire.Problem)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    said = _printable(problem.detail or problem.title)
    return f" ({said})" if said else ""


def _is_json(response: aiohttp.ClientResponse) -> bool:
    # A 404 page of some proxy on the way must not be read as "never seen this key".
    return response.content_type in {"application/json", "application/problem+json"}


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date (measured from the answer's own Date, not from our clock)."""
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(told) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(wait.total_seconds(), 0.0), _LONGEST_WAIT)


def _printable(text: str, limit: int = 200) -> str:
    """One line for a log: no control characters, bounded."""
    clean = "".join(c if c.isprintable() else " " for c in text[: limit + 1])
    return clean if len(clean) <= limit else clean[:limit] + "…"


def _base_url(text: str) -> URL:
    try:
        url = URL(text)
    except ValueError as error:
        raise ConfigError("rest adapter: base_url is not a URL") from error
    if url.scheme not in {"https", "http"} or not url.host:
        raise ConfigError("rest adapter: base_url must be https://host[:port][/path]")
    if url.user or url.password or url.query_string or url.fragment:
        raise ConfigError("rest adapter: base_url bears no user, password, query or fragment")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise ConfigError(f"rest adapter: base_url must be https: {url.host} is not this machine")
    return url


def _tls(config: RestConfig) -> ssl.SSLContext:
    if (config.client_cert is None) != (config.client_key is None):
        raise ConfigError("rest adapter: client_cert and client_key go together")
    for name in ("ca_file", "client_cert", "client_key"):
        path = getattr(config, name)
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"rest adapter: {name}: no file {path}")
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if config.client_cert is not None:
            # A key with a password would make OpenSSL ask on the terminal: answer with an empty one.
            context.load_cert_chain(config.client_cert, config.client_key, password="")
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"rest adapter: TLS files do not fit: {error}") from error
    return context
