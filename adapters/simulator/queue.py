"""The simulated authority behind a message queue, as `adapters/queue_wire.py` has it."""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import aiormq
from aiormq.abc import AbstractChannel, DeliveredMessage
from lxml import etree
from pamqp.commands import Basic

from adapters import queue_wire as wire
from adapters.simulator.authority import AnswerLost, Authority, Failure, Handed, HandedPaper, Simulated
from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Entry
from adapters.simulator.calling import messages
from adapters.simulator.spoiling import GARBAGE, HUGE
from adapters.xml import NotOfTheForm

_log = logging.getLogger("adapters.simulator")
_DOWN_S = 0.02
_ERRORS = (aiormq.exceptions.AMQPError, OSError, RuntimeError)
_BOMB = b'<!DOCTYPE DATA [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><DATA a="&b;">&b;</DATA>'
_PARTIES = wire.Parties("CQT", "Cơ quan mô phỏng", "GATEWAY", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Where the authority reads and writes."""

    filings: str = "filings"
    replies: str = "verdicts"
    dead_letters: str = "verdicts.dead"


class QueueAuthority(Simulated):
    """`async with QueueAuthority(url, tls) as authority:`; the queues are made where they are missing, durable.

    What is down takes nothing from its queue. An answer that is lost is neither sent nor, for a question, made up for.
    """

    def __init__(
        self,
        url: str,
        tls: ssl.SSLContext | None,
        behaviour: Behaviour,
        *,
        queues: Queues = Queues(),
        books: Path | None = None,
    ) -> None:
        self.queues = queues
        self._authority = Authority(books, behaviour, 0, lambda: datetime.now(UTC))
        self._url, self._tls = url, tls
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._promised: set[asyncio.Task[None]] = set()
        self._channel: AbstractChannel | None = None
        # By key and digest; kept, for another attempt at the same filing may be under way.
        self._pieces: dict[tuple[str, str], dict[int, bytes]] = {}

    async def start(self) -> None:
        """Read the queue, again after the broker has been away."""
        self._running = asyncio.create_task(self._run())
        await self._ready.wait()

    async def stop(self) -> None:
        """Read no more. May be called twice."""
        running, self._running = self._running, None
        for task in (running, *self._promised):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in (running, *self._promised) if task), return_exceptions=True)
        await self._authority.books.close()

    async def __aenter__(self) -> QueueAuthority:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def put_aside(self) -> list[tuple[str, bytes]]:
        """What the gateway has put into the queue for dead letters, with its reason; taken out of it."""
        assert self._channel is not None
        found: list[tuple[str, bytes]] = []
        while True:
            letter = await self._channel.basic_get(self.queues.dead_letters, no_ack=True)
            if isinstance(letter.delivery, Basic.GetEmpty):
                return found
            found.append((str((letter.header.properties.headers or {}).get("reason")), letter.body))

    async def post(self, body: bytes, content_type: str = wire.CONTENT_TYPE) -> None:
        """Put anything into the gateway's queue."""
        assert self._channel is not None
        properties = Basic.Properties(content_type=content_type, delivery_mode=2)
        await self._channel.basic_publish(body, routing_key=self.queues.replies, properties=properties)

    async def _run(self) -> None:
        while True:
            connection = aiormq.Connection(self._url, context=self._tls)
            try:
                await connection.connect()
                channel = await connection.channel()
                for name in (self.queues.filings, self.queues.replies, self.queues.dead_letters):
                    await channel.queue_declare(name, durable=True, arguments={"x-queue-type": "quorum"})
                await channel.basic_qos(prefetch_count=1)
                self._channel = channel
                await channel.basic_consume(self.queues.filings, self._take)
                self._ready.set()
                await asyncio.wait([channel.closing])
            except _ERRORS as error:
                _log.info("broker not reached: %s", error)
                await asyncio.sleep(0.2)
            finally:
                await connection.close()

    async def _take(self, message: DeliveredMessage) -> None:
        try:
            await asyncio.sleep(self.behaviour.delay_s)
            while self.behaviour.down:  # noqa: ASYNC110 - behaviour is set, not announced
                await asyncio.sleep(_DOWN_S)
            await self._answer(message)
            assert message.delivery_tag is not None
            await message.channel.basic_ack(message.delivery_tag)
        except _ERRORS as error:
            _log.info("left in its queue: %s", error)

    async def _answer(self, message: DeliveredMessage) -> None:
        reply_to = message.header.properties.reply_to or ""
        correlation = message.header.properties.correlation_id or ""
        try:
            transaction, row = wire.read(message.body, large=True)
            if transaction == "TRA_CUU":
                key = row.findtext("MA_GIAO_DICH") or ""
                if not self._lost():
                    await self._send(reply_to, correlation, self._state(key))
                return
            if transaction == "PHAN_TEP":
                self._keep_piece(row)
                return
            taken = await self._authority.take_in(self._handed(row))
        except AnswerLost:
            return
        except (NotOfTheForm, Failure) as failure:
            refused = wire.refusal_message(correlation or "?", str(failure), _PARTIES)
            await self._send(reply_to, correlation, refused)
            return
        if taken.fresh and self.behaviour.callback:
            self._promise(taken.entry)

    def _keep_piece(self, row: etree._Element) -> None:
        file = self._pieces.setdefault((_text(row, "MA_GIAO_DICH"), _text(row, "SHA256")), {})
        file[_number(row, "PHAN")] = _octets(row)

    def _file(self, key: str, about: etree._Element) -> bytes:
        """The pieces of a file that went ahead, put together. Raises Failure."""
        found = self._pieces.get((key, _text(about, "SHA256")), {})
        numbers = range(1, _number(about, "SO_PHAN") + 1)
        if missing := [number for number in numbers if number not in found]:
            raise Failure("malformed", f"PHAN_TEP: {_text(about, 'SHA256')} lacks pieces {missing[:9]}")
        return b"".join(found[number] for number in numbers)

    def _handed(self, row: etree._Element) -> Handed:
        key = _text(row, "MA_GIAO_DICH")
        return Handed(
            wire="queue",
            key=key,
            agency=_text(row, "CO_QUAN"),
            number=_text(row, "SO_HO_SO"),
            digest=_text(row, "SHA256"),
            document=_octets(row) if row.find("SO_PHAN") is None else self._file(key, row),
            papers=tuple(
                HandedPaper(_text(one, "TEN_TEP"), _text(one, "SHA256"), self._file(key, one))
                for one in row.findall("GIAY_TO")
            ),
        )

    def _lost(self) -> bool:
        left = self.behaviour.lose_answer
        if left:
            self.behaviour = self.behaviour.changed({"lose_answer": left - 1})
        return bool(left)

    def _state(self, key: str) -> bytes:
        entry = self.books.get(key)
        if entry is None:
            return wire.state_message(key, "CHUA_NHAN", None, None, _PARTIES)
        verdict = self._authority.decided(entry)
        state = "DA_CO_KET_QUA" if verdict else "DANG_XU_LY"
        return wire.state_message(key, state, entry.reference, verdict, _PARTIES)

    def _promise(self, entry: Entry) -> None:
        task = asyncio.create_task(self._tell_when_decided(entry))
        self._promised.add(task)
        task.add_done_callback(self._promised.discard)

    async def _tell_when_decided(self, entry: Entry) -> None:
        await asyncio.sleep(max(0.0, (entry.decides_at - datetime.now(UTC)).total_seconds()))
        for verdict in messages(entry.verdict, self.behaviour):
            body = wire.verdict_message(entry.key, verdict, _PARTIES)
            while True:
                try:
                    await self._send(self.queues.replies, entry.key, body)
                    break
                except _ERRORS:
                    await asyncio.sleep(0.2)
            await self._authority.books.called_back(entry.key)

    async def _send(self, queue: str, correlation: str, body: bytes) -> None:
        """Spoilt as told."""
        if self._channel is None:
            raise RuntimeError("not connected")
        behaviour = self.behaviour
        content_type = wire.CONTENT_TYPE
        if behaviour.garbage:
            body = GARBAGE
        elif behaviour.bomb:
            body = _BOMB
        elif behaviour.huge:
            body += b" " * HUGE
        elif behaviour.mistyped:
            content_type = "text/html"
        properties = Basic.Properties(content_type=content_type, delivery_mode=2, correlation_id=correlation)
        await self._channel.basic_publish(body, routing_key=queue, properties=properties)


def _text(element: etree._Element, name: str) -> str:
    return element.findtext(name) or ""


def _number(element: etree._Element, name: str) -> int:
    text = _text(element, name)
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        raise Failure("malformed", f"{name}: no number")
    return int(text)


def _octets(row: etree._Element) -> bytes:
    try:
        return base64.b64decode(_text(row, "NOI_DUNG"), validate=True)
    except binascii.Error as error:
        raise Failure("malformed", f"NOI_DUNG: {error}") from error
