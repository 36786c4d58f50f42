"""Agencies behind a message queue (kind "queue"): AMQP 0-9-1, the ESB envelope of `queue_wire.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any

import msgspec

from adapters import queue_wire as wire
from adapters.amqp import Amqp, AmqpConfig, Delivered, Letter
from adapters.base import (
    Hear,
    MalformedCallback,
    Parcel,
    Pending,
    Submitted,
    Unavailable,
    Unknown,
    Verdict,
    check_key,
)
from adapters.config import read_config
from adapters.told import Short, printable
from adapters.xml import NotOfTheForm, off_loop

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class QueueConfig(AmqpConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The way to the broker (see AmqpConfig), and the queues there; whoever runs the broker makes them, durable.

    Filings and questions go to `exchange` (the default one where it is empty) with `routing_key`; verdicts are read
    from `reply_queue`, `ahead` of them at a time. What is none goes to `dead_letter_queue`.
    """

    routing_key: Name
    reply_queue: Name
    dead_letter_queue: Name
    exchange: Annotated[str, msgspec.Meta(max_length=255)] = ""
    ahead: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 8
    sender_code: Short
    sender_name: Short = ""
    receiver_code: Short
    receiver_name: Short = ""


class QueueAdapter:
    """Fulfils `adapters.base.Adapter` and `adapters.base.Listener`.

    A filing is handed over once the broker has confirmed it, and all its pieces before it: persistent, and routed to
    the agency's queue. What the
    agency makes of it comes through the reply queue, or is asked behind it in the same queue.
    """

    carries_papers = True

    def __init__(self, config: QueueConfig) -> None:
        """Reads the files. Raises ConfigError."""
        self._config = config
        self._amqp = Amqp(config)
        self._parties = wire.Parties(
            config.sender_code, config.sender_name, config.receiver_code, config.receiver_name
        )

    @property
    def longest_call_s(self) -> float:
        return self._config.timeout_s

    async def submit(self, parcel: Parcel) -> Submitted:
        async with self._amqp.in_time():
            for piece in wire.pieces(parcel):
                make = partial(wire.piece_message, parcel.key, piece, self._parties)
                await self._send(parcel.key, piece.id, piece.digest_hex, len(piece.octets), make)
            size, make = len(parcel.document), partial(wire.filing, parcel, self._parties)
            await self._send(parcel.key, parcel.key, parcel.digest_hex, size, make)
        return Submitted(None, duplicate=False)

    async def _send(self, key: str, id: str, digest_hex: str, size: int, make: Callable[[], bytes]) -> None:
        letter = Letter(
            body=await off_loop(size, make),
            content_type=wire.CONTENT_TYPE,
            correlation_id=key,
            reply_to=self._config.reply_queue,
            headers={"idempotency-key": id, "sha-256": digest_hex},
        )
        await self._amqp.publish(self._config.exchange, self._config.routing_key, letter)

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        asked = wire.question(check_key(key), self._parties)
        config = self._config
        answer = await self._amqp.ask(config.exchange, config.routing_key, asked, wire.CONTENT_TYPE)
        if len(answer.body) > config.max_answer_bytes:
            raise Unavailable(f"the agency's answer is larger than {config.max_answer_bytes} bytes")
        try:
            state = wire.read_state(_xml(answer))
        except NotOfTheForm as error:
            raise Unavailable(f"the agency's answer is not of the agreed form: {error}") from error
        if state.key != key:
            raise Unavailable("the agency's answer is about another key")
        if state.verdict is not None:
            return state.verdict
        return Unknown() if state.state == "CHUA_NHAN" else Pending(state.reference)

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict]:  # noqa: ARG002
        raise MalformedCallback("this agency answers through its queue")

    async def listen(self, hear: Hear) -> None:
        async def take(message: Delivered) -> None:
            reason = await self._heard(message, hear)
            if reason is not None:
                await self._put_aside(message, reason)

        await self._amqp.consume(self._config.reply_queue, self._config.ahead, take)

    async def close(self) -> None:
        await self._amqp.close()

    async def _heard(self, message: Delivered, hear: Hear) -> str | None:
        """Why the message is none for us; None where its verdict has been written down."""
        if len(message.body) > self._config.max_answer_bytes:
            return f"larger than {self._config.max_answer_bytes} bytes"
        try:
            transaction, row = wire.read(_xml(message))
            if transaction == "TU_CHOI":
                return "the agency refuses a message of ours"
            if transaction != "KET_QUA":
                return f"{printable(transaction)} is not for this queue"
            key, verdict = wire.read_verdict(row)
        except NotOfTheForm as error:
            return f"not of the agreed form: {error}"
        return None if await hear(key, verdict) else "no filing of this agency has its key"

    async def _put_aside(self, message: Delivered, reason: str) -> None:
        letter = Letter(
            body=message.body,
            content_type=message.properties.content_type or "application/octet-stream",
            correlation_id=message.properties.correlation_id or "",
            headers={"reason": reason},
        )
        await self._amqp.publish("", self._config.dead_letter_queue, letter)


def open_queue(config: Mapping[str, Any]) -> QueueAdapter:
    """A queue adapter from a table of settings (see QueueConfig). Raises ConfigError."""
    return QueueAdapter(read_config("queue", config, QueueConfig))


def _xml(message: Delivered) -> bytes:
    content_type = message.properties.content_type or ""
    if content_type != wire.CONTENT_TYPE:
        raise NotOfTheForm(f"{printable(content_type) or 'no content type'} instead of {wire.CONTENT_TYPE}")
    return message.body
