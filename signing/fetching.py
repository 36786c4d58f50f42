"""HTTP for the few places that leave the machine (key services, revocation refresh): bounded in time and size.

No redirects, no proxies, no cookies, no decompression. Who may be asked is the caller's to say.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

if TYPE_CHECKING:
    from aiohttp import ClientSession

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class FetchFailed(Exception):
    """No usable answer: no connection, too slow, too long. The text names the host and the fault, never a secret."""


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """`seconds` for a whole exchange, name look-up included; `answer_bytes` for the body of the answer."""

    seconds: float = 20.0
    answer_bytes: int = 1 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `media_type` in lower case, without parameters."""

    status: int
    media_type: str
    body: bytes


def split_url(url: str) -> SplitResult:
    """The parts of an http or https URL with a host, without user information. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError(f"{url[:200]!r} is no http or https URL of a host")
    _ = parts.port  # raises ValueError where it is no number
    return parts


async def fetch(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    limits: FetchLimits,
    tls: ssl.SSLContext | None = None,
    session: ClientSession | None = None,
) -> Answer:
    """GET, or POST where there is a body. Any status is an answer; raises FetchFailed where there is none.

    `session`: one of `open_session`, which many exchanges share.
    """
    import aiohttp  # noqa: PLC0415 - slow to read, and who only judges files does not need it

    host = split_url(url).hostname
    try:
        async with (
            open_session() if session is None else nullcontext(session) as used,
            used.request(
                "GET" if body is None else "POST",
                url,
                data=body,
                headers={"Accept-Encoding": "identity", **(headers or {})},
                allow_redirects=False,
                ssl=tls or True,
                timeout=aiohttp.ClientTimeout(total=limits.seconds),
            ) as response,
        ):
            received = bytearray()
            async for chunk in response.content.iter_chunked(1 << 16):
                received += chunk
                if len(received) > limits.answer_bytes:
                    raise FetchFailed(f"{host}: the answer exceeds {limits.answer_bytes} octets")
            return Answer(response.status, response.content_type.lower(), bytes(received))
    except TimeoutError:
        raise FetchFailed(f"{host}: no whole answer within {limits.seconds:g} s") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise FetchFailed(f"{host}: {type(error).__name__}: {str(error)[:200]}") from None


def open_session() -> ClientSession:
    """To be made and closed on an event loop. A name is looked up once for all that ask for it at the same time; each
    exchange has a connection of its own, for one that was kept may be dead by then."""
    import aiohttp  # noqa: PLC0415

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True),
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def fetch_now(
    url: str,
    *,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    limits: FetchLimits,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """`fetch` for a thread without an event loop. Raises FetchFailed."""
    return asyncio.run(fetch(url, body=body, headers=headers, limits=limits, tls=tls))
