"""What every key is to the rest: the interface, its two faults, and the check of a signature before it is used."""

from __future__ import annotations

import hashlib
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import (
    Prehashed,
    decode_dss_signature,
    encode_dss_signature,
)

from signing.certificates import public_key_of

HASHES: dict[str, hashes.HashAlgorithm] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}


class KeyRefused(Exception):
    """The key cannot be used; the text names the source and the fault, never the key, a PIN or a token."""


class KeyUnavailable(KeyRefused):
    """The key cannot be had now (device gone, service down): trying again later may help."""


class SigningKey(Protocol):
    """A private key with its certificate. `sign` may be called from several threads at once."""

    @property
    def certificate(self) -> x509.Certificate:
        """The signer's certificate."""
        ...

    @property
    def chain(self) -> tuple[x509.Certificate, ...]:
        """CA certificates above it that are sent along; may be empty."""
        ...

    def probe(self) -> None:
        """Look whether it could sign now, without signing. Raises KeyRefused, KeyUnavailable."""
        ...

    def sign(self, data: bytes, hash_name: str) -> bytes:
        """Sign octets: RSA in PKCS#1 v1.5, ECDSA as r and s side by side, Ed25519 (the hash name is "" there).

        Raises KeyRefused; KeyUnavailable where a device or a service is out of reach.
        """
        ...


def hashed(data: bytes, hash_name: str) -> bytes:
    """The digest that a device signs. Raises KeyRefused for a hash that no key here signs."""
    if hash_name not in HASHES:
        raise KeyRefused(f"hash {hash_name!r}: a device signs {', '.join(HASHES)}")
    return hashlib.new(hash_name, data).digest()


def field_octets(key: ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey) -> int:
    """Length of r, and of s, in octets."""
    return (key.curve.key_size + 7) // 8


def side_by_side(der: bytes, size: int) -> bytes:
    """r and s of an ECDSA signature in DER, each in `size` octets. Raises ValueError."""
    r, s = decode_dss_signature(der)
    try:
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")
    except OverflowError:
        raise ValueError("r or s is out of the curve's range") from None


def require_valid(certificate: x509.Certificate, signature: bytes, digest: bytes, hash_name: str) -> None:
    """Check what a device or a service returned against the certificate, in the form of SigningKey.sign.

    A wrong key behind a label, a wrong hash, a broken device: nothing of it leaves here. Raises KeyRefused.
    """
    key, algorithm = public_key_of(certificate), Prehashed(HASHES[hash_name])
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, digest, padding.PKCS1v15(), algorithm)
            return
        if isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 2 * field_octets(key):
            half = len(signature) // 2
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.verify(encode_dss_signature(r, s), digest, ec.ECDSA(algorithm))
            return
    except (InvalidSignature, ValueError):
        pass
    raise KeyRefused("the signature that came back is not that of the certificate's key")


def require_kind(certificate: x509.Certificate, source: str) -> None:
    """RSA, and ECDSA on P-256, P-384 or P-521, are what devices and services sign with here. Raises KeyRefused."""
    key = public_key_of(certificate)
    if isinstance(key, rsa.RSAPublicKey):
        return
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in (
        "secp256r1",
        "secp384r1",
        "secp521r1",
    ):
        return
    kind = "Ed25519" if isinstance(key, ed25519.Ed25519PublicKey) else type(key).__name__
    raise KeyRefused(f"{source}: a key of kind {kind} cannot sign here")
