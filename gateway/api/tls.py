"""TLS contexts: version 1.2 or newer, client certificates required, no resumption past revocation."""

from __future__ import annotations

import ssl
from pathlib import Path

import structlog

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


def server_context(certificate: Path, key: Path, client_ca: Path) -> ssl.SSLContext:
    """The context of the door.

    A TLS 1.3 ticket would resume a session without looking at the client's certificate again, hence none are
    given; whether a certificate is registered or revoked is asked on every request (`clients.py`).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.num_tickets = 0
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(certificate, key)
    context.load_verify_locations(client_ca)
    context.sslobject_class = _LoggingSSLObject
    return context
