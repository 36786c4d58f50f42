"""Finding a certificate that a signature only names, among those that the caller supplied (XMLDSig 1.1 clause 4.5.4).

Names are compared leniently: which of the certificates found it is, the signature value decides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from signing.algorithms import DIGESTS, digest
from signing.certificates import extension, is_readable, public_key_of
from signing.keyinfo import Hints

MAX_NAME_CHARACTERS = 2048
_TYPES = {
    "CN": "2.5.4.3", "SN": "2.5.4.4", "SERIALNUMBER": "2.5.4.5", "C": "2.5.4.6", "L": "2.5.4.7", "ST": "2.5.4.8",
    "S": "2.5.4.8", "STREET": "2.5.4.9", "O": "2.5.4.10", "OU": "2.5.4.11", "T": "2.5.4.12", "TITLE": "2.5.4.12",
    "GN": "2.5.4.42", "GIVENNAME": "2.5.4.42", "SURNAME": "2.5.4.4", "UID": "0.9.2342.19200300.100.1.1",
    "DC": "0.9.2342.19200300.100.1.25", "E": "1.2.840.113549.1.9.1", "EMAIL": "1.2.840.113549.1.9.1",
    "EMAILADDRESS": "1.2.840.113549.1.9.1", "ORGANIZATIONIDENTIFIER": "2.5.4.97",
}  # fmt: skip
_ESCAPED = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
_SEPARATOR = re.compile(r'((?:\\.|"(?:\\.|[^"\\])*"|[^,;+"\\])*)([,;+]|$)', re.DOTALL)

Name = tuple[frozenset[tuple[str, str]], ...]


def named_certificates(hints: Hints, pool: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The certificates of the pool that some hint names, in the order of the hints."""
    readable = [certificate for certificate in pool if is_readable(certificate)]
    found: dict[x509.Certificate, None] = {}
    for certificate in (c for test in _tests(hints) for c in readable if test(c)):
        found[certificate] = None
    return tuple(found)


def _tests(hints: Hints) -> Iterator[_Test]:
    yield from (_Test(subject=_parsed(text)) for text in hints.subjects)
    yield from (_Test(issuer=_parsed(text), serial=serial) for text, serial in hints.serials)
    yield from (_Test(key_identifier=octets) for octets in hints.key_identifiers)
    yield from (_Test(digest=(DIGESTS[uri], value)) for uri, value in hints.digests if uri in DIGESTS)


class _Test:
    """Whether a certificate is the one that a hint names."""

    def __init__(
        self,
        subject: Name = (),
        issuer: Name = (),
        serial: int | None = None,
        key_identifier: bytes = b"",
        digest: tuple[str, bytes] | None = None,
    ) -> None:
        self.subject, self.issuer, self.serial = subject, issuer, serial
        self.key_identifier, self.digest = key_identifier, digest

    def __call__(self, certificate: x509.Certificate) -> bool:
        if self.digest is not None:
            return digest(self.digest[0], certificate.public_bytes(Encoding.DER)) == self.digest[1]
        if self.key_identifier:
            return self.key_identifier in _key_identifiers(certificate)
        if self.serial is not None:
            return self.serial == certificate.serial_number and _same(self.issuer, certificate.issuer)
        return _same(self.subject, certificate.subject)


@lru_cache(maxsize=256)
def _key_identifiers(certificate: x509.Certificate) -> tuple[bytes, ...]:
    said = extension(certificate, x509.SubjectKeyIdentifier)
    computed = x509.SubjectKeyIdentifier.from_public_key(public_key_of(certificate)).digest
    return (computed,) if said is None else (said.digest, computed)


def _same(said: Name, name: x509.Name) -> bool:
    """Equal in either order: RFC 4514 writes a name backwards, some software does not."""
    real = tuple(frozenset((a.oid.dotted_string, _folded(a.value)) for a in rdn) for rdn in name.rdns)
    return bool(said) and said in (real, real[::-1])


def _folded(value: str | bytes) -> str:
    """Case and runs of white space do not count (RFC 5280 clause 7.1)."""
    return " ".join((value if isinstance(value, str) else "#" + value.hex()).split()).casefold()


def _parsed(text: str) -> Name:
    """RFC 4514 and its older relatives (RFC 2253, RFC 1779); empty where it is none."""
    relative: list[frozenset[tuple[str, str]]] = []
    current: set[tuple[str, str]] = set()
    for part, end in _SEPARATOR.findall(text.strip()[:MAX_NAME_CHARACTERS]):
        kind, equals, value = part.partition("=")
        if not equals:
            break
        kind = kind.strip().upper().removeprefix("OID.")
        current.add((_TYPES.get(kind, kind), _folded(_unescaped(value))))
        if end != "+":
            relative.append(frozenset(current))
            current = set()
    return tuple(relative)


def _unescaped(value: str) -> str:
    value = value.lstrip()
    if value.startswith('"') and value.rstrip().endswith('"') and len(value) > 1:
        value = value.rstrip()[1:-1]
    return _ESCAPED.sub(
        lambda m: bytes.fromhex(m[1].replace("\\", "")).decode("utf-8", "replace") if m[1] else m[2], value
    )
