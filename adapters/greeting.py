"""A greeting of an agency with our client certificate: whether it would let us in. No filing, no question."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any

from yarl import URL

from adapters.http import tls_context
from adapters.told import printable

_AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
_SECONDS = 5.0
_ALERT_SECONDS = 0.5
"""In TLS 1.3 a client learns after its handshake that its certificate was refused (RFC 8446 clause 4.4.2.4)."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What came of it: `answered`, by what status where it was HTTP; else `refused`, an alert of TLS; else neither.

    `words`: for people, without secrets.
    """

    words: str
    answered: bool = False
    status: int | None = None
    refused: bool = False


def greet(config: Mapping[str, Any]) -> Greeting:
    """Shake hands as an adapter with these settings would, one of WITH_CERTIFICATE; ask over HTTP for OPTIONS, or begin
    AMQP. Takes at most some ten seconds. Raises ConfigError, OSError where the files do not fit."""
    url = URL(config["base_url"]) if "base_url" in config else None
    if (url.scheme != "https") if url is not None else not config.get("tls", True):
        return Greeting("no TLS: the certificate is not shown")
    host = str(config["host"] if url is None else url.raw_host)
    port = int(config.get("port", 5671) if url is None else url.port or 443)
    context = tls_context(config)
    try:
        raw = socket.create_connection((host, port), timeout=_SECONDS)
    except OSError as error:
        return Greeting(printable(str(error)))
    with raw:
        try:
            with context.wrap_socket(raw, server_hostname=host) as tls:
                _await_alert(tls)
                return _begun(tls, host if url is None else url)
        except ssl.SSLCertVerificationError as error:
            return Greeting(printable(f"its own certificate is not trusted: {error.verify_message}"))
        except ssl.SSLError as error:
            return Greeting(printable(error.reason or str(error)), refused="ALERT" in (error.reason or ""))
        except (OSError, HTTPException) as error:
            return Greeting(printable(str(error) or type(error).__name__))


def _await_alert(tls: ssl.SSLSocket) -> None:
    """Raises ssl.SSLError for an alert, ConnectionError where it has hung up."""
    tls.settimeout(_ALERT_SECONDS)
    with suppress(TimeoutError):
        if not tls.recv(1):
            raise ConnectionResetError("it hung up after the handshake")
    tls.settimeout(_SECONDS)


def _begun(tls: ssl.SSLSocket, place: URL | str) -> Greeting:
    if isinstance(place, str):
        tls.sendall(_AMQP_HEADER)
        if not tls.recv(8):
            raise ConnectionResetError("it hung up after the handshake")
        return Greeting("AMQP", answered=True)
    lines = (
        f"OPTIONS {place.raw_path or '/'} HTTP/1.1",
        f"Host: {place.host_port_subcomponent}",
        "Connection: close",
    )
    tls.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii"))
    with HTTPResponse(tls, method="OPTIONS") as response:
        response.begin()
        return Greeting(f"HTTP {response.status}", answered=True, status=response.status)
