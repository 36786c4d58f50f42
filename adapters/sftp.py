"""Agencies with folders on an SFTP server (kind "sftp"). Its host key is pinned; nothing of ~/.ssh is read."""

from __future__ import annotations

import asyncio
import stat
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, cast

import asyncssh
import msgspec

from adapters.base import ConfigError, Unavailable
from adapters.config import Secret, read_config, secret, secret_faults
from adapters.drop import MOST_NAMES, DropAdapter, DropConfig, Folder, NoFile, Stamp
from adapters.http import Seconds
from adapters.told import printable

_WRITE_NEW = asyncssh.FXF_WRITE | asyncssh.FXF_CREAT | asyncssh.FXF_EXCL
_KEEPALIVE_S = 15
_GONE = (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath)


class SftpConfig(DropConfig, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The server and its folders; `done` and `refused` are made in the folder of answers.

    `known_hosts_file` (as OpenSSH has it) holds the only host keys to trust. We are known by `client_key` (a private
    key that OpenSSH reads; its password, if it has one, in `client_key_password_file` or the environment variable of
    `client_key_password_env`), by the password in `password_file` or `password_env`, or by both.
    """

    host: str
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 22
    username: Annotated[str, msgspec.Meta(min_length=1)]
    known_hosts_file: str
    client_key: str | None = None
    client_key_password_file: str | None = None
    client_key_password_env: str | None = None
    password_file: str | None = None
    password_env: str | None = None
    remote_out: Annotated[str, msgspec.Meta(min_length=1)]
    remote_answers: Annotated[str, msgspec.Meta(min_length=1)]
    connect_timeout_s: Seconds = 5.0

    @classmethod
    def faults(cls, values: Mapping[str, Any]) -> list[str]:
        """What is wrong with the files and the credentials."""
        faults = secret_faults({"client_key_password": False, "password": False}, values)
        faults += [
            f"{name}: no file {values[name]}"
            for name in ("known_hosts_file", "client_key")
            if values.get(name) is not None and not Path(values[name]).is_file()
        ]
        given = ("client_key", "password_file", "password_env")
        if all(values.get(name) is None for name in given):
            faults.append("client_key is missing, or a password_file or password_env instead of it")
        if not faults:
            for name, read in (("known_hosts_file", _known_hosts), ("client_key", _keys)):
                try:
                    read(values)
                except (OSError, ValueError, asyncssh.KeyImportError):
                    faults.append(f"{name}: {values.get(name)} cannot be read")
        return faults


class SftpPlace:
    """Fulfils `adapters.drop.Place`; one connection, opened with the first call and again after it has ended."""

    def __init__(self, config: SftpConfig) -> None:
        """Raises ConfigError where the files have changed since they were checked."""
        self._config = config
        values = msgspec.structs.asdict(config)
        try:
            self._known_hosts, self._keys = _known_hosts(values), _keys(values)
        except (OSError, ValueError, asyncssh.KeyImportError) as error:
            raise ConfigError("sftp adapter: the key files have changed") from error
        self._password: Secret | None = secret("password", values)
        self._connection: asyncssh.SSHClientConnection | None = None
        self._client: asyncssh.SFTPClient | None = None
        self._opening = asyncio.Lock()

    async def put(self, folder: Folder, name: str, octets: bytes) -> None:
        async with self._sftp() as sftp:
            place = await self._made(sftp, folder)
            written = f"{place}/.{name}.{uuid.uuid4().hex}.tmp"
            try:
                async with sftp.open(written, _WRITE_NEW, encoding=None) as file:
                    await file.write(octets)
                    with suppress(asyncssh.SFTPOpUnsupported):  # then the server syncs as it sees fit
                        await file.fsync()
                await _rename(sftp, written, f"{place}/{name}")
            except BaseException:
                with suppress(asyncssh.Error, OSError):
                    await sftp.remove(written)
                raise

    async def names(self, folder: Folder) -> Mapping[str, Stamp]:
        found: dict[str, Stamp] = {}
        async with self._sftp() as sftp:
            async for entry in sftp.scandir(self._path(folder)):
                found[str(entry.filename)] = (entry.attrs.size or 0, entry.attrs.mtime or 0)
                if len(found) >= MOST_NAMES:
                    break
        return found

    async def read(self, folder: Folder, name: str, limit: int) -> bytes | None:
        async with self._sftp() as sftp:
            path = f"{self._path(folder)}/{name}"
            try:
                found = await sftp.lstat(path)
                if not _is_regular(found):
                    raise NoFile("a link or no regular file")
                async with sftp.open(path, asyncssh.FXF_READ, encoding=None) as file:
                    octets = cast(bytes, await file.read(limit + 1))  # opened without an encoding
            except _GONE:
                return None
        if len(octets) > limit:
            raise NoFile(f"larger than {limit} bytes")
        return octets

    async def move(self, name: str, to: Folder) -> None:
        async with self._sftp() as sftp:
            source = f"{self._path('answers')}/{name}"
            with suppress(*_GONE):  # another process of ours was first
                await _rename(sftp, source, f"{await self._made(sftp, to)}/{name}")

    async def close(self) -> None:
        connection, self._connection, self._client = self._connection, None, None
        if connection is not None:
            connection.close()
            with suppress(asyncssh.Error, OSError):
                await connection.wait_closed()

    def _path(self, folder: Folder) -> str:
        if folder == "out":
            return self._config.remote_out
        answers = self._config.remote_answers
        return answers if folder == "answers" else f"{answers}/{folder}"

    async def _made(self, sftp: asyncssh.SFTPClient, folder: Folder) -> str:
        path = self._path(folder)
        if folder in ("done", "refused"):
            with suppress(asyncssh.SFTPFailure, asyncssh.SFTPFileAlreadyExists):
                await sftp.mkdir(path)
        return path

    @asynccontextmanager
    async def _sftp(self) -> AsyncIterator[asyncssh.SFTPClient]:
        try:
            yield await self._open()
        except (asyncssh.Error, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            if not isinstance(error, asyncssh.SFTPError) or isinstance(error, asyncssh.SFTPConnectionLost):
                await self.close()
            words = printable(str(error) or type(error).__name__)
            raise Unavailable(f"no connection to the agency's folder: {words}") from error

    async def _open(self) -> asyncssh.SFTPClient:
        async with self._opening:
            if self._client is None or self._connection is None or self._connection.is_closed():
                config = self._config
                self._connection = await asyncssh.connect(
                    config.host,
                    config.port,
                    username=config.username,
                    password=self._password.reveal() if self._password else None,
                    client_keys=self._keys,
                    known_hosts=self._known_hosts,
                    config=None,
                    agent_path=None,
                    connect_timeout=config.connect_timeout_s,
                    login_timeout=config.connect_timeout_s,
                    keepalive_interval=_KEEPALIVE_S,
                )
                self._client = await self._connection.start_sftp_client()
            return self._client


def open_sftp(config: Mapping[str, Any]) -> DropAdapter:
    """An SFTP adapter from a table of settings (see SftpConfig). Raises ConfigError."""
    read = read_config("sftp", config, SftpConfig)
    return DropAdapter(read, SftpPlace(read))


async def _rename(sftp: asyncssh.SFTPClient, source: str, target: str) -> None:
    try:
        await sftp.posix_rename(source, target)
    except asyncssh.SFTPOpUnsupported:  # a server that knows SFTP 3 alone: its rename replaces nothing
        with suppress(*_GONE):
            await sftp.remove(target)
        await sftp.rename(source, target)


def _is_regular(found: asyncssh.SFTPAttrs) -> bool:
    if found.permissions is not None:
        return stat.S_ISREG(found.permissions)
    return found.type == asyncssh.FILEXFER_TYPE_REGULAR


def _known_hosts(values: Mapping[str, Any]) -> asyncssh.SSHKnownHosts:
    return asyncssh.read_known_hosts(values["known_hosts_file"])


def _keys(values: Mapping[str, Any]) -> list[asyncssh.SSHKey]:
    if values.get("client_key") is None:
        return []
    password = secret("client_key_password", values)
    return [asyncssh.read_private_key(values["client_key"], password.reveal() if password else None)]
