"""The algorithms of XML signatures as data: identifiers (RFC 9231, XMLDSig 1.1) and how to run them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from signing.certificates import PublicKey

DS = "http://www.w3.org/2000/09/xmldsig#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"

DIGESTS: Mapping[str, str] = {
    DS + "sha1": "sha1",
    _MORE + "sha224": "sha224",
    "http://www.w3.org/2001/04/xmlenc#sha256": "sha256",
    _MORE + "sha384": "sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    _MORE_2007 + "sha3-224": "sha3_224",
    _MORE_2007 + "sha3-256": "sha3_256",
    _MORE_2007 + "sha3-384": "sha3_384",
    _MORE_2007 + "sha3-512": "sha3_512",
}
"""Digest identifier → hashlib name, which is also its name in policies."""

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - only a policy for archives lets it through
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}


@dataclass(frozen=True, slots=True)
class SignatureAlgorithm:
    """One signature method. `name` is its name in policies, `family` the kind of key and padding it needs."""

    name: str
    family: str
    hash: str


def _rows() -> dict[str, SignatureAlgorithm]:
    rows = {DS + "rsa-sha1": SignatureAlgorithm("rsa-sha1", "rsa", "sha1")}
    for name in ("sha224", "sha256", "sha384", "sha512"):
        rows[_MORE + f"rsa-{name}"] = SignatureAlgorithm(f"rsa-{name}", "rsa", name)
    for name in ("sha1", "sha224", "sha256", "sha384", "sha512"):
        rows[_MORE + f"ecdsa-{name}"] = SignatureAlgorithm(f"ecdsa-{name}", "ecdsa", name)
        rows[_MORE_2007 + f"{name}-rsa-MGF1"] = SignatureAlgorithm(f"rsa-pss-{name}", "rsa-pss", name)
    for bits in (224, 256, 384, 512):
        hash_name, uri_name = f"sha3_{bits}", f"sha3-{bits}"
        rows[_MORE_2007 + f"{uri_name}-rsa-MGF1"] = SignatureAlgorithm(
            f"rsa-pss-{uri_name}", "rsa-pss", hash_name
        )
        rows[f"http://www.w3.org/2021/04/xmldsig-more#ecdsa-{uri_name}"] = SignatureAlgorithm(
            f"ecdsa-{uri_name}", "ecdsa", hash_name
        )
    rows["http://www.w3.org/2021/04/xmldsig-more#eddsa-ed25519"] = SignatureAlgorithm("ed25519", "eddsa", "")
    return rows


SIGNATURES: Mapping[str, SignatureAlgorithm] = _rows()
"""Signature identifier → algorithm. HMAC is absent on purpose: a shared secret is no signature."""

SIGNATURE_NAMES = frozenset(algorithm.name for algorithm in SIGNATURES.values())


class ValueMismatch(Exception):
    """The signature value does not verify; the text says whether the key is of the wrong kind."""


def digest(name: str, data: bytes) -> bytes:
    """Digest of octets, by hashlib name."""
    return hashlib.new(name, data, usedforsecurity=True).digest()


def verify_value(algorithm: SignatureAlgorithm, key: PublicKey, value: bytes, data: bytes) -> None:
    """Check a SignatureValue (XMLDSig clause 6.4). Raises ValueMismatch; returns nothing, so nothing can be ignored."""
    try:
        _verify(algorithm, key, value, data)
    except InvalidSignature:
        raise ValueMismatch("value and key do not match") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueMismatch(str(error) or "the key cannot be used") from None


def _verify(algorithm: SignatureAlgorithm, key: PublicKey, value: bytes, data: bytes) -> None:
    if algorithm.family == "rsa" and isinstance(key, rsa.RSAPublicKey):
        key.verify(value, data, padding.PKCS1v15(), _HASHES[algorithm.hash])
    elif algorithm.family == "rsa-pss" and isinstance(key, rsa.RSAPublicKey):
        chosen = _HASHES[algorithm.hash]
        # RFC 9231 clause 2.3.10: the salt is as long as the hash, the mask function uses the same hash.
        key.verify(value, data, padding.PSS(padding.MGF1(chosen), chosen.digest_size), chosen)
    elif algorithm.family == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(_der_of_raw(value, key), data, ec.ECDSA(_HASHES[algorithm.hash]))
    elif algorithm.family == "eddsa" and isinstance(key, ed25519.Ed25519PublicKey):
        key.verify(value, data)
    else:
        raise ValueMismatch(f"{algorithm.name} with a key of kind {type(key).__name__}")


def _der_of_raw(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    """XMLDSig 1.1 clause 6.4.3: r and s side by side, each as long as the curve's order."""
    size = (key.curve.key_size + 7) // 8
    if len(value) != 2 * size:
        raise ValueMismatch(f"ECDSA value of {len(value)} octets, the curve needs {2 * size}")
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))
