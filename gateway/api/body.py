"""Bodies within limits of memory and time: read from a request, or sent as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import structlog
from aiohttp import ClientConnectionError, HttpVersion11, web

from gateway.errors import BodyTimeout, BodyTooLarge, Busy
from gateway.intake.multipart import FieldValue, MultipartReader, boundary_of
from gateway.intake.parts import MOST_PARTS, Unwrapped, unwrap
from gateway.intake.receive import SizeLimits

log = structlog.get_logger("api")
_CHUNK = 65_536
_AROUND_PARTS = 1_000_000
"""Octets for the boundaries and headers of all parts."""


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


def any_size(_: int) -> None:
    """Refuses no body for its size."""


async def read_body(
    request: web.Request,
    max_bytes: int,
    seconds: float,
    hold: Hold | None = None,
    refuse_large: Callable[[int], None] = any_size,
) -> bytes:
    """The body, exactly as sent; `hold` accounts for its memory. `refuse_large` is asked about its declared length,
    then about what has come so far.

    Raises:
        Busy: the memory for bodies is used up, or `refuse_large` raises it.
        BodyTooLarge: declared or found to be over `max_bytes`.
        BodyTimeout: not complete after `seconds`, or cut off.
    """
    chunks: list[bytes] = []
    await _read(request, chunks.append, max_bytes, seconds, hold=hold, refuse_large=refuse_large)
    return b"".join(chunks)


async def read_parts(
    request: web.Request, content_type: FieldValue, sizes: SizeLimits, seconds: float, hold: Hold
) -> Unwrapped:
    """A multipart body, taken apart as it comes. `seconds` are for as many octets as one XML may have; what is longer
    gets more in proportion.

    Raises:
        Busy, BodyTooLarge, BodyTimeout: as `read_body`.
        Unreadable: it is no multipart body of the agreed form (`intake/multipart.py`, `intake/parts.py`).
    """
    reader = MultipartReader(boundary_of(content_type), MOST_PARTS)
    most = sizes.body + sizes.papers + _AROUND_PARTS
    expected = most if request.content_length is None else min(request.content_length, most)
    await _read(request, reader.feed, most, seconds * max(1.0, expected / sizes.body), hold=hold)
    return unwrap(content_type, reader.close())


async def _read(
    request: web.Request,
    take: Callable[[bytes], None],
    max_bytes: int,
    seconds: float,
    *,
    hold: Hold | None,
    refuse_large: Callable[[int], None] = any_size,
) -> None:
    declared = request.content_length or 0
    if declared > max_bytes:
        raise BodyTooLarge(max_bytes)
    refuse_large(declared)
    if request.headers.get("Expect", "").lower() == "100-continue" and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    size = 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.content.iter_any():
                size += len(chunk)
                if size > max_bytes:
                    raise BodyTooLarge(max_bytes)
                refuse_large(size)
                if hold is not None:
                    hold.take(len(chunk))
                take(chunk)
    except (TimeoutError, ConnectionError, ClientConnectionError, web.RequestPayloadError) as error:
        raise BodyTimeout("the body did not arrive in full") from error


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
