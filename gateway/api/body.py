"""Reading a request's body within limits of size and time, and refusing before reading where that is possible."""

from __future__ import annotations

import asyncio

from aiohttp import ClientConnectionError, HttpVersion11, web

from gateway.errors import BodyTimeout, BodyTooLarge


async def expect_later(_: web.Request) -> None:
    """`Expect: 100-continue` is answered by `read_body`, after the caller has been let in, not before."""


async def read_body(request: web.Request, max_bytes: int, seconds: float) -> bytes:
    """The body, exactly as sent.

    Raises:
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
                chunks.append(chunk)
    except (TimeoutError, ClientConnectionError, web.RequestPayloadError) as error:
        raise BodyTimeout("the body did not arrive in full") from error
    return b"".join(chunks)
