"""Entries out of certificates and lists, and what the register in force means for trust."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import signing
from gateway.register.entry import IN_FORCE, NO_END, Entry, NewEntry, Purpose, State

_OUT = frozenset({State.RETIRED, State.REVOKED})


def fingerprint_of(certificate: x509.Certificate) -> str:
    """SHA-256, hex, lower case."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def of_certificate(
    purpose: Purpose,
    certificate: x509.Certificate,
    *,
    party: str = "",
    location: Mapping[str, Any] | None = None,
) -> NewEntry:
    """What the register keeps of a certificate."""
    return NewEntry(
        purpose=purpose,
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        serial=f"{certificate.serial_number:x}",
        fingerprint=fingerprint_of(certificate),
        valid_from=certificate.not_valid_before_utc,
        valid_to=certificate.not_valid_after_utc,
        octets=certificate.public_bytes(Encoding.DER),
        party=party,
        location=location or {},
    )


def of_crl(der: bytes) -> NewEntry:
    """What the register keeps of a revocation list; its serial is its number. Raises ValueError."""
    crl = x509.load_der_x509_crl(der)
    name = crl.issuer.rfc4514_string()
    try:
        number = f"{crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number:x}"
    except x509.ExtensionNotFound:
        number = ""
    return NewEntry(
        purpose=Purpose.CRL,
        subject=name,
        issuer=name,
        serial=number,
        fingerprint=hashlib.sha256(der).hexdigest(),
        valid_from=crl.last_update_utc,
        valid_to=crl.next_update_utc or NO_END,
        octets=der,
    )


def certificates(entries: Iterable[Entry], purpose: Purpose) -> tuple[x509.Certificate, ...]:
    """Those of a purpose that are in force."""
    return tuple(
        x509.load_der_x509_certificate(entry.octets)
        for entry in entries
        if entry.purpose is purpose and entry.state in IN_FORCE
    )


def out(entries: Iterable[Entry], purpose: Purpose) -> tuple[x509.Certificate, ...]:
    """Those of a purpose that are trusted no more, wherever else they may stand."""
    return tuple(
        x509.load_der_x509_certificate(entry.octets)
        for entry in entries
        if entry.purpose is purpose and entry.state in _OUT
    )


def crls(entries: Iterable[Entry]) -> tuple[bytes, ...]:
    """The revocation lists in force."""
    return tuple(e.octets for e in entries if e.purpose is Purpose.CRL and e.state in IN_FORCE)


def additions(entries: Sequence[Entry]) -> signing.Additions:
    """What the register adds to the trust folder, and what it takes from it."""
    dropped = (*out(entries, Purpose.ANCHOR), *out(entries, Purpose.INTERMEDIATE))
    return signing.Additions(
        certificates(entries, Purpose.ANCHOR),
        certificates(entries, Purpose.INTERMEDIATE),
        crls(entries),
        frozenset(fingerprint_of(one) for one in dropped),
    )
