"""The whole gateway as processes, killed at random moments: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.simulator import Behaviour, Simulator
from gateway.client.http import Connection, GatewayClient, Unreachable
from gateway.development import Installation
from tests.documents import signed
from tests.house import FINAL, simulator_config
from tests.processes import Gateway, children, quick_installation

PERIODS = [f"Q{quarter}/{year}" for year in (2022, 2023, 2024, 2025) for quarter in (1, 2, 3, 4)]


@dataclass
class Books:
    """The sender's own books: what was acknowledged, by idempotency key."""

    receipts: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    lost_answers: int = 0


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    return quick_installation(tmp_path)


@pytest.fixture
def serving(made: Installation) -> Iterator[Callable[[int], Gateway]]:
    with contextlib.ExitStack() as stack:
        yield lambda processes: stack.enter_context(Gateway(made, processes))


async def _send(client: GatewayClient, document: bytes, key: str, books: Books) -> None:
    """As a T-VAN's machine does it: the same key again until there is an answer."""
    for _ in range(2000):
        try:
            reply = await client.submit(document, key)
            if reply.done:
                receipt = await client.part(reply.body["number"], "receipt")
                if receipt.done:
                    books.receipts[key] = (str(reply.body["number"]), receipt.octets)
                    return
        except Unreachable:
            books.lost_answers += 1
        await asyncio.sleep(0.05)
    raise AssertionError("no answer for a long time")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("processes", [1, 2])
async def test_a_killed_gateway_loses_and_doubles_nothing(
    made: Installation, serving: Callable[[int], Gateway], processes: int, place: str
) -> None:
    made.settings.write_text(made.settings.read_text().replace("store/efile.sqlite", place))
    chance = random.Random(7)
    behaviour = Behaviour(verdict_delay_s=0.2, fail_rate=0.3, answer_twice=True)
    config = simulator_config(made, behaviour, port=made.ports.agency)
    beta = made.pki["provider-b"]
    connection = Connection(
        f"https://localhost:{made.ports.door}", beta.certificate, beta.key, made.pki.tls_ca
    )
    documents = [signed(made.pki, period=period) for period in PERIODS]
    books, gateway = Books(), serving(processes)
    async with Simulator(config) as authority, GatewayClient(connection) as client:
        await gateway.start()
        for start in range(0, len(documents), 4):
            senders = [
                asyncio.create_task(_send(client, document, str(uuid.uuid4()), books))
                for document in documents[start : start + 4]
            ]
            await asyncio.sleep(chance.uniform(0.0, 0.25))
            gateway.kill()
            await gateway.start()
            await asyncio.gather(*senders)
        for number, receipt in books.receipts.values():
            assert await _final(client, number) == "accepted"
            assert (await client.part(number, "receipt")).octets == receipt  # the same for ever
        assert await gateway.stop() == 0
        numbers = [number for number, _ in books.receipts.values()]
        assert len(set(numbers)) == len(documents)
        assert sorted(entry.number for entry in authority.books.values()) == sorted(numbers)


async def _final(client: GatewayClient, number: str) -> str:
    for _ in range(400):
        with contextlib.suppress(Unreachable):
            status = str((await client.status(number)).body["status"])
            if status in FINAL:
                return status
        await asyncio.sleep(0.05)
    return "never"


async def test_workers_end_with_their_supervisor_and_come_back_when_they_die(
    serving: Callable[[int], Gateway],
) -> None:
    gateway = serving(2)
    await gateway.start()
    assert gateway.process is not None
    workers = await children(gateway.process.pid, 2)
    subprocess.run(["kill", "-9", str(workers[0])], check=True)
    for _ in range(1200):
        await asyncio.sleep(0.05)
        now = await children(gateway.process.pid, 2)
        if workers[0] not in now:
            break
    else:
        raise AssertionError("the dead worker was not replaced")
    gateway.kill()
    for _ in range(1200):
        await asyncio.sleep(0.05)
        if not any(Path(f"/proc/{pid}").exists() for pid in now):
            return
    raise AssertionError("workers outlived their supervisor")


async def test_an_unusable_installation_says_all_that_is_wrong(made: Installation) -> None:
    made.settings.write_text(made.settings.read_text() + "\n[unknown]\nkey = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "serve", "--config", str(made.settings), "--processes", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "unknown" in done.stderr
    assert "Traceback" not in done.stderr


async def test_production_refuses_development_certificates(made: Installation) -> None:
    text = made.settings.read_text().replace('mode = "development"', 'mode = "production"')
    made.settings.write_text(text)
    made.pki["notice"].key.chmod(0o644)
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "serve", "--config", str(made.settings), "--processes", "1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("development certificate") > 5
    assert "readable by others" in done.stderr
