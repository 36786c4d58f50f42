"""What all families over HTTPS share: the simulated authority with TLS, and settings that reach it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from adapters import Adapter, open_adapter
from adapters.simulator import Behaviour, Simulator, SimulatorConfig
from certs_dev import DevPki

QUICK = {"timeout_s": 5.0, "connect_timeout_s": 2.0}
PASSWORD = "mật khẩu của khóa"
SOAP_USER, SOAP_PASSWORD = "cong-nop-ho-so", "mật khẩu <của> cổng"
SECRETS = ("client_key_password_file",)
_PEM = serialization.Encoding.PEM


def simulator_config(pki: DevPki, **more: Any) -> SimulatorConfig:
    server = pki["agency-server"]
    caller = pki["agency-tax"]
    return SimulatorConfig(
        tls_cert=server.chain,
        tls_key=server.key,
        client_ca=pki.client_ca,
        callback_ca=pki.tls_ca,
        callback_cert=caller.chain,
        callback_key=caller.key,
        **more,
    )


def https_settings(pki: DevPki, url: str, **more: Any) -> dict[str, Any]:
    client = pki["gateway-client"]
    return {
        "base_url": url,
        "ca_file": str(pki.tls_ca),
        "client_cert": str(client.chain),
        "client_key": str(client.key),
        **QUICK,
        **more,
    }


def guarded(pki: DevPki, directory: Path) -> dict[str, str]:
    """Settings with our client key under a password, which stands in a file."""
    key, password = directory / "client-key.pem", directory / "client-key.password"
    plain = serialization.load_pem_private_key(pki["gateway-client"].key.read_bytes(), None)
    password.write_text(f"{PASSWORD}\n", encoding="utf-8")
    encryption = serialization.BestAvailableEncryption(PASSWORD.encode())
    key.write_bytes(plain.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, encryption))
    return {"client_key": str(key), "client_key_password_file": str(password)}


def named(directory: Path) -> dict[str, str]:
    """Settings with a user of the SOAP service, whose password stands in a file."""
    file = directory / "soap.password"
    file.write_text(f"{SOAP_PASSWORD}\n", encoding="utf-8")
    return {"username": SOAP_USER, "password_file": str(file)}


def started(
    kind: str, path: str = "", more: Callable[[Path], dict[str, Any]] = lambda _: {}, **config: Any
) -> Callable[[DevPki, Path, float], AbstractAsyncContextManager[tuple[Adapter, Simulator]]]:
    """A `Family.start` for a kind that the simulated authority speaks at `path`; `more` are settings of the kind's
    own, `config` the authority's."""

    @asynccontextmanager
    async def start(
        pki: DevPki, directory: Path, patience: float
    ) -> AsyncIterator[tuple[Adapter, Simulator]]:
        async with Simulator(
            simulator_config(pki, behaviour=Behaviour(verdict_delay_s=0), **config)
        ) as simulator:
            settings = https_settings(pki, simulator.url + path, **guarded(pki, directory), **more(directory))
            adapter = open_adapter(kind, {**settings, "timeout_s": patience})
            try:
                yield adapter, simulator
            finally:
                await adapter.close()

    return start
