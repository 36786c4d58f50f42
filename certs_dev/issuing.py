"""Makes keys, certificates and CRLs (RFC 5280) for the development PKI. Pure: no files, no clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs_dev.plan import KeyKind, Profile

MARK = "DEVELOPMENT ONLY"
"""In the OU of every subject; production refuses to start with it."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_NO_USAGE = {
    "digital_signature": False,
    "content_commitment": False,
    "key_encipherment": False,
    "data_encipherment": False,
    "key_agreement": False,
    "key_cert_sign": False,
    "crl_sign": False,
    "encipher_only": False,
    "decipher_only": False,
}
_USAGE: dict[Profile, tuple[str, ...]] = {
    "signer": ("digital_signature", "content_commitment"),
    "encipherment": ("key_encipherment",),
    "server": ("digital_signature",),
    "client": ("digital_signature",),
    "stamps": ("digital_signature",),
}
_EXTENDED_USAGE = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "stamps": ExtendedKeyUsageOID.TIME_STAMPING,
}
_REVOKED_FOR = x509.ReasonFlags.key_compromise


@dataclass(frozen=True, slots=True)
class Issuer:
    """An authority at work: its key, its certificate, and where it says its CRL lies."""

    key: PrivateKey
    certificate: x509.Certificate
    crl_url: str


@dataclass(frozen=True, slots=True)
class Validity:
    """From and to, both aware, seconds precision."""

    start: datetime
    end: datetime

    @classmethod
    def around(cls, at: datetime, days: tuple[int, int]) -> Validity:
        """Days relative to `at`."""
        if at.tzinfo is None:
            raise ValueError("an aware datetime is needed")
        moment = at.replace(microsecond=0)
        return cls(moment + timedelta(days=days[0]), moment + timedelta(days=days[1]))


def make_key(kind: KeyKind, rsa_bits: int = 2048) -> PrivateKey:
    """A fresh private key; `rsa_bits` is the size of the kind `rsa`."""
    if kind == "p256":
        return ec.generate_private_key(ec.SECP256R1())
    bits = rsa_bits if kind == "rsa" else int(kind.removeprefix("rsa-"))
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def subject(name: str, *, place: str | None = None, uid: str | None = None) -> x509.Name:
    """A subject in the Vietnamese public CAs' style: C, L, O, OU, CN, UID; UID bears `MST:…` or `CCCD:…`."""
    values = [
        (NameOID.COUNTRY_NAME, "VN"),
        (NameOID.LOCALITY_NAME, place),
        (NameOID.ORGANIZATION_NAME, name),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, MARK),
        (NameOID.COMMON_NAME, name),
        (NameOID.USER_ID, uid),
    ]
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in values if value is not None])


def certify_authority(
    name: str, key: PrivateKey, validity: Validity, issuer: Issuer | None
) -> x509.Certificate:
    """A CA certificate; without an issuer a self-signed root."""
    who = subject(name)
    signer = issuer.key if issuer else key
    builder = _base(who, key, validity, issuer.certificate.subject if issuer else who, signer)
    path_length = 0 if issuer else None
    usage = x509.KeyUsage(**{**_NO_USAGE, "key_cert_sign": True, "crl_sign": True})
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    builder = builder.add_extension(usage, critical=True)
    if issuer:
        builder = builder.add_extension(_crl_points(issuer.crl_url), critical=False)
    return builder.sign(signer, hashes.SHA256())


def certify_holder(
    who: x509.Name, key: PrivateKey, validity: Validity, issuer: Issuer, profile: Profile
) -> x509.Certificate:
    """An end-entity certificate. Profile `server` is for localhost, 127.0.0.1 and ::1."""
    builder = _base(who, key, validity, issuer.certificate.subject, issuer.key)
    usage = x509.KeyUsage(**{**_NO_USAGE, **dict.fromkeys(_USAGE[profile], True)})
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(_crl_points(issuer.crl_url), critical=False)
    if profile in _EXTENDED_USAGE:
        usages = x509.ExtendedKeyUsage([_EXTENDED_USAGE[profile]])
        builder = builder.add_extension(usages, critical=profile == "stamps")  # RFC 3161 clause 2.3
    if profile == "server":
        hosts = [x509.DNSName("localhost"), *(x509.IPAddress(ip_address(a)) for a in ("127.0.0.1", "::1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(hosts), critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def issue_crl(
    issuer: Issuer, at: datetime, days: int, number: int, revoked: Iterable[x509.RevokedCertificate]
) -> x509.CertificateRevocationList:
    """A full CRL, valid from an hour before `at` (clocks differ) for `days` days."""
    moment = at.replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuer.certificate.subject,
        last_update=moment - timedelta(hours=1),
        next_update=moment + timedelta(days=days),
        revoked_certificates=list(revoked),
    )
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(authority, critical=False)
    return builder.sign(issuer.key, hashes.SHA256())


def revocation(certificate: x509.Certificate, at: datetime) -> x509.RevokedCertificate:
    """A CRL entry: revoked at `at`, key compromised."""
    builder = x509.RevokedCertificateBuilder(certificate.serial_number, at.replace(microsecond=0))
    return builder.add_extension(x509.CRLReason(_REVOKED_FOR), critical=False).build()


def _base(
    who: x509.Name, key: PrivateKey, validity: Validity, issuer_name: x509.Name, issuer_key: PrivateKey
) -> x509.CertificateBuilder:
    public = key.public_key()
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = x509.CertificateBuilder(
        issuer_name=issuer_name,
        subject_name=who,
        public_key=public,
        serial_number=x509.random_serial_number(),
        not_valid_before=validity.start,
        not_valid_after=validity.end,
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    return builder.add_extension(authority, critical=False)


def _crl_points(url: str) -> x509.CRLDistributionPoints:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point])
