"""What is tortured: one machine on SQLite, one on a PostgreSQL pair, two nodes in networks that can be cut."""

from __future__ import annotations

import asyncio
import http.client
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random

from adapters.simulator import Behaviour, Simulator
from gateway.development import Installation
from tests.house import simulator_config
from tests.postgres import Cluster
from tests.processes import Gateway, quick_installation
from tests.torture import clock, disk, harms, network
from tests.torture.clock import Clock
from tests.torture.disk import SmallDisk
from tests.torture.harms import JUMPS, PROCESSES, Database, FullDisk, Harm, Machine, Nodes
from tests.torture.network import Host, Relay
from tests.torture.pair import Pair
from tests.torture.senders import EARLIER, Books

SCENES = ("sqlite", "postgresql", "nodes")
_STORE_MEGABYTES = 512
_SERVER_MEGABYTES = 1024


@dataclass
class Scene:
    """A gateway, or several, behind the door's port; the agency; and what can be done to them. `missing`: what cannot
    be done here, and what it would need."""

    made: Installation
    authority: Simulator
    gateways: Sequence[Gateway]
    harms: list[Harm]
    books: Books
    jumps: Sequence[int]
    missing: dict[str, str] = field(default_factory=dict)


@asynccontextmanager
async def scene(name: str, chance: Random, jumps: Sequence[int] = JUMPS) -> AsyncIterator[Scene]:
    """One of SCENES, serving. `jumps`: of its clocks."""
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="efile-torture-")))
        made = quick_installation(home, datetime.now(UTC) - EARLIER)
        behaviour = Behaviour(verdict_delay_s=0.2, fail_rate=0.3, answer_twice=True)
        config = simulator_config(made, behaviour, port=made.ports.agency)
        authority = await stack.enter_async_context(Simulator(config))
        set_up = {"sqlite": _on_sqlite, "postgresql": _on_postgresql, "nodes": _nodes}[name]
        one = Scene(made, authority, [], [], Books(), jumps)
        await set_up(one, chance, stack)
        yield one
        await asyncio.gather(*(gateway.stop() for gateway in one.gateways))


class Workshop:
    """Small disks and clocks, where they can be had; what they are for and what they would need, where not."""

    def __init__(self, one: Scene, stack: AsyncExitStack) -> None:
        self._one = one
        self._stack = stack

    def disk(self, harm: str, folder: Path, megabytes: int) -> SmallDisk | None:
        if needed := disk.missing():
            self._one.missing[harm] = needed
            folder.mkdir(parents=True, exist_ok=True)
            return None
        return self._stack.enter_context(SmallDisk.mounted(folder, megabytes))

    def clock(self, harm: str) -> Clock | None:
        if needed := clock.missing():
            self._one.missing[harm] = needed
            return None
        return self._stack.enter_context(Clock.made())


FULL_STORE, FULL_BODIES, FULL_SERVER = (
    f"full disk under {what}" for what in ("the store", "the bodies", "PostgreSQL")
)
JUMP, SERVER_JUMP = "the gateway's clock jumps", "PostgreSQL's clock jumps"


async def _on_sqlite(one: Scene, chance: Random, stack: AsyncExitStack) -> None:
    """Every body lies in the folder, on a disk of its own."""
    home, shop = one.made.directory, Workshop(one, stack)
    with one.made.settings.open("a") as settings:
        settings.write('\n[bodies]\nfolder = "bodies"\nover_bytes = 1\n')
    disks = {
        FULL_STORE: shop.disk(FULL_STORE, home / "store", _STORE_MEGABYTES),
        FULL_BODIES: shop.disk(FULL_BODIES, home / "bodies", _STORE_MEGABYTES),
    }
    wall = shop.clock(JUMP)
    gateway = stack.enter_context(Gateway(one.made, PROCESSES, environment=wall and wall.environment))
    await gateway.start()
    one.gateways = [gateway]
    one.harms = Machine(gateway, chance).harms()
    for name, small in disks.items():
        if small is not None:
            one.harms.append(Harm(name, FullDisk(small, gateway, one.books), beside=True))
    if wall is not None:
        of_gateway = partial(harms.clock_of, gateway)
        one.harms.append(Harm(JUMP, partial(harms.jumping, wall, of_gateway, one.jumps, chance), beside=True))


async def _on_postgresql(one: Scene, chance: Random, stack: AsyncExitStack) -> None:
    """Two servers, each on a disk of its own; a clock for them and another for the gateway."""
    shop = Workshop(one, stack)
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="efile-pair-")))
    folder.chmod(0o755)
    homes = (folder / "a", folder / "b")
    disks = {home: shop.disk(FULL_SERVER, home, _SERVER_MEGABYTES) for home in homes}
    walls = {name: shop.clock(name) for name in (JUMP, SERVER_JUMP)}
    of_servers, of_gateway = walls[SERVER_JUMP], walls[JUMP]
    pair = stack.enter_context(Pair.made(homes, of_servers.environment if of_servers else {}))
    gateway = Gateway(one.made, PROCESSES, pair.url, environment=of_gateway and of_gateway.environment)
    await stack.enter_context(gateway).start()
    one.gateways = [gateway]
    one.harms = Machine(gateway, chance).harms(short=False) + Database(pair, gateway, one.books).harms()

    async def full() -> str:
        small = disks[pair.primary.home]
        assert small is not None
        return await FullDisk(small, gateway, one.books, pair.revive)()

    async def time_of_server() -> float | None:
        return await harms.clock_of_database(pair.primary)

    if all(disks.values()):
        one.harms.append(Harm(FULL_SERVER, full, beside=True))
    if of_gateway is not None:
        time_of = partial(harms.clock_of, gateway)
        jumping = partial(harms.jumping, of_gateway, time_of, one.jumps, chance)
        one.harms.append(Harm(JUMP, jumping, beside=True, short=False))
    if of_servers is not None:
        jumping = partial(harms.jumping, of_servers, time_of_server, one.jumps, chance)
        one.harms.append(Harm(SERVER_JUMP, jumping, beside=True))


class NodeGateway(Gateway):
    """A gateway in a namespace, asked from within."""

    def __init__(self, made: Installation, store: str, host: Host, settings: Path) -> None:
        super().__init__(made, 1, store, settings=settings, within=host.within)
        self._host = host

    async def told(self) -> tuple[int, str]:
        return await asyncio.to_thread(self._asked)

    def _asked(self) -> tuple[int, str]:
        try:
            with self._host.connected(self._made.ports.health) as line:
                connection = http.client.HTTPConnection("127.0.0.1", timeout=5)
                connection.sock = line
                connection.request("GET", "/readyz")
                answer = connection.getresponse()
                return answer.status, answer.getheader("Date", "")
        except (OSError, http.client.HTTPException):
            return 0, ""


async def _nodes(one: Scene, chance: Random, stack: AsyncExitStack) -> None:
    """Two hosts; a balancer between the senders and them, and one between them and the agency. They know nothing of
    each other but what stands in the database."""
    if needed := network.missing():
        one.missing["two nodes in network namespaces"] = needed
        return
    found, net = stack.enter_context(network.hosts(2))
    ports = one.made.ports
    addresses = ["127.0.0.1", *(host.links["database"][1] for host in found)]
    cluster = stack.enter_context(Cluster.made(f"listen_addresses={','.join(addresses)}"))
    cluster.let_in(f"{net}.0/24")
    balancer = Relay([(host.links["world"][2], ports.door) for host in found])
    agency = Relay([("127.0.0.1", ports.agency)])
    await balancer.listen("127.0.0.1", ports.door)
    stack.push_async_callback(balancer.close)
    stack.push_async_callback(agency.close)
    for host in found:
        await agency.listen(host.links["world"][1], ports.agency)
    gateways: list[Gateway] = []
    for host in found:
        settings = one.made.directory / f"{host.name}.toml"
        text = one.made.settings.read_text()
        settings.write_text(text.replace("[door]\n", f'[door]\nhost = "{host.links["world"][2]}"\n'))
        store = f"postgresql://efile@{host.links['database'][1]}:{cluster.port}/postgres"
        gateways.append(stack.enter_context(NodeGateway(one.made, store, host, settings)))
        await gateways[-1].start()
    one.gateways = gateways
    one.harms = Nodes(found, gateways, chance).harms()
