"""Kind "queue": AMQP 0-9-1 over TLS, a real RabbitMQ between the gateway and the simulated authority."""

from __future__ import annotations

import ssl
import tempfile
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters import Adapter, open_adapter
from adapters.simulator import Behaviour
from adapters.simulator.queue import QueueAuthority, Queues
from certs_dev import DevPki
from tests.adapters import broker
from tests.adapters.families import POSTED, Family

NOBODYS = Queues()


def queue_settings(
    pki: DevPki, directory: Path, port: int = 1, queues: Queues = NOBODYS, **more: Any
) -> dict[str, Any]:
    client = pki["gateway-client"]
    password = directory / "queue-password"
    password.write_text(broker.PASSWORD + "\n", encoding="utf-8")
    return {
        "host": "localhost",
        "port": port,
        "ca_file": str(pki.tls_ca),
        "client_cert": str(client.chain),
        "client_key": str(client.key),
        "username": broker.USER,
        "password_file": str(password),
        "routing_key": queues.filings,
        "reply_queue": queues.replies,
        "dead_letter_queue": queues.dead_letters,
        "sender_code": "SLA",
        "receiver_code": "CQT",
        "timeout_s": 5.0,
        "connect_timeout_s": 2.0,
        **more,
    }


def authority_at(pki: DevPki, port: int, queues: Queues, behaviour: Behaviour) -> QueueAuthority:
    context = ssl.create_default_context(cafile=pki.tls_ca)
    context.load_cert_chain(pki["agency-tax"].chain, pki["agency-tax"].key)
    url = f"amqps://{broker.USER}:{broker.PASSWORD}@localhost:{port}/?heartbeat=20"
    return QueueAuthority(url, context, behaviour, queues=queues)


def own_queues() -> Queues:
    """Of this test alone."""
    name = uuid.uuid4().hex
    return Queues(filings=f"{name}.in", replies=f"{name}.out", dead_letters=f"{name}.dead")


@asynccontextmanager
async def start(
    pki: DevPki, directory: Path, patience: float
) -> AsyncIterator[tuple[Adapter, QueueAuthority]]:
    shared = await broker.shared(pki, Path(tempfile.mkdtemp(prefix="broker-", dir=directory.parent)))
    queues = own_queues()
    async with authority_at(pki, shared.port, queues, Behaviour(verdict_delay_s=0)) as authority:
        adapter = open_adapter(
            "queue", queue_settings(pki, directory, shared.port, queues, timeout_s=patience)
        )
        try:
            yield adapter, authority
        finally:
            await adapter.close()


FAMILY = Family(
    kind="queue", start=start, settings=queue_settings, secrets=("password_file",), lacks={**POSTED}
)
