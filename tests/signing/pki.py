"""A small certification hierarchy made at test time; nothing of it is stored."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from signing import FileKey, TrustStore

AT = datetime(2026, 3, 20, 9, 0, tzinfo=UTC)
YEAR = timedelta(days=365)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


@lru_cache(maxsize=32)
def private_key(kind: str, number: int = 0) -> PrivateKey:
    """A key by kind ("rsa2048", "p256", "ed25519" …); the same kind and number give the same key in one run."""
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind[3:]))
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return ec.generate_private_key({"p256": ec.SECP256R1, "p384": ec.SECP384R1, "p521": ec.SECP521R1}[kind]())


def name(common_name: str, *attributes: x509.NameAttribute) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name), *attributes])


def usage(**on: bool) -> x509.KeyUsage:
    parts = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{part: on.get(part, False) for part in parts})


@dataclass
class Authority:
    """A certification authority: issues certificates and CRLs."""

    certificate: x509.Certificate
    key: PrivateKey
    revoked: list[tuple[int, datetime, x509.ReasonFlags]] = field(default_factory=list)

    def crl(
        self,
        this_update: datetime = AT - timedelta(hours=1),
        next_update: datetime = AT + timedelta(days=1),
        number: int = 1,
        extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
        key: PrivateKey | None = None,
    ) -> bytes:
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.certificate.subject)
        builder = builder.last_update(this_update).next_update(next_update)
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
        for value, critical in extra:
            builder = builder.add_extension(value, critical=critical)
        for serial, at, reason in self.revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at)
            builder = builder.add_revoked_certificate(
                entry.add_extension(x509.CRLReason(reason), critical=False).build()
            )
        return builder.sign(key or self.key, _hash(key or self.key)).public_bytes(Encoding.DER)


def _hash(key: PrivateKey) -> hashes.HashAlgorithm | None:
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()


def certificate(
    subject: x509.Name,
    key: PrivateKey,
    issuer: Authority | None,
    *,
    not_before: datetime = AT - YEAR,
    not_after: datetime = AT + YEAR,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> x509.Certificate:
    signing_key = issuer.key if issuer else key
    builder = x509.CertificateBuilder(
        issuer_name=issuer.certificate.subject if issuer else subject,
        subject_name=subject,
        public_key=key.public_key(),
        serial_number=x509.random_serial_number(),
        not_valid_before=not_before,
        not_valid_after=not_after,
    )
    for value, critical in extensions:
        builder = builder.add_extension(value, critical=critical)
    return builder.sign(signing_key, hash_algorithm or _hash(signing_key))


def authority(
    common_name: str,
    issuer: Authority | None = None,
    *,
    kind: str = "rsa2048",
    number: int = 0,
    path_length: int | None = None,
    not_before: datetime = AT - 3 * YEAR,
    not_after: datetime = AT + 3 * YEAR,
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    key_usage: x509.KeyUsage | None = None,
) -> Authority:
    key = private_key(kind, number)
    extensions = (
        (x509.BasicConstraints(ca=True, path_length=path_length), True),
        (key_usage or usage(key_cert_sign=True, crl_sign=True), True),
        *extra,
    )
    made = certificate(
        name(common_name), key, issuer, not_before=not_before, not_after=not_after, extensions=extensions
    )
    return Authority(made, key)


TAXPAYER = name("CÔNG TY CỔ PHẦN KIỂM THỬ", x509.NameAttribute(NameOID.USER_ID, "MST:0106324653"))
SIGNS: tuple[tuple[x509.ExtensionType, bool], ...] = (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (usage(digital_signature=True, content_commitment=True), True),
)


def signer(
    issuer: Authority,
    *,
    kind: str = "rsa2048",
    number: int = 10,
    subject: x509.Name = TAXPAYER,
    not_before: datetime = AT - YEAR,
    not_after: datetime = AT + YEAR,
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = SIGNS,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> FileKey:
    key = private_key(kind, number)
    made = certificate(
        subject,
        key,
        issuer,
        not_before=not_before,
        not_after=not_after,
        extensions=extensions,
        hash_algorithm=hash_algorithm,
    )
    return FileKey(key, made)


@dataclass
class Hierarchy:
    """Root → issuing CA → a taxpayer."""

    root: Authority
    ca: Authority
    taxpayer: FileKey

    def trust(self, *, crls: bool = True) -> TrustStore:
        """A store that knows this hierarchy, with fresh CRLs of both authorities or none."""
        lists = [self.root.crl(), self.ca.crl()] if crls else []
        return TrustStore.of([self.root.certificate], [self.ca.certificate], lists)


def hierarchy() -> Hierarchy:
    root = authority("Root of the tests", number=1)
    ca = authority("Issuing CA of the tests", root, number=2, path_length=0)
    return Hierarchy(root, ca, signer(ca))
