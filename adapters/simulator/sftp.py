"""An SFTP server on loopback, shut into one folder, for simulated agencies that files are put down for."""

from __future__ import annotations

from pathlib import Path

import asyncssh


class SftpServer:
    """`async with SftpServer(root, user, password) as server:`; `client_keys` (public, OpenSSH) open it too;
    `factory` is what answers."""

    def __init__(
        self,
        root: Path,
        user: str,
        password: str,
        *,
        client_keys: str = "",
        factory: type[asyncssh.SFTPServer] = asyncssh.SFTPServer,
    ) -> None:
        self.port = 0
        self._factory = factory
        self._root, self._user, self._password = root, user, password
        self._client_keys = asyncssh.import_authorized_keys(client_keys) if client_keys else None
        self._host_key = asyncssh.generate_private_key("ssh-ed25519")
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()

    @property
    def known_hosts(self) -> str:
        """The line that pins its host key."""
        return f"[127.0.0.1]:{self.port} {self._host_key.export_public_key().decode().strip()}\n"

    async def start(self) -> None:
        """Listen; again after `stop`, on the same port."""
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Guard(self._user, self._password, self._connections),
            server_host_keys=[self._host_key],
            authorized_client_keys=self._client_keys,
            sftp_factory=lambda channel: self._factory(channel, chroot=str(self._root).encode()),
            reuse_address=True,
        )
        self.port = self._acceptor.get_port()

    async def stop(self) -> None:
        """Cut everybody off. May be called twice."""
        acceptor, self._acceptor = self._acceptor, None
        if acceptor is not None:
            acceptor.close()
            for connection in tuple(self._connections):
                connection.abort()
            await acceptor.wait_closed()

    async def __aenter__(self) -> SftpServer:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


class _Guard(asyncssh.SSHServer):
    def __init__(self, user: str, password: str, connections: set[asyncssh.SSHServerConnection]) -> None:
        self._user, self._password, self._connections = user, password, connections
        self._own: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._own = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncssh's contract
        if self._own is not None:
            self._connections.discard(self._own)

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (self._user, self._password)
