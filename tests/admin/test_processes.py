"""The door as an operator runs it: two processes behind one port, and a form of one taken by the other."""

from __future__ import annotations

import asyncio
import re
import shutil
import ssl
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from gateway.development import Ports, install
from tests.house import free_port
from tests.processes import Gateway

_CONNECTIONS = 24
"""The kernel deals connections out by chance: that all go to one process has odds of one in millions."""


async def test_forms_of_one_process_are_taken_by_the_other(tmp_path: Path, pki_home: Path) -> None:
    shutil.copytree(pki_home / "pki", tmp_path / "pki")
    made = install(
        tmp_path, at=datetime.now(UTC), ports=Ports(free_port(), free_port(), free_port(), free_port())
    )
    origin = f"https://localhost:{made.ports.admin}"
    context = ssl.create_default_context(cafile=str(made.pki.tls_ca))
    context.load_cert_chain(made.pki["admin"].certificate, made.pki["admin"].key)
    with Gateway(made, processes=2) as gateway:
        await gateway.start()
        async with asyncio.timeout(60):
            while (tmp_path / "gateway.log").read_text().count('"event": "ready"') < 2:
                await asyncio.sleep(0.05)
        connector = aiohttp.TCPConnector(ssl=context, force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            async with session.get(f"{origin}/console/agencies") as page:
                found = re.search(r'name="token" value="([0-9a-f]{64})"', await page.text())
            assert found is not None
            sent = {"token": found[1], "why": "x"}
            answers = []
            for n in range(_CONNECTIONS):
                act = "hold" if n % 2 == 0 else "release"
                address = f"{origin}/console/agencies/tax/{act}"
                headers = {"Origin": origin}
                async with session.post(address, data=sent, headers=headers, allow_redirects=False) as answer:
                    answers.append(answer.status)
        assert answers == [303] * _CONNECTIONS
        assert await gateway.stop() == 0
