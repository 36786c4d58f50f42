"""How client commands find the gateway: a profile file, or options, or the environment."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import click
import msgspec

from gateway.client.http import Connection, GatewayClient, Reply, Unreachable

T = TypeVar("T")
DEFAULT_PROFILE = Path("var/dev/client.toml")
_PASSING = (408, 429)


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """client.toml: the gateway's URL and our PEM files, relative to the file."""

    url: str
    certificate: str
    key: str
    server_ca: str


def connection_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--profile`, `--server`, `--cert`, `--key`, `--ca`; the command gets a `connection`."""

    @click.option(
        "--profile",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="EFILE_PROFILE",
        help=f"client.toml with url, certificate, key, server_ca. [default: {DEFAULT_PROFILE} where it exists]",
    )
    @click.option("--server", envvar="EFILE_SERVER", help="URL of the gateway, https://host:port.")
    @click.option("--cert", envvar="EFILE_CERT", type=_FILE, help="Our client certificate (PEM).")
    @click.option("--client-key", envvar="EFILE_CLIENT_KEY", type=_FILE, help="Its key (PEM).")
    @click.option("--ca", envvar="EFILE_CA", type=_FILE, help="CA of the gateway's TLS certificate (PEM).")
    @wraps(command)
    def with_connection(
        profile: Path | None,
        server: str | None,
        cert: Path | None,
        client_key: Path | None,
        ca: Path | None,
        **rest: Any,
    ) -> Any:
        return command(connection=_connection(profile, server, cert, client_key, ca), **rest)

    return with_connection


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


def _connection(
    profile: Path | None, server: str | None, cert: Path | None, key: Path | None, ca: Path | None
) -> Connection:
    if profile is None and DEFAULT_PROFILE.exists():
        profile = DEFAULT_PROFILE
    base = _read(profile) if profile is not None else None
    url = server or (base.url if base else None)
    cert, key, ca = (
        cert or (base.certificate if base else None),
        key or (base.key if base else None),
        ca or (base.server_ca if base else None),
    )
    if url is None or cert is None or key is None or ca is None:
        raise click.UsageError(
            "say where the gateway is: --profile, or --server, --cert, --client-key and --ca"
        )
    _require_https(url)
    return Connection(url, cert, key, ca)


def _require_https(url: str) -> None:
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "https" and bool(parts.hostname) and (parts.port or 443) > 0
    except ValueError:  # a port that is none
        usable = False
    if not usable:
        raise click.UsageError(f"{url}: the gateway's URL is https://host[:port]")


def _read(profile: Path) -> Connection:
    try:
        found = msgspec.toml.decode(profile.read_bytes(), type=Profile)
    except (OSError, msgspec.MsgspecError, ValueError) as error:
        raise click.UsageError(f"{profile}: {error}") from error
    base = profile.resolve().parent
    return Connection(found.url, base / found.certificate, base / found.key, base / found.server_ca)


def call(connection: Connection, ask: Callable[[GatewayClient], Awaitable[T]]) -> T:
    """Connect, ask, disconnect. Raises Unreachable, or a usage error for unusable PEM files."""

    async def talk() -> T:
        async with GatewayClient(connection) as client:
            return await ask(client)

    try:
        return asyncio.run(talk())
    except (ssl.SSLError, FileNotFoundError, PermissionError) as error:
        raise click.UsageError(f"certificate or key: {error}") from error


def require_answer(connection: Connection, *replies: Reply) -> None:
    """Raises Unreachable where a reply is about the gateway's state (busy, failing), not about the question: to
    take it for a refusal would be wrong."""
    for reply in replies:
        if reply.status >= 500 or reply.status in _PASSING:
            raise Unreachable(f"{connection.url}: HTTP {reply.status} {reply.body.get('title', '')}".rstrip())
