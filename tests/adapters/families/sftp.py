"""Kind "sftp": two folders on an SFTP server of our own, on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters import Adapter, open_adapter
from adapters.simulator import Behaviour
from adapters.simulator.drop import DropAuthority
from adapters.simulator.sftp import SftpServer
from certs_dev import DevPki
from tests.adapters.families import POSTED, Family

USER, PASSWORD = "efile", "mat-khau-cua-thu-muc"
LACKS = {**POSTED, "mistyped": "a file has no media type"}


def sftp_settings(
    _: DevPki, directory: Path, server: SftpServer | None = None, **more: Any
) -> dict[str, Any]:
    known_hosts, password = directory / "known_hosts", directory / "sftp-password"
    known_hosts.write_text(server.known_hosts if server else "", encoding="utf-8")
    password.write_text(PASSWORD, encoding="utf-8")
    return {
        "host": "127.0.0.1",
        "port": server.port if server else 1,
        "username": USER,
        "password_file": str(password),
        "known_hosts_file": str(known_hosts),
        "remote_out": "/out",
        "remote_answers": "/answers",
        "timeout_s": 5.0,
        "connect_timeout_s": 5.0,
        "look_s": 0.05,
        **more,
    }


@asynccontextmanager
async def start(
    pki: DevPki, directory: Path, patience: float
) -> AsyncIterator[tuple[Adapter, DropAuthority]]:
    root = directory / "root"
    async with (
        DropAuthority(root / "out", root / "answers", Behaviour(verdict_delay_s=0)) as authority,
        SftpServer(root, USER, PASSWORD) as server,
    ):
        adapter = open_adapter("sftp", sftp_settings(pki, directory, server, timeout_s=patience))
        try:
            yield adapter, authority
        finally:
            await adapter.close()


FAMILY = Family(kind="sftp", start=start, settings=sftp_settings, secrets=("password_file",), lacks=LACKS)
