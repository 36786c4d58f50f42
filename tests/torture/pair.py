"""A PostgreSQL primary and its synchronous standby on one machine; each failover leaves a pair again."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import Cluster


@dataclass
class Pair:
    """Whoever is the primary now."""

    primary: Cluster
    standby: Cluster

    @classmethod
    @contextmanager
    def made(cls, homes: tuple[Path, Path], environment: Mapping[str, str]) -> Iterator[Pair]:
        """A fresh pair in two empty folders."""
        with ExitStack() as stack:
            options = ("max_wal_size=96MB", "wal_keep_size=64MB")
            primary = stack.enter_context(Cluster.made(*options, home=homes[0], environment=environment))
            standby = stack.enter_context(Cluster.standby_of(primary, homes[1]))
            pair = cls(primary, standby)
            pair.synchronise()
            yield pair

    @property
    def url(self) -> str:
        """Both hosts; whichever takes writes is meant."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in sorted((self.primary.port, self.standby.port)))
        return f"postgresql://efile@{hosts}/postgres"

    def synchronise(self) -> None:
        """From here on a commit waits for the standby."""
        self.primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.ask("SELECT pg_reload_conf()")
        until = time.monotonic() + 60
        while self.primary.ask("SELECT sync_state FROM pg_stat_replication") != "sync":
            assert time.monotonic() < until, (self.standby.home / "log").read_text()[-2000:]
            time.sleep(0.05)

    def fail_over(self) -> None:
        """The primary dies, and the standby takes its place."""
        self.primary.stop(signal.SIGQUIT)
        self.standby.promote()
        self.primary, self.standby = self.standby, self.primary

    def rebuild(self) -> None:
        """Whoever died comes back as the standby: a copy of the new primary."""
        self.standby.follow(self.primary)
        self.synchronise()

    def revive(self) -> None:
        """Start whoever has ended by itself, as an operator's service manager does."""
        for cluster in (self.primary, self.standby):
            assert cluster.process is not None
            if cluster.process.poll() is not None:
                cluster.start()
