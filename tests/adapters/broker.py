"""A RabbitMQ of our own for tests: one process on loopback with TLS and a user, its data in a directory."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from certs_dev import DevPki
from tests.house import free_port

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
USER, PASSWORD = "efile", "mat-khau-cua-hang-doi"

_CONF = """\
listeners.tcp = none
listeners.ssl.1 = 127.0.0.1:{port}
ssl_options.cacertfile = {client_ca}
ssl_options.certfile = {cert}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
default_user = {user}
default_pass = {password}
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
max_message_size = {most}
log.console = false
"""


MOST_BYTES = 18 << 20
"""Of a message. RabbitMQ 4 takes 16 MiB; here an answer that no adapter takes must still come through."""

_shared: dict[Path, Broker] = {}


async def shared(pki: DevPki, home: Path) -> Broker:
    """One broker for all tests with this PKI that do not stop it, started with the first.

    Skips, loudly, where there is none."""
    if (reason := why_none()) is not None:
        pytest.skip(reason)
    if pki.directory not in _shared:
        broker = Broker(home, pki)
        await broker.start()
        _shared[pki.directory] = broker
    return _shared[pki.directory]


def end_shared() -> None:
    """After the last test."""
    while _shared:
        _shared.popitem()[1].kill()


def why_none() -> str | None:
    """Why no broker can be had here, or None."""
    missing = [
        str(path) for path in (SERVER, shutil.which("epmd") or Path("epmd")) if not Path(path).exists()
    ]
    return f"no {' and '.join(missing)} (Debian: rabbitmq-server)" if missing else None


class Broker:
    """`start` may be called again after `stop` or `kill`: what was durable is there again."""

    def __init__(self, home: Path, pki: DevPki) -> None:
        self.port = free_port()
        self._home = home
        self._epmd_port, self._distribution = free_port(), free_port()
        self._processes: list[subprocess.Popen[bytes]] = []
        home.mkdir(parents=True, exist_ok=True)
        server = pki["agency-server"]
        settings = {"port": self.port, "client_ca": pki.client_ca, "cert": server.chain, "key": server.key}
        conf = _CONF.format(**settings, user=USER, password=PASSWORD, most=MOST_BYTES)
        (home / "rabbitmq.conf").write_text(conf, encoding="utf-8")
        (home / "plugins").write_text("[].\n", encoding="utf-8")

    async def start(self) -> None:
        """Returns once it listens."""
        epmd = str(shutil.which("epmd"))
        address = ["-port", str(self._epmd_port), "-address", "127.0.0.1"]
        self._run([epmd, *address], "epmd.log")
        self._run([str(SERVER)], "server.log")
        async with asyncio.timeout(90):
            while not _listens(self.port):
                if self._processes[-1].poll() is not None:
                    raise RuntimeError((self._home / "server.log").read_text(encoding="utf-8"))
                await asyncio.sleep(0.2)

    def stop(self) -> None:
        """As an administrator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """As a power cut does."""
        self._end(signal.SIGKILL)

    def _run(self, command: list[str], log: str) -> None:
        with (self._home / log).open("ab") as file:
            process = subprocess.Popen(
                command, env=self._environment(), stdout=file, stderr=file, start_new_session=True
            )
        self._processes.append(process)

    def _end(self, how: signal.Signals) -> None:
        processes, self._processes = self._processes, []
        for process in reversed(processes):
            if process.poll() is None:
                os.killpg(process.pid, how if process is processes[-1] else signal.SIGTERM)
            process.wait(60)
        while _listens(self.port):  # the shell has ended, the server is about to
            time.sleep(0.05)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(self._home / "data"),
            "RABBITMQ_LOG_BASE": str(self._home / "log"),
            "RABBITMQ_CONFIG_FILE": str(self._home / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self._home / "plugins"),
            "RABBITMQ_PID_FILE": str(self._home / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1",
        }


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
