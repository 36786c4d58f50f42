"""Papers in the whole gateway as a process: killed in between, none is lost or left over; memory has a bound."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import random
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import etree

import schemas
from adapters.simulator import Behaviour, Simulator
from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.development import Installation
from tests.documents import sign
from tests.house import FINAL, simulator_config
from tests.processes import Gateway, quick_installation

[KARAOKE] = [one for one in schemas.load_catalogue().descriptions() if one.form.code == "karaoke-licence"]
MEGA = 1_000_000


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    """Its tax authority leads karaoke licences too."""
    made = quick_installation(tmp_path)
    text = made.settings.read_text()
    made.settings.write_text(
        re.sub(r"^serves = .*$", 'serves = ["tax", "culture-sports-tourism"]', text, flags=re.MULTILINE)
    )
    return made


@pytest.fixture
def gateway(made: Installation) -> Iterator[Gateway]:
    with Gateway(made) as gateway:
        yield gateway


def dossier(made: Installation, name: str, sizes: list[int]) -> tuple[bytes, dict[str, bytes]]:
    """One of its own by `name`, with its three papers and as many more as there are sizes, each filled up."""
    code = str(made.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    document, contents = schemas.papers_apart(KARAOKE.example("passes.xml", tax_code=code))
    root, papers = etree.fromstring(document), {}
    next(root.iter("{*}tenCoSo")).text = name
    files = [file.element for file in schemas.attachments_of(root[0])]
    for _ in sizes[len(files) :]:
        files.append(copy.deepcopy(files[-1]))
        files[0].getparent().append(files[-1])
    seed, pdf = random.Random(name), next(iter(contents.values()))
    for number, (element, size) in enumerate(zip(files, sizes, strict=True)):
        paper = schemas.Paper.of(
            f"{name}-{number}.pdf", pdf + b"%" + seed.randbytes(size).hex().encode()[:size]
        )
        papers[paper.name] = paper.content
        element[1].text, element[3].text, element[4].text = paper.name, str(len(paper.content)), paper.sha256
    return sign(made.pki, etree.tostring(root), target_id="_NODE_TO_SIGN"), papers


def connection(made: Installation) -> Connection:
    beta = made.pki["provider-b"]
    return Connection(f"https://localhost:{made.ports.door}", beta.certificate, beta.key, made.pki.tls_ca)


async def send(client: GatewayClient, document: bytes, papers: dict[str, bytes]) -> str:
    """The same key again until there is an answer."""
    key = str(uuid.uuid4())
    for _ in range(2000):
        with contextlib.suppress(Unreachable):
            reply = await client.submit(document, key, papers)
            if reply.done:
                return str(reply.body["number"])
            assert reply.status >= 500, reply.body
        await asyncio.sleep(0.05)
    raise AssertionError("no answer for a long time")


async def final(client: GatewayClient, number: str) -> str:
    for _ in range(2000):
        with contextlib.suppress(Unreachable):
            status = str((await client.status(number)).body["status"])
            if status in FINAL:
                return status
        await asyncio.sleep(0.05)
    return "never"


async def test_a_killed_gateway_keeps_every_paper_of_what_it_acknowledged(
    made: Installation, gateway: Gateway
) -> None:
    chance = random.Random(11)
    config = simulator_config(made, Behaviour(verdict_delay_s=0.1, fail_rate=0.3), port=made.ports.agency)
    dossiers = [dossier(made, f"karaoke-{n}", [200_000, 300_000, 100_000]) for n in range(8)]
    async with Simulator(config) as authority, GatewayClient(connection(made)) as client:
        await gateway.start()
        numbers: list[str] = []
        for start in range(0, len(dossiers), 4):
            senders = [asyncio.create_task(send(client, *one)) for one in dossiers[start : start + 4]]
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            gateway.kill()
            await gateway.start()
            numbers += await asyncio.gather(*senders)
        for number, (_, papers) in zip(numbers, dossiers, strict=True):
            assert await final(client, number) == "accepted"
            listed = (await client.part(number, "attachments")).body["items"]
            assert {one["name"]: (await client._call("GET", one["link"])).octets for one in listed} == papers
            assert authority.books[number].papers == {one["name"]: one["digest"]["value"] for one in listed}
        assert sorted(authority.books) == sorted(numbers)
        assert await gateway.stop() == 0


async def test_a_hundred_megabytes_of_papers_take_bounded_memory(
    made: Installation, gateway: Gateway
) -> None:
    config = simulator_config(made, Behaviour(verdict_delay_s=0.1), port=made.ports.agency)
    made.settings.write_text(made.settings.read_text().replace("timeout_s = 1.5", "timeout_s = 30.0"))
    made.settings.write_text(made.settings.read_text().replace("lease_seconds = 4.0", "lease_seconds = 90.0"))
    document, papers = dossier(made, "karaoke", [19 * MEGA] * 5)
    async with Simulator(config) as authority, GatewayClient(connection(made)) as client:
        await gateway.start()
        assert gateway.process is not None
        worker = gateway.process.pid
        before = most_memory(worker)
        number = await send(client, document, papers)
        taken = most_memory(worker)
        assert await final(client, number) == "accepted"
        assert len(authority.books[number].papers) == 5
        sent = most_memory(worker)
    print(f"{before:.0f} MB before, {taken:.0f} taken in, {sent:.0f} sent")
    assert taken - before < 350
    assert sent - before < 350


def most_memory(pid: int) -> float:
    """The highest resident size so far, in megabytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1000
