"""What a certificate says about its holder: names, tax codes, personal numbers; and questions asked of it natively."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

PublicKey = (
    rsa.RSAPublicKey
    | ec.EllipticCurvePublicKey
    | ed25519.Ed25519PublicKey
    | ed448.Ed448PublicKey
    | dsa.DSAPublicKey
)

MAX_CERTIFICATE_BYTES = 32_768
"""DER octets; genuine ones have 1-3 KB."""

# UID of RFC 4519 in today's subjects, O in older ones; CN is free text and proves no number.
_NUMBER_ATTRIBUTES = (NameOID.USER_ID, NameOID.ORGANIZATION_NAME)
_TAX_CODE = re.compile(r"MST:\s*(\d{10}|\d{12})(?:-?(\d{3}))?")
_PERSON = re.compile(r"(CCCD|CMND):\s*(\d{9}|\d{12})")

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


@dataclass(frozen=True, slots=True)
class Signer:
    """The holder of the signing certificate.

    `subject`, `issuer`: RFC 4514 text. `tax_codes`: 10 digits, 10-3 for a branch, 12 for a person, without `MST:`.
    `person_id`: `CCCD:…` (citizen identity card) or `CMND:…` (its predecessor). Times are aware, UTC.
    """

    subject: str
    common_name: str
    tax_codes: tuple[str, ...]
    person_id: str | None
    issuer: str
    serial: int
    not_before: datetime
    not_after: datetime

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values; the serial number in hexadecimal, because JSON readers round large integers."""
        return {
            "subject": self.subject,
            "common_name": self.common_name,
            "tax_codes": list(self.tax_codes),
            "person_id": self.person_id,
            "issuer": self.issuer,
            "serial": f"{self.serial:x}",
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
        }


@lru_cache(maxsize=2048)
def signer_of(certificate: x509.Certificate) -> Signer:
    """The holder that a certificate names."""
    numbers = list(_numbers(certificate))
    tax_codes = [m[1] + (f"-{m[2]}" if m[2] else "") for text in numbers if (m := _TAX_CODE.fullmatch(text))]
    persons = [f"{m[1]}:{m[2]}" for text in numbers if (m := _PERSON.fullmatch(text))]
    common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return Signer(
        subject=certificate.subject.rfc4514_string(),
        common_name=_text(common_names[0]) if common_names else "",
        tax_codes=tuple(dict.fromkeys(tax_codes)),
        person_id=persons[0] if persons else None,
        issuer=certificate.issuer.rfc4514_string(),
        serial=certificate.serial_number,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _numbers(certificate: x509.Certificate) -> Iterator[str]:
    for oid in _NUMBER_ATTRIBUTES:
        for attribute in certificate.subject.get_attributes_for_oid(oid):
            yield _text(attribute).strip()


def _text(attribute: x509.NameAttribute[str | bytes]) -> str:
    return attribute.value if isinstance(attribute.value, str) else attribute.value.hex()


class KeyUnsupported(ValueError):
    """A key of a kind, or on a curve, that no signature algorithm here uses; the text names it."""


def load_certificate(der: bytes, *, tolerant: bool = False) -> x509.Certificate:
    """Parse one DER certificate. Raises ValueError if it is too large, malformed, or its names or key unreadable
    (KeyUnsupported).

    `tolerant`: its extensions need not be readable (see is_readable): its key can verify a value, but no path is ever
    found for it.
    """
    if len(der) > MAX_CERTIFICATE_BYTES:
        raise ValueError(f"certificate of {len(der)} octets, at most {MAX_CERTIFICATE_BYTES} are taken")
    try:
        certificate = _load_certificate(der)
        if not tolerant:
            _ = certificate.extensions
    except ValueError:
        raise
    except Exception as error:  # InvalidVersion, DuplicateExtension …: no ValueErrors of the X.509 library
        raise ValueError(f"{type(error).__name__}: {error}") from None
    return certificate


@lru_cache(maxsize=1024)
def _load_certificate(der: bytes) -> x509.Certificate:
    certificate = x509.load_der_x509_certificate(der)
    # cryptography parses lazily: touch what is used later, so that a malformed part fails here.
    signer_of(certificate)
    public_key_of(certificate)
    return certificate


@lru_cache(maxsize=2048)
def is_readable(certificate: x509.Certificate) -> bool:
    """Whether its extensions can be read. Some real ones break DER or the character sets of their types."""
    try:
        _ = certificate.extensions
    except Exception:  # strangers' extensions raise several types
        return False
    return True


def pem_certificate(data: bytes) -> bytes:
    """DER of the one PEM certificate. Raises ValueError."""
    return x509.load_pem_x509_certificate(data).public_bytes(Encoding.DER)


@lru_cache(maxsize=2048)
def public_key_of(certificate: x509.Certificate) -> PublicKey:
    """The certified key. Raises KeyUnsupported."""
    return supported_key(certificate.public_key)


def supported_key(load: Callable[[], object]) -> PublicKey:
    """What `load` gives. Raises KeyUnsupported where it raises, or gives a key that nothing here uses."""
    try:
        key = load()
    except Exception as error:  # unknown curves and kinds raise different types in cryptography's releases
        raise KeyUnsupported(str(error)[:200]) from None
    if not isinstance(key, PublicKey):
        raise KeyUnsupported(type(key).__name__.removesuffix("PublicKey"))
    return key


def spki(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo (RFC 5280 clause 4.1), DER: two keys are the same if these octets are."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The extension of that kind, or None."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


@lru_cache(maxsize=2048)
def is_ca(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints says CA or keyUsage gives keyCertSign (RFC 5280 clauses 4.2.1.3, 4.2.1.9)."""
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    return bool(constraints and constraints.ca) or bool(usage and usage.key_cert_sign)
