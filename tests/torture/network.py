"""Nodes in network namespaces of their own, each with a link to the world and one to the database that can be cut."""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

LINKS = ("world", "database")
_CLONE_NEWNET = 0x40000000  # sched.h


@cache
def missing() -> str | None:
    """What namespaces need and is not here."""
    if not shutil.which("ip") or not shutil.which("tc"):
        return "ip and tc (Debian: iproute2)"
    probe = f"efile-probe-{os.getpid()}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode:
        return "the right to make network namespaces (root, or CAP_SYS_ADMIN and CAP_NET_ADMIN)"
    _do("ip", "netns", "del", probe)
    return None


@dataclass(frozen=True)
class Host:
    """A namespace; of each link, the device on our side, our address there, and the namespace's."""

    name: str
    links: dict[str, tuple[str, str, str]]

    @property
    def within(self) -> tuple[str, ...]:
        """The command that runs another in it."""
        return ("ip", "netns", "exec", self.name)

    def cut(self, link: str) -> None:
        """What is sent either way disappears; nobody is told."""
        for side in self._sides(link):
            _do(*side[0], "tc", *side[1], "qdisc", "replace", "dev", side[2], "root", "pfifo", "limit", "0")

    def mend(self, link: str) -> None:
        for side in self._sides(link):
            _do(*side[0], "tc", *side[1], "qdisc", "del", "dev", side[2], "root")

    def connected(self, port: int) -> socket.socket:
        """A connection to its own loopback, from within."""
        made: list[socket.socket] = []

        def connect() -> None:
            with open(f"/var/run/netns/{self.name}") as namespace, suppress(OSError):
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
                made.append(socket.create_connection(("127.0.0.1", port), timeout=5))

        thread = threading.Thread(target=connect)  # it alone is there, and goes
        thread.start()
        thread.join()
        if not made:
            raise ConnectionRefusedError(self.name)
        return made[0]

    def _sides(self, link: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...]:
        return (((), (), self.links[link][0]), ((), ("-n", self.name), link))

    @classmethod
    @contextmanager
    def made(cls, index: int, network: str) -> Iterator[Host]:
        """`network`: the first three octets of addresses that nobody here uses. In it, "localhost" is we."""
        name = f"efile-{os.getpid()}-{index}"
        hosts = Path("/etc/netns") / name / "hosts"
        links: dict[str, tuple[str, str, str]] = {}
        try:
            _do("ip", "netns", "add", name)
            _do("ip", "-n", name, "link", "set", "lo", "up")
            for place, link in enumerate(LINKS):
                base = 16 * index + 4 * place
                ours, device = f"ef{os.getpid()}{link[0]}{index}", link
                addresses = f"{network}.{base + 1}", f"{network}.{base + 2}"
                _do("ip", "link", "add", ours, "type", "veth", "peer", "name", device, "netns", name)
                _do("ip", "addr", "add", f"{addresses[0]}/30", "dev", ours)
                _do("ip", "-n", name, "addr", "add", f"{addresses[1]}/30", "dev", device)
                _do("ip", "link", "set", ours, "up")
                _do("ip", "-n", name, "link", "set", device, "up")
                links[link] = (ours, *addresses)
            hosts.parent.mkdir(parents=True)
            hosts.write_text(f"{links['world'][1]} localhost\n")
            yield cls(name, links)
        finally:
            for ours, *_ in links.values():
                subprocess.run(["ip", "link", "del", ours], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
            shutil.rmtree(hosts.parent, ignore_errors=True)


@contextmanager
def hosts(count: int) -> Iterator[tuple[list[Host], str]]:
    """So many, and the network that they are in."""
    network = _free_network()
    with ExitStack() as stack:
        yield [stack.enter_context(Host.made(index, network)) for index in range(count)], network


def _free_network() -> str:
    """Of 198.18.0.0/15, which is for trials (RFC 2544), one in which nobody here has an address."""
    told = json.loads(subprocess.run(["ip", "-j", "addr"], check=True, capture_output=True).stdout)
    used = {one["local"].rpartition(".")[0] for device in told for one in device.get("addr_info", ())}
    start = os.getpid() % 256
    return next(
        found
        for octet in itertools.chain(range(start, 256), range(start))
        if (found := f"198.18.{octet}") not in used
    )


def _do(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)


@dataclass
class Relay:
    """A TCP balancer: each connection goes to the next target that answers."""

    targets: Sequence[tuple[str, int]]
    _servers: list[asyncio.Server] = field(default_factory=list)
    _turn: int = 0

    async def listen(self, host: str, port: int) -> None:
        self._servers.append(await asyncio.start_server(self._serve, host, port))

    async def close(self) -> None:
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            for _ in self.targets:
                self._turn += 1
                with suppress(OSError, TimeoutError):
                    async with asyncio.timeout(0.5):
                        there = await asyncio.open_connection(*self.targets[self._turn % len(self.targets)])
                    await _joined((reader, writer), there)
                    break
        writer.close()


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def _joined(here: Ends, there: Ends) -> None:
    """Until either side ends."""
    pumps = [asyncio.create_task(_pump(*ends)) for ends in ((here[0], there[1]), (there[0], here[1]))]
    try:
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for pump in pumps:
            pump.cancel()
        there[1].transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while octets := await reader.read(65536):
            writer.write(octets)
            await writer.drain()
