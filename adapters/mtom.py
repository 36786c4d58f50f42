"""MTOM packages: a SOAP message as multipart/related, its documents beside it as they are (MTOM, XOP; RFC 2387)."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass
from email.message import Message

import aiohttp
from aiohttp.base_protocol import BaseProtocol
from lxml import etree

from adapters.told import printable
from adapters.xml import NotOfTheForm

XOP = "http://www.w3.org/2004/08/xop/include"
_ROOT = "message@efile-gateway"
_MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class Attachment:
    """One document beside the message. `content_id` is without angle brackets."""

    content_id: str
    media_type: str
    octets: bytes


def include(element: etree._Element, attachment: Attachment) -> None:
    """Let `element` stand for the document (XOP §2.1)."""
    etree.SubElement(element, f"{{{XOP}}}Include", nsmap={"xop": XOP}).set(
        "href", f"cid:{attachment.content_id}"
    )


def pack(
    message: bytes, message_type: str, attachments: tuple[Attachment, ...]
) -> tuple[aiohttp.MultipartWriter, str]:
    """The package and its Content-Type. `message_type` is that of the SOAP version, such as `text/xml`."""
    package = aiohttp.MultipartWriter("related")
    root = package.append(
        io.BytesIO(message), {"Content-Type": f'application/xop+xml; charset=utf-8; type="{message_type}"'}
    )
    _label(root, _ROOT)
    for attachment in attachments:
        part = package.append(io.BytesIO(attachment.octets), {"Content-Type": attachment.media_type})
        _label(part, attachment.content_id)
    content_type = (
        f'multipart/related; type="application/xop+xml"; boundary="{package.boundary}"; '
        f'start="<{_ROOT}>"; start-info="{message_type}"'
    )
    return package, content_type


async def unpack(content_type: str, body: bytes) -> tuple[bytes, str]:
    """The message of a package, and the media type of its SOAP version. Documents beside it are not read: no answer
    that we know has one.

    Raises:
        NotOfTheForm: not a package, or one of more than 16 parts.
    """
    header = Message()
    header["Content-Type"] = content_type
    start = str(header.get_param("start", ""))
    # All of it is here already: with room for it, the stream never asks its protocol to pause.
    stream = aiohttp.StreamReader(BaseProtocol(asyncio.get_running_loop()), len(body) + 1)
    stream.feed_data(body)
    stream.feed_eof()
    try:
        package = aiohttp.MultipartReader({"Content-Type": content_type}, stream)
        for _ in range(_MOST_PARTS):
            part = await package.next()
            if not isinstance(part, aiohttp.BodyPartReader):
                break
            # Without `start`, the first part is the message (RFC 2387 §3.2).
            if start in {"", part.headers.get("Content-ID", "")}:
                return bytes(await part.read()), str(header.get_param("start-info", ""))
            await part.release()
    except (
        ValueError,
        RuntimeError,
        aiohttp.ClientError,
        aiohttp.http_exceptions.HttpProcessingError,
    ) as error:
        raise NotOfTheForm(printable(f"not a package: {error}")) from error
    raise NotOfTheForm("a package without its message")


def _label(part: aiohttp.Payload, content_id: str) -> None:
    part.headers["Content-ID"] = f"<{content_id}>"
    part.headers["Content-Transfer-Encoding"] = "binary"
