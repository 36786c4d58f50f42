"""The algorithms of CMS as data: object identifiers (RFC 5754, 8017, 8419, 8692; BSI TR-03111) by the policies' names.

The names are those of `signing.algorithms`, so that one policy file speaks of all formats; CMS alone knows RSA PKCS#1
v1.5 over SHA-3 (`rsa-sha3-…`) and DSA with other digests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from signing.algorithms import ValueMismatch
from signing.asn1 import INTEGER, NULL, SEQUENCE, Asn1Refused, Element
from signing.certificates import PublicKey

_NIST = "2.16.840.1.101.3.4."
RSA_PSS = "1.2.840.113549.1.1.10"
MGF1 = "1.2.840.113549.1.1.8"

DIGESTS: Mapping[str, str] = {
    "1.3.14.3.2.26": "sha1",
    _NIST + "2.4": "sha224",
    _NIST + "2.1": "sha256",
    _NIST + "2.2": "sha384",
    _NIST + "2.3": "sha512",
    _NIST + "2.7": "sha3_224",
    _NIST + "2.8": "sha3_256",
    _NIST + "2.9": "sha3_384",
    _NIST + "2.10": "sha3_512",
}
"""Digest identifier → hashlib name, which is also its name in policies."""

_HASHES: Mapping[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - only a policy for archives or interoperability lets it through
    "sha224": hashes.SHA224(),
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
    "sha3_224": hashes.SHA3_224(),
    "sha3_256": hashes.SHA3_256(),
    "sha3_384": hashes.SHA3_384(),
    "sha3_512": hashes.SHA3_512(),
}

# Key identifiers in the signature's place (RFC 3370 clause 3.2; a habit for EC): the digestAlgorithm completes them.
_WITHOUT_HASH = {
    "1.2.840.113549.1.1.1": "rsa",
    "1.2.840.10045.2.1": "ecdsa",
    "1.2.840.10040.4.1": "dsa",
}
_SHA2 = ("sha224", "sha256", "sha384", "sha512")
_SHA3 = ("sha3_224", "sha3_256", "sha3_384", "sha3_512")


def _rows() -> dict[str, tuple[str, str]]:
    rows = {
        "1.2.840.113549.1.1.5": ("rsa", "sha1"),
        "1.3.14.3.2.29": ("rsa", "sha1"),
        "1.2.840.113549.1.1.14": ("rsa", "sha224"),
        "1.2.840.113549.1.1.11": ("rsa", "sha256"),
        "1.2.840.113549.1.1.12": ("rsa", "sha384"),
        "1.2.840.113549.1.1.13": ("rsa", "sha512"),
        "1.2.840.10045.4.1": ("ecdsa", "sha1"),
        "0.4.0.127.0.7.1.1.4.1.1": ("ecdsa-plain", "sha1"),
        "1.2.840.10040.4.3": ("dsa", "sha1"),
        "1.3.101.112": ("eddsa", "sha512"),
    }
    for number, name in enumerate(_SHA2, 1):
        rows[f"1.2.840.10045.4.3.{number}"] = ("ecdsa", name)
        rows[f"0.4.0.127.0.7.1.1.4.1.{number + 1}"] = ("ecdsa-plain", name)
        rows[f"{_NIST}3.{number}"] = ("dsa", name)
    for number, name in enumerate(_SHA3):
        rows[f"{_NIST}3.{5 + number}"] = ("dsa", name)
        rows[f"{_NIST}3.{9 + number}"] = ("ecdsa", name)
        rows[f"{_NIST}3.{13 + number}"] = ("rsa", name)
        rows[f"0.4.0.127.0.7.1.1.4.1.{8 + number}"] = ("ecdsa-plain", name)
    return rows


_SIGNATURES = _rows()
CMS_SIGNATURE_NAMES = frozenset(
    f"{family}-{name.replace('_', '-')}" for family in ("rsa", "dsa") for name in ("sha1", *_SHA2, *_SHA3)
)
"""Names that a policy may hold besides those of XML signatures."""


@dataclass(frozen=True, slots=True)
class CmsAlgorithm:
    """A signature algorithm as a SignerInfo declares it. `salt`: octets, of PSS; `plain`: ECDSA without DER."""

    oid: str
    name: str
    family: str
    hash: str
    salt: int = 0
    plain: bool = False


def digest_of(identifier: Element) -> str | None:
    """The digest's name of an AlgorithmIdentifier, None where it is unknown. Raises Asn1Refused."""
    return DIGESTS.get(identifier.expect(SEQUENCE).list(least=1, limit=2)[0].oid())


def signature_of(identifier: Element, digest: str) -> CmsAlgorithm | None:
    """The algorithm of a signatureAlgorithm beside a digestAlgorithm, None where it is unknown. Raises Asn1Refused."""
    parts = identifier.expect(SEQUENCE).list(least=1, limit=2)
    oid = parts[0].oid()
    if oid == RSA_PSS:
        return _pss(parts[1] if len(parts) > 1 else None)
    family, hash_name = _SIGNATURES.get(oid, (_WITHOUT_HASH.get(oid, ""), digest))
    if not family:
        return None
    if len(parts) > 1 and parts[1].tag != NULL and oid not in _WITHOUT_HASH:
        raise Asn1Refused(f"parameters of {oid}")
    if family == "eddsa":
        return CmsAlgorithm(oid, "ed25519", family, hash_name)
    plain = family == "ecdsa-plain"
    family = family.removesuffix("-plain")
    return CmsAlgorithm(oid, f"{family}-{hash_name.replace('_', '-')}", family, hash_name, plain=plain)


def _pss(parameters: Element | None) -> CmsAlgorithm | None:
    """RFC 4055 clause 3.1; the mask function must be MGF1 over the same hash (RFC 8017 clause 9.1 recommends it)."""
    hash_name, mask_hash, salt = "sha1", "sha1", 20
    for field in parameters.expect(SEQUENCE).list(limit=4) if parameters else []:
        inner = field.list(least=1, limit=1)[0]
        if field.tag == 0xA0:
            hash_name = digest_of(inner) or ""
        elif field.tag == 0xA1:
            mask = inner.expect(SEQUENCE).list(least=1, limit=2)
            if mask[0].oid() != MGF1 or len(mask) != 2:
                return None
            mask_hash = digest_of(mask[1]) or ""
        elif field.tag == 0xA2:
            salt = inner.expect(INTEGER).integer()
        elif field.tag != 0xA3 or inner.integer() != 1:
            raise Asn1Refused("parameters of RSASSA-PSS")
    if not hash_name or hash_name != mask_hash or not 0 <= salt <= 512:
        return None
    return CmsAlgorithm(RSA_PSS, f"rsa-pss-{hash_name.replace('_', '-')}", "rsa-pss", hash_name, salt=salt)


def verify_cms_value(algorithm: CmsAlgorithm, key: PublicKey, value: bytes, data: bytes) -> None:
    """Check a SignatureValue (RFC 5652 clause 5.6). Raises ValueMismatch, and returns nothing to be ignored."""
    try:
        if algorithm.family == "rsa-pss" and isinstance(key, rsa.RSAPublicKey):
            chosen = _HASHES[algorithm.hash]
            key.verify(value, data, padding.PSS(padding.MGF1(chosen), algorithm.salt), chosen)
        elif algorithm.family == "ecdsa" and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(
                _as_der(value, key) if algorithm.plain else value, data, ec.ECDSA(_HASHES[algorithm.hash])
            )
        elif algorithm.family == "dsa" and isinstance(key, dsa.DSAPublicKey):
            decode_dss_signature(value)
            key.verify(value, data, _HASHES[algorithm.hash])
        elif algorithm.family == "rsa" and isinstance(key, rsa.RSAPublicKey):
            key.verify(value, data, padding.PKCS1v15(), _HASHES[algorithm.hash])
        elif algorithm.family == "eddsa" and isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(value, data)
        else:
            raise ValueMismatch(f"{algorithm.name} with a key of kind {type(key).__name__}")
    except InvalidSignature:
        raise ValueMismatch("value and key do not match") from None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueMismatch(str(error)[:200] or "the key cannot be used") from None


def _as_der(value: bytes, key: ec.EllipticCurvePublicKey) -> bytes:
    size = (key.curve.key_size + 7) // 8
    if len(value) != 2 * size:
        raise ValueMismatch(f"plain ECDSA value of {len(value)} octets, the curve needs {2 * size}")
    return encode_dss_signature(int.from_bytes(value[:size], "big"), int.from_bytes(value[size:], "big"))
