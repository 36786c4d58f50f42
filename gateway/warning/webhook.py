"""Warnings posted as JSON over HTTPS, signed as Standard Webhooks says (version 1), or with a bearer token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from gateway.settings import WebhookSettings
from gateway.warning.files import faults_of, line_of, tls_of
from gateway.warning.matter import Kind, Message, NotSent

_PREFIX = "whsec_"
_SECRET_OCTETS = range(24, 65)


class Webhook:
    """See `matter.Channel`. Redirects are not followed, and of an answer the status alone is read."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self.name = settings.name
        self.seconds = settings.seconds

    def faults(self) -> Sequence[str]:
        """See `matter.Channel.faults`."""
        said = self._settings
        return faults_of(
            f"[[warnings.webhook]] {said.name}",
            [(said.secret_file, secret_of), (said.token_file, line_of), (said.ca_file, tls_of)],
        )

    async def send(self, message: Message) -> None:
        """See `matter.Channel.send`: any status of 200 to 299 means that the other side has it."""
        try:
            status = await self._post(message)
        except (aiohttp.ClientConnectorError, OSError, ValueError) as error:
            raise NotSent(f"{type(error).__name__}: {error}") from error
        except aiohttp.ClientError as error:  # some of these tell the address, which may be a secret
            raise NotSent(type(error).__name__) from error
        if not 200 <= status < 300:
            raise NotSent(f"answered {status}")

    async def _post(self, message: Message) -> int:
        said = self._settings
        body = payload(message)
        headers = {"Content-Type": "application/json", **await asyncio.to_thread(self._proofs, message, body)}
        tls: Any = True
        if urlsplit(said.url).scheme == "https":
            tls = await asyncio.to_thread(tls_of, said.ca_file)
        timeout = aiohttp.ClientTimeout(total=said.seconds)
        async with aiohttp.ClientSession(
            timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            answer = await session.post(said.url, data=body, headers=headers, allow_redirects=False, ssl=tls)
            answer.close()
            return answer.status

    def _proofs(self, message: Message, body: bytes) -> dict[str, str]:
        said = self._settings
        headers = {"webhook-id": f"msg_{message.id}", "webhook-timestamp": str(int(message.at.timestamp()))}
        if said.secret_file is not None:
            headers["webhook-signature"] = signature(
                secret_of(said.secret_file), headers["webhook-id"], headers["webhook-timestamp"], body
            )
        if said.token_file is not None:
            headers["Authorization"] = f"Bearer {line_of(said.token_file)}"
        return headers


def payload(message: Message) -> bytes:
    """As docs/certificates.md shows it: JSON in UTF-8, times in ISO 8601."""
    told = [
        {
            "id": one.id,
            "kind": one.kind.value,
            "about": one.about,
            "until": None if one.until is None else one.until.isoformat(timespec="seconds"),
            "text": {"vi": one.text.vi, "en": one.text.en},
            "mend": {"vi": one.mend.vi, "en": one.mend.en},
        }
        for one in message.matters
    ]
    return msgspec.json.encode(
        {
            "type": "test" if all(one.kind is Kind.TEST for one in message.matters) else "warnings",
            "timestamp": message.at.isoformat(timespec="seconds"),
            "gateway": {"code": message.code, "name": message.name},
            "warnings": told,
        }
    )


def signature(secret: bytes, id: str, timestamp: str, body: bytes) -> str:
    """Standard Webhooks, symmetric: HMAC-SHA256 over `id.timestamp.body`."""
    signed = hmac.new(secret, f"{id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"


def secret_of(file: Path) -> bytes:
    """From `whsec_` and base64 of 24 to 64 octets. Raises OSError, ValueError, which tell nothing of it."""
    text = line_of(file)
    try:
        octets = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except ValueError:
        octets = b""
    if not text.startswith(_PREFIX) or len(octets) not in _SECRET_OCTETS:
        raise ValueError(f"{file}: {_PREFIX} and base64 of 24 to 64 octets is needed")
    return octets
