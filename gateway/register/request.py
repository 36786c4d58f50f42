"""A new key with a request for its certificate (PKCS#10, RFC 2986)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def new_request(subject: str, hosts: Sequence[str], folder: Path) -> Path:
    """Make key.pem (P-256, mode 600) and request.pem in a folder; answers the latter.

    `subject`: RFC 4514. Raises ValueError for a subject that is none, FileExistsError rather than overwrite.
    """
    name = x509.Name.from_rfc4514_string(subject)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    if hosts:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_host(one) for one in hosts]), critical=False
        )
    request = builder.sign(key, hashes.SHA256())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_new(folder / "key.pem", private, mode=0o600)
    write_new(folder / "request.pem", request.public_bytes(Encoding.PEM), mode=0o600)
    return folder / "request.pem"


def write_new(file: Path, octets: bytes, *, mode: int) -> None:
    """Write a file that is not there yet, and have it on the disk. Raises FileExistsError."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(octets)
        out.flush()
        os.fsync(out.fileno())


def _host(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
