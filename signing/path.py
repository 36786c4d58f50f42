"""Certificate paths to the anchors (RFC 5280 clause 6), without time and without revocation: those are asked each time.

The path above the issuing CA is validated by certvalidator, once per CA; the leaf's own link is judged natively.
Where a CA of the path constrains names or policies, certvalidator judges the whole path of that leaf.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import SignatureAlgorithmOID
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.path import ValidationPath
from pyhanko_certvalidator.policy_decl import (
    NO_REVOCATION,
    AcceptAllAlgorithms,
    CertRevTrustPolicy,
)
from pyhanko_certvalidator.validate import async_validate_path

from signing.certificates import extension

_DSA = (
    SignatureAlgorithmOID.DSA_WITH_SHA1,
    SignatureAlgorithmOID.DSA_WITH_SHA224,
    SignatureAlgorithmOID.DSA_WITH_SHA256,
    SignatureAlgorithmOID.DSA_WITH_SHA384,
    SignatureAlgorithmOID.DSA_WITH_SHA512,
)
MAX_PATHS = 8
"""Paths tried for one CA: cross-certified pools can hold many."""
MAX_UNTRUSTED = 4
"""CA certificates taken out of a document: cross-signed among themselves, n of them make n! paths."""
CACHED_VERDICTS = 4096


@dataclass(frozen=True, slots=True)
class CertificatePath:
    """Leaf first, anchor last. Valid within [not_before, not_after], the part common to all its certificates."""

    certificates: tuple[x509.Certificate, ...]

    @property
    def not_before(self) -> datetime:
        """Start of the common validity."""
        return max(certificate.not_valid_before_utc for certificate in self.certificates)

    @property
    def not_after(self) -> datetime:
        """End of the common validity."""
        return min(certificate.not_valid_after_utc for certificate in self.certificates)


class PathFinder:
    """Paths of certificates under one set of anchors and intermediates; remembers what it found.

    Only positive answers are remembered: strangers' certificates cannot push known signers out.
    """

    def __init__(
        self, anchors: Iterable[x509.Certificate], intermediates: Iterable[x509.Certificate]
    ) -> None:
        self._anchors = tuple(anchors)
        self._pool = tuple(intermediates)
        self._by_subject: dict[bytes, list[x509.Certificate]] = {}
        for certificate in (*self._anchors, *self._pool):
            known = self._by_subject.setdefault(certificate.subject.public_bytes(), [])
            if certificate not in known:
                known.append(certificate)
        self._lock = Lock()
        self._found: OrderedDict[x509.Certificate, tuple[CertificatePath, ...]] = OrderedDict()
        self._ca_found: dict[x509.Certificate, tuple[CertificatePath, ...]] = {}

    def paths(
        self, certificate: x509.Certificate, untrusted: Iterable[x509.Certificate] = ()
    ) -> tuple[CertificatePath, ...]:
        """All paths known for a certificate, empty if there is none; `untrusted`: CA certificates out of a document."""
        with self._lock:
            found = self._found.get(certificate)
            if found is not None:
                self._found.move_to_end(certificate)
                return found
        found = self._search(certificate, ())
        if not found:
            extra = tuple(c for c in untrusted if c != certificate and may_issue(c))[:MAX_UNTRUSTED]
            return self._search(certificate, extra) if extra else ()
        with self._lock:
            self._found[certificate] = found
            while len(self._found) > CACHED_VERDICTS:
                self._found.popitem(last=False)
        return found

    def _search(
        self, leaf: x509.Certificate, untrusted: tuple[x509.Certificate, ...]
    ) -> tuple[CertificatePath, ...]:
        if leaf in self._anchors:
            return (CertificatePath((leaf,)),)
        issuer_name = leaf.issuer.public_bytes()
        issuers = list(self._by_subject.get(issuer_name, ()))
        issuers += [c for c in untrusted if c.subject.public_bytes() == issuer_name and c not in issuers]
        found = []
        for issuer in issuers:
            if not may_issue(issuer) or not _issued(leaf, issuer):
                continue
            for above in self._ca_paths(issuer, untrusted):
                path = CertificatePath((leaf, *above.certificates))
                if _lengths_hold(path) and (not _constrained(above) or self._judged_whole(path)):
                    found.append(path)
        return tuple(found)

    def _ca_paths(
        self, ca: x509.Certificate, untrusted: tuple[x509.Certificate, ...]
    ) -> tuple[CertificatePath, ...]:
        if ca in self._anchors:
            return (CertificatePath((ca,)),)
        known = self._ca_found.get(ca)
        if known is None:
            known = _in_own_loop(ca, self._anchors, (*self._pool, *untrusted))
            if not untrusted:
                self._ca_found[ca] = known
        return known

    def _judged_whole(self, path: CertificatePath) -> bool:
        found = _in_own_loop(path.certificates[0], self._anchors, path.certificates[1:])
        return any(judged.certificates == path.certificates for judged in found)


def may_issue(certificate: x509.Certificate) -> bool:
    """RFC 5280 clause 6.1.4 (k), (n): basicConstraints says CA, and keyUsage, where present, keyCertSign."""
    constraints = extension(certificate, x509.BasicConstraints)
    usage = extension(certificate, x509.KeyUsage)
    return constraints is not None and constraints.ca and (usage is None or usage.key_cert_sign)


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        key, algorithm = issuer.public_key(), certificate.signature_hash_algorithm
        if isinstance(key, dsa.DSAPublicKey) and algorithm is not None:  # which the X.509 library leaves out
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, algorithm)
            return certificate.issuer == issuer.subject and certificate.signature_algorithm_oid in _DSA
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _lengths_hold(path: CertificatePath) -> bool:
    """RFC 5280 clause 6.1.4 (l), (m); the anchor's own limit counts too."""
    below = 0
    for ca in path.certificates[1:]:
        constraints = extension(ca, x509.BasicConstraints)
        if (
            constraints is not None
            and constraints.path_length is not None
            and below > constraints.path_length
        ):
            return False
        if ca.subject != ca.issuer:
            below += 1
    return True


def _constrained(path: CertificatePath) -> bool:
    kinds = (x509.NameConstraints, x509.PolicyConstraints, x509.InhibitAnyPolicy)
    return any(extension(ca, kind) is not None for ca in path.certificates for kind in kinds)


def _in_own_loop(
    certificate: x509.Certificate, anchors: tuple[x509.Certificate, ...], pool: Iterable[x509.Certificate]
) -> tuple[CertificatePath, ...]:
    """certvalidator speaks asyncio; the caller may sit in a running loop, so it gets a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(asyncio.run, _validated(certificate, anchors, tuple(pool))).result()


async def _validated(
    certificate: x509.Certificate, anchors: tuple[x509.Certificate, ...], pool: tuple[x509.Certificate, ...]
) -> tuple[CertificatePath, ...]:
    found: list[CertificatePath] = []
    builder = _context(anchors, pool, certificate.not_valid_before_utc).path_builder
    candidates: list[ValidationPath] = []
    try:
        async for candidate in builder.async_build_paths_lazy(_asn1(certificate)):
            candidates.append(candidate)
            if len(candidates) == MAX_PATHS:
                break
    except Exception:  # strangers' DER makes certvalidator and asn1crypto raise several types: no path then
        return ()
    for candidate in candidates:
        path = _native(candidate, anchors)
        if path is None or path.not_before > path.not_after:
            continue
        context = _context(anchors, pool, path.not_before + timedelta(seconds=1))
        with suppress(Exception):  # as above; one path that cannot be judged does not hide the others
            await async_validate_path(context, candidate)
            found.append(path)
    return tuple(found)


def _context(
    anchors: tuple[x509.Certificate, ...], pool: tuple[x509.Certificate, ...], moment: datetime
) -> ValidationContext:
    # Dates, algorithms and revocation are judged here under the policy in use, not in this cached part.
    return ValidationContext(
        trust_roots=[_asn1(anchor) for anchor in anchors],
        other_certs=[_asn1(certificate) for certificate in pool],
        moment=moment,
        allow_fetching=False,
        revinfo_policy=CertRevTrustPolicy(NO_REVOCATION),
        algorithm_usage_policy=AcceptAllAlgorithms(),
    )


def _native(path: ValidationPath, anchors: tuple[x509.Certificate, ...]) -> CertificatePath | None:
    below = [
        x509.load_der_x509_certificate(c.dump()) for c in reversed(list(path.iter_certs(include_root=False)))
    ]
    authority = path.trust_anchor.authority
    root = getattr(authority, "certificate", None) or getattr(path.trust_anchor, "certificate", None)
    anchor = next(
        (a for a in anchors if root is not None and a.public_bytes(Encoding.DER) == root.dump()), None
    )
    return CertificatePath((*below, anchor)) if anchor is not None else None


def _asn1(certificate: x509.Certificate) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
