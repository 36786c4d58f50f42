"""Papers beside a dossier through the whole gateway to a message queue: in pieces, put together again, once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters.simulator import Behaviour
from certs_dev import DevPki
from tests.adapters.broker import Broker, why_none
from tests.adapters.families.queue import authority_at, own_queues, queue_settings
from tests.delivery.test_papers import dossier
from tests.house import house_at

SIZES = [9_000_000, 14_000_000, 200_000]
"""Of papers: more than one piece, still more, and less than one."""


@pytest.fixture
async def broker(pki: DevPki, tmp_path: Path) -> AsyncIterator[Broker]:
    """One that this test alone kills."""
    if (reason := why_none()) is not None:
        pytest.skip(reason)
    own = Broker(tmp_path / "broker", pki)
    await own.start()
    yield own
    own.kill()


@pytest.mark.timeout(180)
async def test_a_dossier_arrives_whole_also_where_the_broker_is_killed_amid_its_pieces(
    tmp_path: Path, pki_home: Path, pki: DevPki, broker: Broker
) -> None:
    queues = own_queues()
    tax = {
        "adapter": "queue",
        "config": queue_settings(pki, tmp_path, broker.port, queues),
        "serves": ("tax", "culture-sports-tourism"),
    }
    async with (
        authority_at(pki, broker.port, queues, Behaviour(verdict_delay_s=0)) as authority,
        house_at(tmp_path / "h", pki_home, tax=tax) as house,
        house.client() as client,
    ):
        sent = {}
        for name, killed in (("undisturbed", False), ("killed", True)):
            document, papers = dossier(house.installation, name, SIZES)
            reply = await client.submit(document, name, papers)
            assert reply.status == 201, reply.body
            number = str(reply.body["number"])
            sent[number] = (document, papers)
            if killed:
                async with asyncio.timeout(20):
                    while not [key for key, _ in authority._pieces if key == number]:
                        await asyncio.sleep(0)
                broker.kill()
                assert number not in authority.books, "half of it counts"
                await broker.start()
            assert (await house.follow(client, number))["status"] == "accepted"
        assert set(authority.books) == set(sent)
        for number, (document, papers) in sent.items():
            entry = authority.books[number]
            assert entry.digest == hashlib.sha256(document).hexdigest()
            assert entry.papers == {name: hashlib.sha256(one).hexdigest() for name, one in papers.items()}
