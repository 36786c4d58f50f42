"""What the operator trusts: anchors, intermediate CA certificates, revocation lists. Read from a directory."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from signing.certificates import load_certificate
from signing.path import PathFinder
from signing.revocation import CrlRefused, RevocationIndex

_T = TypeVar("_T")
_PEM_CRL = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)


class TrustRefused(Exception):
    """A file of the trust directory is broken; the text names the file and the fault."""


@dataclass(frozen=True)
class TrustStore:
    """Anchors and intermediates do not change within a store: new certificates make a new store with an empty cache.

    CRLs may be added to `revocation` at any time; status is never cached.
    """

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...] = ()
    revocation: RevocationIndex = field(default_factory=RevocationIndex)
    paths: PathFinder = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", PathFinder(self.anchors, self.intermediates))

    @classmethod
    def of(
        cls,
        anchors: Iterable[x509.Certificate],
        intermediates: Iterable[x509.Certificate] = (),
        crls: Iterable[bytes] = (),
    ) -> TrustStore:
        """A store from objects; `crls` in DER. Raises CrlRefused."""
        roots, pool = tuple(anchors), tuple(intermediates)
        revocation = RevocationIndex((*roots, *pool))
        for crl in crls:
            revocation.add_crl(crl)
        return cls(roots, pool, revocation)

    @classmethod
    def load(cls, directory: Path | str) -> TrustStore:
        """Read `anchors/`, `intermediates/`, `crls/` under a directory: PEM (several a file), DER, PKCS#7.

        At least one anchor is needed; the other folders may be absent. Raises TrustRefused naming the broken file.
        """
        base = Path(directory)
        anchors = tuple(_read_all(base / "anchors", read_certificates))
        if not anchors:
            raise TrustRefused(f"{base / 'anchors'}: no trust anchor, nothing could ever be trusted")
        intermediates = tuple(_read_all(base / "intermediates", read_certificates))
        revocation = RevocationIndex((*anchors, *intermediates))

        def add(data: bytes) -> list[None]:
            for der in read_crls(data):
                revocation.add_crl(der)
            return []

        for _ in _read_all(base / "crls", add):
            pass
        return cls(anchors, intermediates, revocation)


def _read_all(folder: Path, read: Callable[[bytes], Iterable[_T]]) -> Iterator[_T]:
    if not folder.is_dir():
        return
    for file in sorted(folder.iterdir()):
        if file.name.startswith(".") or not file.is_file():
            continue
        try:
            yield from read(file.read_bytes())
        except (ValueError, OSError, CrlRefused, x509.InvalidVersion) as error:
            raise TrustRefused(f"{file}: {error}") from None


def read_certificates(data: bytes) -> list[x509.Certificate]:
    """Certificates in PEM (several), DER or PKCS#7. Raises ValueError, or x509.InvalidVersion."""
    if b"-----BEGIN PKCS7-----" in data:
        found = pkcs7.load_pem_pkcs7_certificates(data)
    elif b"-----BEGIN CERTIFICATE-----" in data:
        found = x509.load_pem_x509_certificates(data)
    else:
        try:
            found = [x509.load_der_x509_certificate(data)]
        except ValueError:
            found = pkcs7.load_der_pkcs7_certificates(data)
    return [load_certificate(certificate.public_bytes(Encoding.DER)) for certificate in found]


def read_crls(data: bytes) -> list[bytes]:
    """CRLs in DER, from DER or PEM (several). Raises ValueError for broken PEM."""
    blocks = _PEM_CRL.findall(data)
    if not blocks:
        return [data]
    return [x509.load_pem_x509_crl(block).public_bytes(Encoding.DER) for block in blocks]
