"""Bodies within limits of memory and time: read from a request, or sent as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from aiohttp import ClientConnectionError, HttpVersion11, web

from gateway.errors import BodyTimeout, BodyTooLarge, Busy

log = structlog.get_logger("api")
_CHUNK = 65_536


async def expect_later(_: web.Request) -> None:
    """`Expect: 100-continue` is answered by `read_body`, after the caller has been let in, not before."""


class BodyBudget:
    """Bounds the memory that all bodies take together, sent to us or fetched from us, as long as they are held."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes

    @contextmanager
    def hold(self) -> Iterator[Hold]:
        """What the block takes is given back at its end."""
        hold = Hold(self)
        try:
            yield hold
        finally:
            self._left += hold.taken

    def take(self, size: int) -> None:
        """Raises Busy where the budget is used up."""
        if size > self._left:
            raise Busy("too many large bodies at once")
        self._left -= size


class Hold:
    """One request's part of the budget; it grows with what has really arrived, so that slow senders hold little."""

    def __init__(self, budget: BodyBudget) -> None:
        self._budget = budget
        self.taken = 0

    def take(self, size: int) -> None:
        """Raises Busy where the budget is used up."""
        self._budget.take(size)
        self.taken += size


async def read_body(request: web.Request, max_bytes: int, seconds: float, hold: Hold | None = None) -> bytes:
    """The body, exactly as sent; `hold` accounts for its memory.

    Raises:
        Busy: the memory for bodies is used up.
        BodyTooLarge: declared or found to be over `max_bytes`.
        BodyTimeout: not complete after `seconds`, or cut off.
    """
    if (request.content_length or 0) > max_bytes:
        raise BodyTooLarge(max_bytes)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > max_bytes:
                    raise BodyTooLarge(max_bytes)
                if hold is not None:
                    hold.take(len(chunk))
                chunks.append(chunk)
    except (TimeoutError, ConnectionError, ClientConnectionError, web.RequestPayloadError) as error:
        raise BodyTimeout("the body did not arrive in full") from error
    return b"".join(chunks)


async def send_body(
    request: web.Request,
    octets: bytes,
    content_type: str,
    seconds: float,
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer 200 with the octets, no faster than they are read; who has not read them after `seconds` is cut off."""
    response = web.StreamResponse(headers=headers)
    response.content_type = content_type
    if content_type.startswith("text/"):
        response.charset = "utf-8"
    response.content_length = len(octets)
    try:
        async with asyncio.timeout(seconds):
            await response.prepare(request)
            if request.method != "HEAD":
                view = memoryview(octets)
                for start in range(0, len(octets), _CHUNK):
                    await response.write(view[start : start + _CHUNK])
            await response.write_eof()
    except TimeoutError:
        log.warning("reader-too-slow", path=request.path, peer=request.remote)
        if request.transport is not None:
            request.transport.abort()
    except ConnectionError:
        log.info("reader-gone", path=request.path, peer=request.remote)
    return response
