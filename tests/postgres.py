"""A PostgreSQL for tests: a throw-away cluster on a loopback port, run by an unprivileged user, ended with the tests.

`EFILE_TEST_POSTGRES` names another server instead, as the URL of a role that may create databases.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from gateway.store.postgres import migrated
from tests.house import free_port

ELSEWHERE = "EFILE_TEST_POSTGRES"
_DEBIAN = Path("/usr/lib/postgresql")
_TEMPLATE = "efile_template"


@dataclass
class Cluster:
    """A server of our own, with all that makes it durable on; it ends with this process."""

    home: Path
    port: int
    options: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @classmethod
    @contextmanager
    def made(
        cls, *options: str, home: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> Iterator[Cluster]:
        """A fresh one, serving; in an empty folder of its own, or in `home`."""
        with cls._at_home(options, home, environment) as cluster:
            _run("initdb", "-D", cluster.data, "-U", "efile", "-A", "trust", "-E", "UTF8", "--no-locale")
            cluster.start()
            yield cluster

    @classmethod
    @contextmanager
    def standby_of(cls, primary: Cluster, home: Path | None = None) -> Iterator[Cluster]:
        """A copy of `primary` that follows it."""
        with cls._at_home(primary.options, home, primary.environment) as cluster:
            cluster.follow(primary)
            yield cluster

    @classmethod
    @contextmanager
    def _at_home(
        cls, options: tuple[str, ...], home: Path | None, environment: Mapping[str, str] | None
    ) -> Iterator[Cluster]:
        folder = home or Path(tempfile.mkdtemp(prefix="efile-postgres-"))
        _give(folder)
        cluster = cls(folder, free_port(), options, environment or {})
        try:
            yield cluster
        finally:
            cluster.stop(signal.SIGQUIT)
            if home is None:
                shutil.rmtree(folder, ignore_errors=True)

    def follow(self, primary: Cluster) -> None:
        """Become a copy of `primary`, whatever was here before."""
        shutil.rmtree(self.data, ignore_errors=True)
        _run("pg_basebackup", "-D", self.data, "-R", "-X", "stream", "-c", "fast", "-d", primary.url)
        self.start()

    @property
    def data(self) -> str:
        return str(self.home / "data")

    def let_in(self, network: str) -> None:
        """Trust whoever comes from these addresses too."""
        with (self.home / "data" / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {network} trust\n")
        self.ask("SELECT pg_reload_conf()")

    def promote(self) -> None:
        """A standby becomes the primary."""
        _run("pg_ctl", "promote", "-D", self.data)

    def ask(self, sql: str) -> str:
        """What it answers to one statement; "" to none of its rows."""
        return _run("psql", "-X", "-A", "-t", "-d", self.url, "-c", sql).strip()

    @property
    def url(self) -> str:
        return f"postgresql://efile@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        said = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "64MB",
            "max_connections": "100",
        } | dict(option.split("=", 1) for option in self.options)
        settings = [word for name, value in said.items() for word in ("-c", f"{name}={value}")]
        command = [_program("postgres"), "-D", self.data, *settings]
        with (self.home / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*_unprivileged(), *command], stdout=log, stderr=log, env={**os.environ, **self.environment}
            )
        for _ in range(600):
            ready = [_program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
            if subprocess.run(ready, check=False).returncode == 0:
                return
            assert self.process.poll() is None, (self.home / "log").read_text()[-2000:]
            time.sleep(0.1)
        raise AssertionError((self.home / "log").read_text()[-2000:])

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: at once but in order; SIGQUIT: as if the machine had lost its power, but for the disk."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(60)

    def restart(self, how: signal.Signals = signal.SIGINT) -> None:
        self.stop(how)
        self.start()


def require_postgres() -> None:
    """Skip, and say what is missing, where there is no server to be had."""
    if not _DEBIAN.exists():
        pytest.skip(f"MISSING: postgresql (Debian's package; sh tests/tools.sh postgres), or {ELSEWHERE}")


async def fresh_database(server: str) -> str:
    """The URL of an empty database of the newest schema, copied from one that is migrated once."""
    connection = await asyncpg.connect(server)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(1)")
            exists = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _TEMPLATE)
        if not exists:
            await connection.execute(f"CREATE DATABASE {_TEMPLATE}")
            await migrated(_database(server, _TEMPLATE))
        return await empty_database(server, connection, _TEMPLATE)
    finally:
        await connection.close()


async def empty_database(server: str, connection: asyncpg.Connection, template: str = "template1") -> str:
    """The URL of a database that holds what `template` does."""
    name = f"t{uuid.uuid4().hex}"
    for _ in range(100):
        try:
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            return _database(server, name)
        except asyncpg.ObjectInUseError:  # somebody migrates it, or copies it too
            await asyncio.sleep(0.1)
    raise AssertionError(f"{template} is in use all the time")


async def drop_database(server: str, url: str) -> None:
    connection = await asyncpg.connect(server)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")
    finally:
        await connection.close()


def _database(server: str, name: str) -> str:
    return urlunsplit(urlsplit(server)._replace(path=f"/{name}"))


def _program(name: str) -> str:
    newest = max(_DEBIAN.iterdir(), key=lambda folder: float(folder.name))
    return str(newest / "bin" / name)


def _unprivileged() -> list[str]:
    """Another user where we are root, as PostgreSQL wants it; and its end with ours."""
    end = ["setpriv", "--pdeathsig=INT"]
    if os.getuid() != 0:
        return end
    user = pwd.getpwnam("postgres")
    return [*end, f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _run(program: str, *arguments: str) -> str:
    command = [*_unprivileged(), _program(program), *arguments]
    return subprocess.run(command, check=True, capture_output=True, cwd="/", text=True).stdout


def _give(home: Path) -> None:
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(home, user.pw_uid, user.pw_gid)
