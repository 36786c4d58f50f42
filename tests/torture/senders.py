"""Four T-VANs that never give up, and the books they keep of what was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.development import Installation
from tests.documents import declaration, sign
from tests.house import FINAL

EARLIER = timedelta(days=3)
"""Before now all certificates were made and all documents signed: a clock that goes back a day finds them so."""
_GIVEN_UP_SECONDS = 20.0
PERIODS = [f"Q{quarter}/{year}" for year in range(2022, 2026) for quarter in (1, 2, 3, 4)]


@dataclass
class Books:
    """By idempotency key: number and receipt of what was acknowledged. `unanswered`: sends without an answer;
    `busy`: answered 503; `faults`: answered 500."""

    receipts: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    unanswered: int = 0
    busy: int = 0
    faults: int = 0


class Sender:
    """One T-VAN's machine: every document under one key, again until there is a receipt."""

    def __init__(self, made: Installation, index: int, books: Books) -> None:
        self._made = made
        self._periods = itertools.cycle(PERIODS[index:] + PERIODS[:index])
        self._books = books
        beta = made.pki["provider-b"]
        self._connection = Connection(
            f"https://localhost:{made.ports.door}",
            beta.certificate,
            beta.key,
            made.pki.tls_ca,
            _GIVEN_UP_SECONDS,
        )

    async def send_until(self, over: asyncio.Event) -> None:
        """File one document after another; the one that was begun is seen through."""
        async with GatewayClient(self._connection) as client:
            while not over.is_set():
                document = await asyncio.to_thread(self._document, next(self._periods))
                await self._see_through(client, document, str(uuid.uuid4()))

    def _document(self, period: str) -> bytes:
        at = datetime.now(UTC) - EARLIER + timedelta(hours=1)
        return sign(self._made.pki, declaration(self._made.pki, period=period), at=at)

    async def _see_through(self, client: GatewayClient, document: bytes, key: str) -> None:
        while True:
            try:
                reply = await client.submit(document, key)
                if reply.done:
                    receipt = await client.part(str(reply.body["number"]), "receipt")
                    if receipt.done:
                        self._books.receipts[key] = (str(reply.body["number"]), receipt.octets)
                        return
                self._books.busy += reply.status == 503
                self._books.faults += reply.status == 500
                assert reply.status in (200, 201, 500, 503), reply.body
            except Unreachable:
                self._books.unanswered += 1
            await asyncio.sleep(0.05)

    async def verdicts(self, numbers: list[str]) -> dict[str, str]:
        """Where each filing stands in the end, and whether its receipt is the same still ("changed" where not)."""
        found: dict[str, str] = {}
        receipts = dict(self._books.receipts.values())
        async with GatewayClient(self._connection) as client:
            for number in numbers:
                while found.get(number) not in FINAL:
                    with contextlib.suppress(Unreachable):
                        found[number] = str((await client.status(number)).body.get("status"))
                        if found[number] not in FINAL:
                            await asyncio.sleep(0.2)
                again = await client.part(number, "receipt")
                if again.octets != receipts[number]:
                    found[number] = "changed"
        return found
