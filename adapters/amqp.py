"""The AMQP 0-9-1 transport: confirmed publishing, questions with an answer, and a queue read message by message."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import aiormq
import msgspec
from aiormq.abc import AbstractChannel, DeliveredMessage
from pamqp.commands import Basic
from pamqp.exceptions import PAMQPException
from yarl import URL

from adapters.base import ConfigError, Unavailable
from adapters.config import secret, secret_faults
from adapters.http import Seconds, tls_context
from adapters.told import printable

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_FILES = ("ca_file", "client_cert", "client_key")
_REPLY_TO = "amq.rabbitmq.reply-to"
_PERSISTENT = 2
_HEARTBEAT_S = 20
_BROKEN = (aiormq.exceptions.AMQPError, PAMQPException, OSError, RuntimeError)
"""What a connection that ends raises; RuntimeError is aiormq's for a channel that has been closed meanwhile."""


class AmqpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where and how to reach the broker.

    TLS, unless `tls` is false, which only this very machine may be; `ca_file`, `client_cert` and `client_key` (PEM) as
    over HTTPS. With `username`, its password is in the file `password_file` or in the environment variable that
    `password_env` names (SASL PLAIN); without, the client certificate says who we are (SASL EXTERNAL). `timeout_s`
    bounds each call, `connect_timeout_s` its connection. The broker's own `max_message_size` bounds what it sends us;
    what is larger than `max_answer_bytes` is read no further.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 5671
    vhost: str = "/"
    tls: bool = True
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    username: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    timeout_s: Seconds = 30.0
    connect_timeout_s: Seconds = 5.0
    max_answer_bytes: Annotated[int, msgspec.Meta(ge=1024, le=16 << 20)] = 1 << 20

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the address, the TLS files and the credentials."""
        faults = secret_faults({"password": values.get("username") is not None}, values)
        faults += [
            f"{name}: no file {values[name]}"
            for name in _FILES
            if values.get(name) is not None and not Path(values[name]).is_file()
        ]
        if (values.get("client_cert") is None) != (values.get("client_key") is None):
            faults.append("client_cert and client_key go together")
        if values.get("username") is None and values.get("client_cert") is None:
            faults.append("username is missing, or a client_cert instead of it")
        if values.get("tls") is False and values.get("host") not in _LOOPBACK:
            faults.append(f"tls must be true: {values.get('host')} is not this machine")
        if not faults:
            try:
                tls_context(values)
            except (OSError, ssl.SSLError) as error:
                faults.append(f"TLS files do not fit: {error}")
        return faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message. `correlation_id` says which filing, or which question, it is about."""

    body: bytes
    content_type: str
    correlation_id: str
    reply_to: str = ""
    headers: Mapping[str, Any] | None = None
    lasts_s: float | None = None
    """The broker drops it after so many seconds; None: never, and it survives the broker's restart."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A message as it came, with what the broker says of it."""

    body: bytes
    properties: Basic.Properties


class Amqp:
    """One connection to a broker, opened with the first call and again after it has ended."""

    def __init__(self, config: AmqpConfig) -> None:
        """Raises ConfigError where the files have changed since they were checked."""
        self._config = config
        values = msgspec.structs.asdict(config)
        try:
            self._tls = tls_context(values) if config.tls else None
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(f"TLS files do not fit: {error}") from error
        self._url = _url(config, values)
        self._connection: aiormq.Connection | None = None
        self._sending: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._questions: dict[str, asyncio.Future[Delivered]] = {}

    async def publish(self, exchange: str, routing_key: str, letter: Letter) -> None:
        """Returns once the broker has confirmed it: routed to a queue and, where it lasts, on its disk.

        Raises:
            Unavailable: in doubt; or no queue takes it.
        """
        async with self.in_time():
            await self._publish(exchange, routing_key, letter)

    async def ask(self, exchange: str, routing_key: str, body: bytes, content_type: str) -> Delivered:
        """Send a question and wait for its answer (direct reply-to). Raises Unavailable."""
        question = uuid.uuid4().hex
        answer: asyncio.Future[Delivered] = asyncio.get_running_loop().create_future()
        self._questions[question] = answer
        try:
            async with self.in_time():
                letter = Letter(
                    body=body,
                    content_type=content_type,
                    correlation_id=question,
                    reply_to=_REPLY_TO,
                    lasts_s=self._config.timeout_s,
                )
                await self._publish(exchange, routing_key, letter)
                return await answer
        finally:
            del self._questions[question]

    async def consume(self, queue: str, ahead: int, take: Callable[[Delivered], Awaitable[None]]) -> None:
        """Hand every message of the queue to `take`, one at a time, until cancelled.

        A message leaves the queue once `take` has returned; where it raises, the message stays there.

        Raises:
            Unavailable: the connection has ended, or the queue is gone.
        """
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        async with self.in_time():
            channel = await (await self._open()).channel()
            await channel.basic_qos(prefetch_count=ahead)
            closing = channel.closing
            channel.on_consumer_cancel_callbacks.add(lambda _: _ended(closing))
            await channel.basic_consume(queue, arrived.put)
        try:
            while True:
                message = await _first(arrived, closing, queue)
                await take(Delivered(message.body, message.header.properties))
                with _as_unavailable():
                    await channel.basic_ack(_tag(message))
        finally:
            with suppress(*_BROKEN, TimeoutError):
                async with asyncio.timeout(self._config.connect_timeout_s):
                    await channel.close()

    async def close(self) -> None:
        """Give the connection back. May be called twice."""
        connection, self._connection, self._sending = self._connection, None, None
        if connection is not None:
            with suppress(*_BROKEN):
                await connection.close()

    async def _publish(self, exchange: str, routing_key: str, letter: Letter) -> None:
        channel = await self._sending_channel()
        lasts = letter.lasts_s
        properties = Basic.Properties(
            content_type=letter.content_type,
            headers=dict(letter.headers) if letter.headers else None,
            delivery_mode=_PERSISTENT if lasts is None else 1,
            correlation_id=letter.correlation_id,
            reply_to=letter.reply_to or None,
            expiration=None if lasts is None else str(int(lasts * 1000)),
            message_id=uuid.uuid4().hex,
        )
        try:
            await channel.basic_publish(
                letter.body, exchange=exchange, routing_key=routing_key, properties=properties, mandatory=True
            )
        except aiormq.exceptions.PublishError as error:
            raise Unavailable(f"no queue of the broker takes {routing_key}") from error
        except aiormq.exceptions.DeliveryError as error:
            raise Unavailable("the broker did not confirm the message") from error

    async def _sending_channel(self) -> AbstractChannel:
        async with self._opening:
            channel = self._sending
            if channel is None or channel.is_closed:
                channel = await (await self._connect()).channel()
                await channel.basic_consume(_REPLY_TO, self._answered, no_ack=True)
                self._sending = channel
            return channel

    async def _open(self) -> aiormq.Connection:
        async with self._opening:
            return await self._connect()

    async def _connect(self) -> aiormq.Connection:
        if self._connection is None or self._connection.is_closed:
            connection = aiormq.Connection(self._url, context=self._tls)
            async with asyncio.timeout(self._config.connect_timeout_s):
                await connection.connect()
            self._connection = connection
        return self._connection

    async def _answered(self, message: DeliveredMessage) -> None:
        properties = message.header.properties
        question = self._questions.get(properties.correlation_id or "")
        if question is not None and not question.done():
            question.set_result(Delivered(message.body, properties))

    @asynccontextmanager
    async def in_time(self) -> AsyncIterator[None]:
        """What the block does ends within `timeout_s`, several calls together too. Raises Unavailable."""
        try:
            with _as_unavailable():
                async with asyncio.timeout(self._config.timeout_s):
                    yield
        except TimeoutError as error:
            raise Unavailable("the broker or the agency did not answer in time") from error


@contextmanager
def _as_unavailable() -> Iterator[None]:
    try:
        yield
    except TimeoutError:
        raise
    except _BROKEN as error:
        told = printable(str(error) or type(error).__name__)
        raise Unavailable(f"no connection to the broker: {told}") from error


async def _first(
    arrived: asyncio.Queue[DeliveredMessage], closing: asyncio.Future[Any], queue: str
) -> DeliveredMessage:
    getting = asyncio.ensure_future(arrived.get())
    try:
        await asyncio.wait((getting, closing), return_when=asyncio.FIRST_COMPLETED)
        if getting.done():
            return getting.result()
    finally:
        getting.cancel()
    raise Unavailable(f"the broker sends nothing more of the queue {queue}")


def _ended(closing: asyncio.Future[Any]) -> None:
    if not closing.done():
        closing.cancel()


def _tag(message: DeliveredMessage) -> int:
    tag = message.delivery_tag
    assert tag is not None, "a consumed message has a tag"
    return tag


def _url(config: AmqpConfig, values: Mapping[str, Any]) -> URL:
    password = secret("password", values)
    query = {"heartbeat": str(_HEARTBEAT_S)}
    if config.username is None:
        query["auth"] = "external"
    return URL.build(
        scheme="amqps" if config.tls else "amqp",
        user=config.username,
        password=password.reveal() if password else None,
        host=config.host,
        port=config.port,
        path="/" if config.vhost == "/" else "/" + config.vhost.replace("/", "%2F"),
        query=query,
    )
