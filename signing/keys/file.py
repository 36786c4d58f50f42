"""Keys out of files: PEM and PKCS#12."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12

from signing.certificates import public_key_of, spki
from signing.keys.base import HASHES, KeyRefused, field_octets, side_by_side

_UNREADABLE = (ValueError, TypeError, OSError, UnsupportedAlgorithm, x509.InvalidVersion)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class FileKey:
    """A private key held in memory, from a PEM or PKCS#12 file."""

    private_key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    def __repr__(self) -> str:
        return f"FileKey({self.certificate.subject.rfc4514_string()})"

    def __post_init__(self) -> None:
        if spki(self.private_key.public_key()) != spki(public_key_of(self.certificate)):
            raise KeyRefused("the private key does not belong to the certificate")

    @classmethod
    def from_pem(cls, key_path: Path | str, cert_path: Path | str, password: bytes | None = None) -> FileKey:
        """Read a PEM private key, and a PEM file of the certificate and, after it, its chain. Raises KeyRefused."""
        try:
            private_key = load_pem_private_key(Path(key_path).read_bytes(), password)
            certificate, *chain = x509.load_pem_x509_certificates(Path(cert_path).read_bytes())
        except _UNREADABLE as error:
            raise KeyRefused(f"{key_path}, {cert_path}: {error}") from None
        return cls(_supported(private_key, key_path), certificate, tuple(chain))

    @classmethod
    def from_pkcs12(cls, path: Path | str, password: bytes | None) -> FileKey:
        """Read a PKCS#12 file (.p12, .pfx). Raises KeyRefused."""
        try:
            private_key, certificate, chain = pkcs12.load_key_and_certificates(
                Path(path).read_bytes(), password
            )
        except _UNREADABLE as error:
            raise KeyRefused(f"{path}: {error}") from None
        if certificate is None:
            raise KeyRefused(f"{path}: no certificate for the key")
        return cls(_supported(private_key, path), certificate, tuple(chain))

    def probe(self) -> None:
        """See SigningKey.probe: it is in memory."""

    def sign(self, data: bytes, hash_name: str) -> bytes:
        """See SigningKey.sign."""
        key = self.private_key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), HASHES[hash_name])
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        return side_by_side(key.sign(data, ec.ECDSA(HASHES[hash_name])), field_octets(key))


def _supported(key: object, path: Path | str) -> PrivateKey:
    if not isinstance(key, PrivateKey):
        raise KeyRefused(f"{path}: a key of kind {type(key).__name__} cannot sign here")
    return key
