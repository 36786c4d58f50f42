"""The transport of all agencies reached over HTTPS: client certificate, bounded answers, bounded time, no redirects."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any

import aiohttp
import msgspec
from yarl import URL

from adapters.base import ConfigError, Rejected, Unavailable
from adapters.config import secret, secret_faults
from adapters.told import printable

Seconds = Annotated[float, msgspec.Meta(gt=0, le=600)]

# 4xx that say nothing about the filing: our access, their address, their load. Trying again may help.
_NOT_ABOUT_THE_FILING = {401, 403, 404, 405, 407, 408, 421, 423, 425, 429}
_LONGEST_WAIT = 86_400.0
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_FILES = ("ca_file", "client_cert", "client_key")


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where and how to reach the agency.

    `base_url` is https (http only to this very machine), without user, query or fragment. `ca_file` (PEM) holds
    the only roots to trust for it; without one, the system's. The password of `client_key`, if it has one, is in the
    file `client_key_password_file` or in the environment variable that `client_key_password_env` names. Times are in
    seconds: `timeout_s` bounds a whole exchange, `connect_timeout_s` its connection. A call waits as long for one of
    `max_connections`, before its exchange begins. The files are read once: after a renewal another adapter takes this
    one's place (`Exchangeable`).
    """

    base_url: str
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    client_key_password_file: str | None = None
    client_key_password_env: str | None = None
    timeout_s: Seconds = 30.0
    connect_timeout_s: Seconds = 5.0
    max_answer_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 << 20)] = 1 << 20
    max_connections: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 16

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the address and the TLS files."""
        faults = _url_faults(values["base_url"]) if "base_url" in values else []
        faults += secret_faults({"client_key_password": False}, values)
        missing = [
            f"{name}: no file {values[name]}"
            for name in _FILES
            if values.get(name) is not None and not Path(values[name]).is_file()
        ]
        if (values.get("client_cert") is None) != (values.get("client_key") is None):
            missing.append("client_cert and client_key go together")
        faults += missing
        if not faults:
            try:
                tls_context(values)
            except (OSError, ssl.SSLError) as error:
                faults.append(f"TLS files do not fit: {error}")
        return faults


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole. `media_type` is lower case and without parameters; `content_type` is as it came."""

    status: int
    media_type: str
    content_type: str
    headers: Mapping[str, str]
    body: bytes


class Http:
    """Exchanges with one agency: one pool of connections, opened with the first."""

    def __init__(self, config: HttpConfig, headers: Mapping[str, str]) -> None:
        """`headers` go with every request. Raises ConfigError where the TLS files have changed since they were
        checked."""
        self.url = URL(config.base_url)
        self._config = config
        self._headers = {**headers, "Accept-Encoding": "identity"}
        try:
            values = msgspec.structs.asdict(config)
            self._tls = tls_context(values) if self.url.scheme == "https" else None
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS files do not fit: {error}") from error
        self._session: aiohttp.ClientSession | None = None
        self._turns = asyncio.Semaphore(config.max_connections)

    @property
    def longest_call_s(self) -> float:
        """The wait for a turn, and the exchange, in seconds."""
        return 2 * self._config.timeout_s

    async def exchange(
        self,
        method: str,
        url: URL,
        headers: Mapping[str, str],
        body: bytes | AsyncIterator[bytes] | aiohttp.MultipartWriter | None,
    ) -> Answer:
        """One request and its answer, whatever its status.

        Raises:
            Unavailable: no connection, no answer in time, or one larger than `max_answer_bytes`.
        """
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
                f"no connection to the agency: {printable(str(error) or repr(error))}"
            ) from error
        content_type = response.headers.get("Content-Type", "")
        media_type = content_type.partition(";")[0].strip().lower()
        return Answer(response.status, media_type, content_type, response.headers, answer)

    async def close(self) -> None:
        """Give the connections back. May be called twice."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

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
                headers=self._headers,
            )
        return self._session


def failure(answer: Answer, said: str | None) -> Unavailable | Rejected:
    """What an answer that is not 2xx means. `said`: the agency's own words in the agreed form, "" where it had none;
    None where the answer is not of the agreed form: a page of somebody on the way is not the agency's word."""
    status = answer.status
    words = f"the agency answered {status}" + (f" ({printable(said)})" if said else "")
    if status < HTTPStatus.BAD_REQUEST:
        return Unavailable(f"{words}: a redirect is not followed")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _NOT_ABOUT_THE_FILING or said is None:
        return Unavailable(words, retry_after(answer.headers))
    return Rejected(words)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """RFC 9110 §10.2.3: seconds, or a date (measured from the answer's own Date, not from our clock)."""
    told = headers.get("Retry-After", "")
    if told.isascii() and told.isdigit():
        return min(float(told[:9]), _LONGEST_WAIT)
    try:
        wait = parsedate_to_datetime(told) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError):
        return None
    return min(max(wait.total_seconds(), 0.0), _LONGEST_WAIT)


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            response.close()
            raise Unavailable(f"the agency's answer is larger than {limit} bytes")
    return bytes(body)


def _url_faults(text: str) -> list[str]:
    try:
        url = URL(text)
    except ValueError:
        return ["base_url is not a URL"]
    if url.scheme not in {"https", "http"} or not url.host:
        return ["base_url must be https://host[:port][/path]"]
    faults = []
    if url.user or url.password or url.query_string or url.fragment:
        faults.append("base_url bears no user, password, query or fragment")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        faults.append(f"base_url must be https: {url.host} is not this machine")
    return faults


def tls_context(values: Mapping[str, Any]) -> ssl.SSLContext:
    """Of `ca_file`, `client_cert`, `client_key` and its password. Raises OSError (ssl.SSLError is one), ConfigError."""
    context = ssl.create_default_context(cafile=values.get("ca_file"))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if values.get("client_cert") is not None:
        # A key with a password would make OpenSSL ask on the terminal: without one, answer with an empty one.
        password = secret("client_key_password", values)
        context.load_cert_chain(
            values["client_cert"], values["client_key"], password=password.reveal() if password else ""
        )
    return context
