"""A whole house for a test: gateway, store, simulated tax authority, clients; real TLS over loopback."""

from __future__ import annotations

import asyncio
import random
import shutil
import socket
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from msgspec.structs import replace

import certs_dev
from adapters.simulator import Behaviour, Simulator, SimulatorConfig
from gateway.app import Running, running
from gateway.client.http import Connection, GatewayClient
from gateway.clock import clock
from gateway.development import Installation, Ports, install
from gateway.ports import Clock
from gateway.settings import AgencySettings, Settings, load_settings

_CHANCE = random.SystemRandom()
FINAL = ("accepted", "rejected", "refused")


@dataclass(frozen=True)
class Speaks:
    """A kind of adapter, the path at which the simulated authority speaks it, and settings of the kind's own."""

    adapter: str = "rest"
    path: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    poll_seconds: float = 0.2


@dataclass
class House:
    """`beta` may file without its own signature, `alpha` must sign beside the taxpayer."""

    installation: Installation
    settings: Settings
    gateway: Running
    simulator: Simulator
    agencies: dict[str, Simulator]
    """Further agencies, by the identifier of their back-end."""

    @property
    def pki(self) -> certs_dev.DevPki:
        return self.installation.pki

    @property
    def url(self) -> str:
        return f"https://localhost:{self.gateway.port}"

    def connection(self, who: str = "provider-b") -> Connection:
        identity = self.pki[who]
        return Connection(self.url, identity.certificate, identity.key, self.pki.tls_ca)

    def client(self, who: str = "provider-b") -> GatewayClient:
        return GatewayClient(self.connection(who))

    async def follow(
        self, client: GatewayClient, number: str, *, until: tuple[str, ...] = FINAL
    ) -> dict[str, Any]:
        """The filing once its status is one of `until`."""
        async with asyncio.timeout(20):
            while True:
                body = (await client.status(number)).body
                if body["status"] in until:
                    return body
                await asyncio.sleep(0.02)


@asynccontextmanager
async def house_at(
    directory: Path,
    pki_home: Path,
    *,
    now: Clock = clock,
    behaviour: Behaviour | None = None,
    serves: Mapping[str, Sequence[str]] | None = None,
    speaks: Speaks | None = None,
    tax: Mapping[str, Any] | None = None,
    **changes: Any,
) -> AsyncIterator[House]:
    """A house in `directory`, with a copy of the PKI; `changes` replace fields of the settings' parts by name
    (`door={"body_seconds": 1}`). `serves`: a simulated agency more for each, and which ones of the directory it is.
    `speaks`: how the gateway speaks with the tax authority, where not by `rest`. `tax`: fields of the back-end that is
    the tax authority, where another takes the place of the simulated one."""
    if not (directory / "pki").exists():
        shutil.copytree(pki_home / "pki", directory / "pki")
    with reserved_port() as port:
        made = install(directory, at=datetime.now(UTC), ports=Ports(port, 0, 1))
        async with AsyncExitStack() as stack:
            authority = await stack.enter_async_context(Simulator(simulator_config(made, behaviour)))
            settings = _settings(made, authority.url, speaks or Speaks(), changes)
            agencies = {name: await stack.enter_async_context(_plain_simulator()) for name in serves or {}}
            more = [_agency(name, agencies[name].url, served) for name, served in (serves or {}).items()]
            settings = replace(settings, agency=(replace(settings.agency[0], **(tax or {})), *more))
            gateway = await stack.enter_async_context(running(settings, now=now, share_ports=True))
            while await asyncio.to_thread(gateway.catalogue().prepare_one):  # once a process
                pass
            yield House(made, settings, gateway, authority, agencies)


def _plain_simulator() -> Simulator:
    """An agency that is asked for its verdict and never calls back."""
    return Simulator(SimulatorConfig(behaviour=Behaviour(verdict_delay_s=0.05, callback=False)))


def _agency(name: str, url: str, serves: Sequence[str]) -> AgencySettings:
    return AgencySettings(
        id=name, name=name, adapter="rest", serves=tuple(serves), config={"base_url": url, "timeout_s": 5.0},
        poll_seconds=0.1, breaker_seconds=0.2,
    )  # fmt: skip


def free_port() -> int:
    """A port that is free now, for a process of its own: none of those that clients get meanwhile."""
    while True:
        port = _CHANCE.randrange(15_000, 32_000)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port


def simulator_config(
    made: Installation, behaviour: Behaviour | None = None, port: int = 0
) -> SimulatorConfig:
    """The simulated authority of an installation, deciding at once."""
    agency, client = made.pki["agency-server"], made.pki["agency-tax"]
    return SimulatorConfig(
        port=port,
        tls_cert=agency.chain,
        tls_key=agency.key,
        client_ca=made.pki.client_ca,
        callback=f"https://localhost:{made.ports.door}/v1/callbacks/verdicts",
        callback_ca=made.pki.tls_ca,
        callback_cert=client.certificate,
        callback_key=client.key,
        behaviour=behaviour or Behaviour(verdict_delay_s=0.05),
    )


def _settings(made: Installation, agency_url: str, speaks: Speaks, changes: dict[str, Any]) -> Settings:
    settings = load_settings(made.settings)
    (agency,) = settings.agency
    url = agency_url.replace("127.0.0.1", "localhost") + speaks.path
    config = {**agency.config, "base_url": url, "timeout_s": 5.0, **speaks.config}
    fast = {"first_retry_seconds": 0.05, "most_retry_seconds": 0.5, "idle_poll_seconds": 0.05}
    settings = replace(
        settings,
        agency=(
            replace(
                agency,
                adapter=speaks.adapter,
                config=config,
                poll_seconds=speaks.poll_seconds,
                breaker_seconds=0.2,
            ),
        ),
        delivery=replace(settings.delivery, **fast),
    )
    parts = {
        name: replace(getattr(settings, name), **fields) if isinstance(fields, dict) else fields
        for name, fields in changes.items()
    }
    return replace(settings, **parts)


@contextmanager
def reserved_port() -> Iterator[int]:
    """A free port that nobody else gets meanwhile; the gateway shares it (SO_REUSEPORT)."""
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))
        yield reserved.getsockname()[1]
