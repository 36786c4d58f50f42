"""A real TLS handshake on loopback with a certificate that is not in use yet: our own door, and a client that looks."""

from __future__ import annotations

import datetime
import socket
import ssl
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from gateway.api.tls import server_context
from gateway.filing.findings import Text
from gateway.register.judging import names_of

_SECONDS = 5.0
_VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def handshake_faults(certificate: Path, key: Path, chain: Sequence[x509.Certificate]) -> list[Text]:
    """Shake hands once in each version of TLS, as a client that trusts the top of the chain and asks for its name."""
    with tempfile.TemporaryDirectory(prefix="efile-shadow-") as folder:
        client = _client_of_its_own(Path(folder))
        context = server_context(certificate, key, [client])
        return [
            Text(
                f"Bắt tay {version.name} thất bại: {fault}", f"The handshake of {version.name} fails: {fault}"
            )
            for version in _VERSIONS
            if (fault := _shake(context, _looking(Path(folder), chain, version), chain)) is not None
        ]


def _shake(server: ssl.SSLContext, client: ssl.SSLContext, chain: Sequence[x509.Certificate]) -> str | None:
    name = min((one for one in names_of(chain[0]) if not one.startswith("*")), default="localhost")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(_SECONDS)
        serving = threading.Thread(target=_serve, args=(listening, server), daemon=True)
        serving.start()
        try:
            with (
                socket.create_connection(listening.getsockname(), timeout=_SECONDS) as raw,
                client.wrap_socket(raw, server_hostname=name) as tls,
            ):
                if tls.recv(2) != b"ok":
                    return "no answer"
                if tls.getpeercert(binary_form=True) != chain[0].public_bytes(Encoding.DER):
                    return "another certificate"
        except (OSError, ValueError) as error:
            return str(error)
        finally:
            serving.join(_SECONDS)
    return None


def _serve(listening: socket.socket, context: ssl.SSLContext) -> None:
    try:
        accepted, _ = listening.accept()
        accepted.settimeout(_SECONDS)
        with accepted, context.wrap_socket(accepted, server_side=True) as tls:
            tls.sendall(b"ok")
    except OSError:
        return  # the client tells


def _looking(folder: Path, chain: Sequence[x509.Certificate], version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=chain[-1].public_bytes(Encoding.PEM).decode())
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.minimum_version = context.maximum_version = version
    context.load_cert_chain(folder / "client.pem", folder / "client.key")
    return context


def _client_of_its_own(folder: Path) -> x509.Certificate:
    """A client certificate of a minute, by nobody."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rehearsal")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "client.pem").write_bytes(made.public_bytes(Encoding.PEM))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "client.key").write_bytes(private)
    return made
