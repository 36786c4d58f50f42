"""The algorithms of XML signatures as data: identifiers (RFC 9231, XMLDSig 1.1) and how to run them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding

from signing.certificates import PublicKey

DS = "http://www.w3.org/2000/09/xmldsig#"
XADES = "http://uri.etsi.org/01903/v1.3.2#"
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
_MORE_2007 = "http://www.w3.org/2007/05/xmldsig-more#"
_MORE_2021 = "http://www.w3.org/2021/04/xmldsig-more#"
_DSIG11 = "http://www.w3.org/2009/xmldsig11#"
RSA_PSS = _MORE_2007 + "rsa-pss"
"""RSASSA-PSS whose hash, mask function and salt stand in parameters (RFC 9231 clause 2.3.9)."""
PSS_PARAMETERS = "rsa-pss-parameters"
"""Name in policies of PSS parameters other than those that an identifier fixes."""

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
    """One signature method. `names` are its names in policies, which must take all of them.

    `family`: the kind of key and padding it needs. `mask_hash`, `salt_length` (octets): of RSA-PSS.
    """

    names: tuple[str, ...]
    family: str
    hash: str
    mask_hash: str = ""
    salt_length: int = 0


def pss_algorithm(hash_name: str, mask_hash: str, salt_length: int | None) -> SignatureAlgorithm:
    """RSASSA-PSS with parameters of its own: the policy must take the hash with PSS, and parameters at all."""
    salt = _HASHES[hash_name].digest_size if salt_length is None else salt_length
    names = tuple(dict.fromkeys((_pss_name(hash_name), _pss_name(mask_hash), PSS_PARAMETERS)))
    return SignatureAlgorithm(names, "rsa-pss", hash_name, mask_hash, salt)


def _pss_name(hash_name: str) -> str:
    return f"rsa-pss-{hash_name.replace('_', '-')}"


def _rows() -> dict[str, SignatureAlgorithm]:
    sha2 = ("sha1", "sha224", "sha256", "sha384", "sha512")
    sha3 = ("sha3_224", "sha3_256", "sha3_384", "sha3_512")

    def row(family: str, hash_name: str) -> SignatureAlgorithm:
        return SignatureAlgorithm((f"{family}-{hash_name.replace('_', '-')}",), family, hash_name)

    rows = {DS + f"{family}-sha1": row(family, "sha1") for family in ("rsa", "dsa")}
    rows |= {_MORE + f"rsa-{name}": row("rsa", name) for name in sha2[1:]}
    rows |= {_MORE + f"ecdsa-{name}": row("ecdsa", name) for name in sha2}
    rows[_DSIG11 + "dsa-sha256"] = row("dsa", "sha256")
    for name in sha2 + sha3:
        # RFC 9231 clause 2.3.10: the salt is as long as the hash, the mask function uses the same hash.
        pss = SignatureAlgorithm((_pss_name(name),), "rsa-pss", name, name, _HASHES[name].digest_size)
        rows[_MORE_2007 + f"{name.replace('_', '-')}-rsa-MGF1"] = pss
    for name in sha3:
        rows[_MORE_2021 + f"ecdsa-{name.replace('_', '-')}"] = row("ecdsa", name)
    for name in ("ed25519", "ed448"):
        rows[_MORE_2021 + f"eddsa-{name}"] = SignatureAlgorithm((name,), name, "")
    return rows


SIGNATURES: Mapping[str, SignatureAlgorithm] = _rows()
"""Signature identifier → algorithm. HMAC is absent on purpose: a shared secret is no signature."""

SIGNATURE_NAMES = frozenset(name for algorithm in SIGNATURES.values() for name in algorithm.names) | {
    PSS_PARAMETERS
}


class ValueMismatch(Exception):
    """The signature value does not verify; the text says whether the key is of the wrong kind."""


def digest(name: str, data: bytes) -> bytes:
    """Digest of octets, by hashlib name."""
    return hashlib.new(name, data, usedforsecurity=True).digest()


@lru_cache(maxsize=2048)
def fingerprint(certificate: x509.Certificate, name: str) -> bytes:
    """Digest of a certificate's DER octets, by hashlib name."""
    return digest(name, certificate.public_bytes(Encoding.DER))


def verify_value(
    algorithm: SignatureAlgorithm, key: PublicKey, value: bytes, data: bytes, *, short_ecdsa: bool = False
) -> None:
    """Check a SignatureValue (XMLDSig clause 6.4). Raises ValueMismatch; returns nothing, so nothing can be ignored.

    `short_ecdsa`: take ECDSA values whose halves lack leading zeros, as old Java libraries wrote them.
    """
    try:
        _verify(algorithm, key, value, data, short_ecdsa)
    except InvalidSignature:
        raise ValueMismatch("value and key do not match") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueMismatch(str(error) or "the key cannot be used") from None


def _verify(
    algorithm: SignatureAlgorithm, key: PublicKey, value: bytes, data: bytes, short_ecdsa: bool
) -> None:
    family = algorithm.family
    if family == "rsa" and isinstance(key, rsa.RSAPublicKey):
        key.verify(value, data, padding.PKCS1v15(), _HASHES[algorithm.hash])
    elif family == "rsa-pss" and isinstance(key, rsa.RSAPublicKey):
        mask = padding.MGF1(_HASHES[algorithm.mask_hash])
        key.verify(value, data, padding.PSS(mask, algorithm.salt_length), _HASHES[algorithm.hash])
    elif family == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
        size = (key.curve.key_size + 7) // 8
        if short_ecdsa and len(value) < 2 * size and len(value) % 2 == 0:
            size = len(value) // 2
        key.verify(_der_of_raw(value, size), data, ec.ECDSA(_HASHES[algorithm.hash]))
    elif family == "dsa" and isinstance(key, dsa.DSAPublicKey):
        size = (key.parameters().parameter_numbers().q.bit_length() + 7) // 8
        key.verify(_der_of_raw(value, size), data, _HASHES[algorithm.hash])
    elif (family == "ed25519" and isinstance(key, ed25519.Ed25519PublicKey)) or (
        family == "ed448" and isinstance(key, ed448.Ed448PublicKey)
    ):
        key.verify(value, data)
    else:
        raise ValueMismatch(f"{algorithm.names[0]} with a key of kind {type(key).__name__}")


def _der_of_raw(value: bytes, size: int) -> bytes:
    """XMLDSig 1.1 clauses 6.4.1, 6.4.3: r and s side by side, each as long as the order of the group."""
    if len(value) != 2 * size:
        raise ValueMismatch(f"value of {len(value)} octets, the key needs {2 * size}")
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))
