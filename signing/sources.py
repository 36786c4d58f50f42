"""Where revocation answers may be fetched: addresses in certificates that led to an anchor. Remembered, not asked."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from signing.certificates import extension
from signing.crl import distribution_points
from signing.path import CertificatePath

KEPT = 1024
"""Links remembered; those seen last stay."""


@dataclass(frozen=True, slots=True)
class Source:
    """A certificate with its issuer: `crls` tell of all of that issuer's, `ocsp` of this one."""

    certificate: x509.Certificate
    issuer: x509.Certificate
    crls: tuple[str, ...]
    ocsp: tuple[str, ...]


class Sources:
    """Links of paths that were judged. Only such: an address in a stranger's certificate is never remembered.

    `begun`: whether the store's own CAs have been noted.
    """

    def __init__(self) -> None:
        self.begun = False
        self._lock = threading.Lock()
        self._links: OrderedDict[x509.Certificate, x509.Certificate] = OrderedDict()

    def note(self, path: CertificatePath) -> None:
        """Remember the links of a path that ends at an anchor."""
        with self._lock:
            for certificate, issuer in zip(path.certificates, path.certificates[1:], strict=False):
                self._links[certificate] = issuer
                self._links.move_to_end(certificate)
            while len(self._links) > KEPT:
                self._links.popitem(last=False)

    def recall(self, path: CertificatePath) -> None:
        """Take in the links of a path remembered earlier, while there is room: what is seen now comes first."""
        with self._lock:
            for certificate, issuer in zip(path.certificates, path.certificates[1:], strict=False):
                if certificate not in self._links and len(self._links) < KEPT:
                    self._links[certificate] = issuer
                    self._links.move_to_end(certificate, last=False)

    def known(self) -> Iterator[Source]:
        """What has been remembered, latest first."""
        with self._lock:
            links = list(reversed(self._links.items()))
        for certificate, issuer in links:
            crls = tuple(sorted(distribution_points(certificate)))
            yield Source(certificate, issuer, crls, _ocsp_of(certificate))


def _ocsp_of(certificate: x509.Certificate) -> tuple[str, ...]:
    access = extension(certificate, x509.AuthorityInformationAccess)
    places = [
        d.access_location for d in access or () if d.access_method == AuthorityInformationAccessOID.OCSP
    ]
    return tuple(str(place.value) for place in places if isinstance(place, x509.UniformResourceIdentifier))
