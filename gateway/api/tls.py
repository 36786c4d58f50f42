"""TLS contexts: version 1.2 or newer, client certificates required, no resumption past revocation."""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

log = structlog.get_logger("api")


class _LoggingSSLObject(ssl.SSLObject):
    """A handshake that fails would otherwise leave no trace of why the client was turned away."""

    def do_handshake(self) -> None:
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLCertVerificationError as error:
            log.warning("client-refused", reason=error.verify_message, at="handshake")
            raise
        except ssl.SSLError as error:
            log.warning("client-refused", reason=error.reason or str(error), at="handshake")
            raise


class ExchangeableContext(ssl.SSLContext):
    """Every new connection is shaken hands with by the context that is current then; the listener stays as it is."""

    current: ssl.SSLContext

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See ssl.SSLContext.wrap_bio: all that an event loop asks of a context."""
        return self.current.wrap_bio(*args, **kwargs)


def exchangeable(context: ssl.SSLContext) -> ExchangeableContext:
    """A context that stands for this one until its `current` is another."""
    made = ExchangeableContext(ssl.PROTOCOL_TLS_SERVER)
    made.current = context
    return made


def server_context(
    certificate: Path, key: Path, client_cas: Iterable[x509.Certificate], password: bytes | None = None
) -> ssl.SSLContext:
    """The context of the door; another certificate, or other authorities, want another context.

    A ticket would resume a session without looking at the client's certificate again, hence none are given; a
    session kept by the server ends with its context. Whether a certificate is registered or revoked is asked on
    every request (`clients.py`). Raises OSError, ssl.SSLError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key, password or b"")
    pem = "".join(one.public_bytes(Encoding.PEM).decode() for one in client_cas)
    context.load_verify_locations(cadata=pem)
    context.sslobject_class = _LoggingSSLObject
    return context
