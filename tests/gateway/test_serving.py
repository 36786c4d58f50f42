"""`efile serve` as processes: logs that cannot be written, ports that are taken, workers that hang or cannot start."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

import schemas
import schemas.catalogue
from adapters.simulator import Behaviour, Simulator
from gateway.app import running
from gateway.cli import serve
from gateway.cli.serve import half_of_the_cores
from gateway.client.http import Connection, GatewayClient
from gateway.development import Installation
from gateway.errors import ConfigurationError
from gateway.settings import load_settings
from schemas.forms import LoadedForm
from schemas.loading import CatalogueFiles, FormKey
from tests.documents import signed
from tests.house import simulator_config
from tests.processes import Gateway, children, quick_installation
from tests.schemas.conftest import copy_of_catalogue


@pytest.fixture
def made(tmp_path: Path) -> Installation:
    return quick_installation(tmp_path)


@pytest.fixture
def gateway(made: Installation) -> Iterator[Gateway]:
    with Gateway(made) as one:
        yield one


def client(made: Installation) -> GatewayClient:
    beta = made.pki["provider-b"]
    url = f"https://localhost:{made.ports.door}"
    return GatewayClient(Connection(url, beta.certificate, beta.key, made.pki.tls_ca))


def serve_once(made: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "gateway.cli",
        "serve",
        "--config",
        str(made.settings),
        *(() if "--processes" in arguments else ("--processes", "1")),
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


async def test_a_log_that_cannot_be_written_stops_nothing(made: Installation, gateway: Gateway) -> None:
    """Whoever read the log has gone: deliveries go on, and so does the reading of revocation lists."""
    text = made.settings.read_text().replace("[trust]\n", "[trust]\nrefresh_seconds = 0.2\n")
    made.settings.write_text(text)
    collector, log = os.pipe()
    await gateway.start(log)
    os.close(log)
    os.close(collector)
    authority = Simulator(simulator_config(made, Behaviour(verdict_delay_s=0.05), port=made.ports.agency))
    async with client(made) as sender:
        number = (await sender.submit(signed(made.pki))).body["number"]
        os.utime(made.pki.client_crl)
        await asyncio.sleep(1.0)  # attempts fail, lists are read again: both are logged
        async with authority:
            for _ in range(100):
                status = (await sender.status(number)).body["status"]
                if status == "accepted":
                    break
                await asyncio.sleep(0.05)
            assert status == "accepted"
        made.pki.revoke("provider-b", datetime.now(UTC))
        await asyncio.sleep(1.0)
        refused = await sender.status(number)
        assert (refused.status, refused.body["reason"]) == (403, "revoked")
    assert await gateway.ready() == 200
    assert await gateway.stop() == 0


async def test_an_unfit_installation_ends_all_processes(made: Installation) -> None:
    text = made.settings.read_text().replace("identities/notice/key", "identities/taxpayer/key")
    made.settings.write_text(text)
    done = serve_once(made, "--processes", "2")
    assert done.returncode == 2
    assert done.stderr.count("configuration:") == 1
    assert "Traceback" not in done.stderr


async def test_a_second_gateway_on_the_same_port_does_not_start(
    made: Installation, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.start()
    second = await asyncio.to_thread(serve_once, made)
    assert second.returncode == 2
    assert "address already in use" in second.stderr.lower()
    monkeypatch.setattr(serve, "_PORT_SECONDS", 0.0)
    with pytest.raises(ConfigurationError, match="in use"):
        serve._require_free_ports(load_settings(made.settings), "all")
    assert await gateway.stop() == 0
    serve._require_free_ports(load_settings(made.settings), "all")


async def test_a_worker_that_hangs_is_replaced(made: Installation) -> None:
    command = [sys.executable, "-m", "gateway.cli", "serve", "--config", str(made.settings), "--worker"]
    script = "import sys; from gateway import supervisor; supervisor._HUNG_SECONDS = 3.0; sys.exit("
    script += "supervisor.supervise(sys.argv[1:], 2, 10.0))"
    parent = subprocess.Popen([sys.executable, "-c", script, *command], stderr=subprocess.DEVNULL)
    try:
        hung, other = await children(parent.pid, 2)
        await asyncio.sleep(3.0)  # both are ready
        os.kill(hung, signal.SIGSTOP)
        for _ in range(300):
            await asyncio.sleep(0.05)
            now = await children(parent.pid, 2)
            if hung not in now:
                break
        assert hung not in now
        assert other in now
    finally:
        parent.terminate()
        assert await asyncio.to_thread(parent.wait, 30) == 0


@pytest.fixture
def collecting() -> Iterator[None]:
    """The garbage collector as it was, afterwards."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


@pytest.mark.usefixtures("collecting")
async def test_forms_that_nobody_has_filed_are_made_ready_beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "_FORM_PAUSE_SECONDS", 0.0)
    catalogue = schemas.open_catalogue()
    await serve._prepare_forms(lambda: catalogue)
    assert not catalogue.prepare_one()


async def test_no_form_is_loaded_on_the_event_loop(
    made: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first small filing of a form comes before it is made ready."""
    loaded_by: list[int] = []
    load = CatalogueFiles.load

    def seen(files: CatalogueFiles, key: FormKey) -> Mapping[FormKey, LoadedForm]:
        loaded_by.append(threading.get_ident())
        return load(files, key)

    monkeypatch.setattr(CatalogueFiles, "load", seen)
    monkeypatch.setattr(schemas.catalogue, "_kept", {})
    async with running(load_settings(made.settings)), client(made) as provider:
        assert (await provider.check(signed(made.pki))).body["verdict"] == "acknowledged"
    assert len(loaded_by) == 1
    assert threading.get_ident() not in loaded_by


@pytest.mark.usefixtures("collecting")
async def test_a_form_of_its_own_that_is_damaged_ends_it(
    made: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody serves with a broken installation for long; a catalogue of others is refused at the start."""
    folder = copy_of_catalogue(tmp_path / "catalogue", "830", "842")
    rules = folder / "tax/830-2.8.3/rules.toml"
    rules.write_text(rules.read_text("utf-8").replace("[[rule]]", "[[rules]]"), "utf-8")
    settings = load_settings(made.settings)
    settings = replace(settings, catalogue=replace(settings.catalogue, directory=folder))
    with pytest.raises(ConfigurationError, match=r"830-2.8.3/rules.toml"):
        await serve._serve(settings, "all", worker=False)
    monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", folder)
    async with asyncio.timeout(60):
        assert await serve._serve(settings, "all", worker=False) == 1


def test_half_of_the_cores_serve_unless_said_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, processes in ((1, 1), (2, 1), (3, 2), (8, 4)):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        assert half_of_the_cores() == processes
