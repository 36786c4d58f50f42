"""A development PKI on disk: where things lie, how to revoke, how to issue more."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Literal, cast

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from certs_dev import files
from certs_dev.issuing import (
    Issuer,
    PrivateKey,
    Validity,
    certify_holder,
    issue_crl,
    make_key,
    revocation,
    subject,
)
from certs_dev.plan import KeyKind, Plan, Profile, load_plan
from certs_dev.taxcodes import tax_codes

PKCS12_PASSWORD = b"development"
"""Opens every bundle.p12. No secret: the keys inside are worth nothing."""

MANIFEST = "pki.json"
_PEM = serialization.Encoding.PEM
_RENEW_BEFORE = timedelta(days=7)


class PkiError(Exception):
    """The directory holds no complete development PKI, or not the one described today."""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Says that the directory is complete, and of which description."""

    plan_digest: str
    made_at: datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """One holder's files: key (PKCS#8 PEM, no password), certificate, chain (certificate, then intermediates)."""

    name: str
    key: Path
    certificate: Path
    chain: Path
    pkcs12: Path | None

    def read_certificate(self) -> x509.Certificate:
        """The certificate, parsed."""
        return x509.load_pem_x509_certificate(self.certificate.read_bytes())


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate made on top of the described ones, in memory. `chain` holds the intermediates."""

    key: PrivateKey
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]

    @property
    def name(self) -> str:
        """The subject's common name."""
        return str(self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)

    @property
    def tax_code(self) -> str | None:
        """The tax code in the subject's UID, or None."""
        values = [str(a.value) for a in self.certificate.subject.get_attributes_for_oid(NameOID.USER_ID)]
        return next((v.removeprefix("MST:") for v in values if v.startswith("MST:")), None)

    def save(self, directory: Path) -> Identity:
        """Write key.pem, cert.pem and chain.pem into `directory` (new files only)."""
        return save_identity(directory, directory.name, self.key, self.certificate, self.chain)


@dataclass(frozen=True, slots=True)
class DevPki:
    """A complete development PKI in `directory`.

    `trust` has the layout anchors/*.pem, intermediates/*.pem, crls/*.crl (DER). Safe for several processes:
    CRLs are replaced at once, under a lock.
    """

    directory: Path
    plan: Plan
    made_at: datetime

    @property
    def trust(self) -> Path:
        """What a verifier of documents trusts: anchors, intermediates, CRLs."""
        return self.directory / "trust"

    @property
    def tls_ca(self) -> Path:
        """PEM: issuer of the server certificates of gateway and agency."""
        return self.directory / "tls" / "tls-ca.pem"

    @property
    def client_ca(self) -> Path:
        """PEM: issuer of the client certificates."""
        return self.directory / "clients" / "client-ca.pem"

    @property
    def admin_ca(self) -> Path:
        """PEM: issuer of the administrators' client certificates."""
        return self.directory / "admins" / "admin-ca.pem"

    @property
    def client_crl(self) -> Path:
        """PEM: the client CA's CRL."""
        return self.directory / "clients" / "client-ca.crl.pem"

    @property
    def names(self) -> tuple[str, ...]:
        """Every identity's name, in the order of the description."""
        return tuple(self.plan.identities)

    def __getitem__(self, name: str) -> Identity:
        """The identity called `name`. Raises KeyError naming those there are."""
        if name not in self.plan.identities:
            raise KeyError(f"no identity {name!r}; there are {', '.join(self.names)}")
        return identity_at(self.directory / "identities" / name, name)

    def authority(self, name: str) -> Issuer:
        """The authority called `name`, ready to issue."""
        key = serialization.load_pem_private_key(self._authority_file(name, "key").read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(self._authority_file(name, "pem").read_bytes())
        return Issuer(cast(PrivateKey, key), certificate, crl_url(self.plan, name))

    def intermediates(self, name: str) -> tuple[x509.Certificate, ...]:
        """The certificates between a leaf of authority `name` and its root, nearest first, root left out."""
        return tuple(self.authority(a).certificate for a in self.plan.intermediates(name))

    def crl(self, authority: str) -> x509.CertificateRevocationList:
        """The newest CRL of `authority`."""
        return x509.load_der_x509_crl(self._authority_file(authority, "crl").read_bytes())

    def revoke(self, name: str, at: datetime) -> None:
        """Revoke the identity `name` as of `at` and re-issue its authority's CRL; a repeat changes nothing."""
        self.revoke_certificate(self[name].read_certificate(), self.plan.identities[name].issuer, at)

    def revoke_certificate(self, certificate: x509.Certificate, authority: str, at: datetime) -> None:
        """The same for a certificate made by `issue` or `issue_taxpayers`."""
        with self._locked():
            crl = self.crl(authority)
            if crl.get_revoked_certificate_by_serial_number(certificate.serial_number) is None:
                self._reissue(authority, crl, at, [*crl, revocation(certificate, at)])

    def refresh_crls(self, at: datetime) -> tuple[str, ...]:
        """Re-issue every CRL that ends within a week of `at`; returns the authorities whose CRL is new."""
        renewed = []
        with self._locked():
            for name in self.plan.authorities:
                crl = self.crl(name)
                if crl.next_update_utc is None or crl.next_update_utc < at + _RENEW_BEFORE:
                    self._reissue(name, crl, at, list(crl))
                    renewed.append(name)
        return tuple(renewed)

    def issue(
        self,
        who: x509.Name,
        *,
        at: datetime,
        authority: str = "public-sub-ca",
        profile: Profile = "signer",
        key: KeyKind = "p256",
        valid: tuple[int, int] | None = None,
    ) -> Issued:
        """One more certificate for the subject `who` (see `subject`); `valid` in days relative to `at`."""
        validity = Validity.around(at, valid or self.plan.defaults.identity_valid)
        issuer, private = self.authority(authority), make_key(key)
        certificate = certify_holder(who, private, validity, issuer, profile)
        return Issued(private, certificate, self.intermediates(authority))

    def issue_taxpayers(
        self, count: int, *, at: datetime, kind: Literal["p256", "rsa"] = "rsa", pool: int = 4
    ) -> Iterator[Issued]:
        """`count` taxpayers with distinct valid tax codes, lazily: about 1 ms each.

        RSA keys come from a pool of `pool` keys, shared in turn; every P-256 key is its own.
        """
        authority = "public-sub-ca"
        issuer, chain = self.authority(authority), self.intermediates(authority)
        validity = Validity.around(at, self.plan.defaults.identity_valid)
        keys = [make_key("rsa") for _ in range(min(pool, count))] if kind == "rsa" else []
        for index, code in enumerate(islice(tax_codes(), count)):
            who = subject(f"CÔNG TY TNHH THỬ NGHIỆM {index + 1}", place="Hà Nội", uid=f"MST:{code}")
            private = keys[index % pool] if keys else make_key("p256")
            yield Issued(private, certify_holder(who, private, validity, issuer, "signer"), chain)

    def _authority_file(self, name: str, suffix: str) -> Path:
        return self.directory / "authorities" / f"{name}.{suffix}"

    def _reissue(
        self,
        name: str,
        old: x509.CertificateRevocationList,
        at: datetime,
        revoked: list[x509.RevokedCertificate],
    ) -> None:
        number = old.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number + 1
        fresh = issue_crl(self.authority(name), at, self.plan.defaults.crl_days, number, revoked)
        for path, data in crl_files(self.directory, self.plan, name, fresh):
            files.replace(path, data)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        descriptor = os.open(self.directory / MANIFEST, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)


def load(directory: Path) -> DevPki:
    """The complete PKI in `directory`. Raises PkiError where there is none, or one of another description."""
    path = directory / MANIFEST
    try:
        manifest = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise PkiError(
            f"no development PKI in {directory}: make one with `python -m certs_dev DIR`"
        ) from None
    except (OSError, msgspec.MsgspecError) as error:
        raise PkiError(f"{path} cannot be read: {error}") from error
    plan = load_plan()
    if manifest.plan_digest != plan.digest:
        raise PkiError(
            f"{directory} was made from another description than today's: delete it and make it anew"
        )
    return DevPki(directory, plan, manifest.made_at)


def crl_url(plan: Plan, authority: str) -> str:
    """Where certificates say the CRL of `authority` lies (a name that never resolves)."""
    return plan.defaults.crl_url.format(authority=authority)


def crl_files(
    directory: Path, plan: Plan, authority: str, crl: x509.CertificateRevocationList
) -> Iterator[tuple[Path, bytes]]:
    """Every file that the CRL of `authority` is kept in, with its content."""
    der = crl.public_bytes(serialization.Encoding.DER)
    yield directory / "authorities" / f"{authority}.crl", der
    match plan.authorities[authority].role:
        case "anchor" | "intermediate":
            yield directory / "trust" / "crls" / f"{authority}.crl", der
        case "clients" | "admins" as folder:
            yield directory / folder / f"{authority}.crl", der
            yield directory / folder / f"{authority}.crl.pem", crl.public_bytes(_PEM)
        case "tls" | "untrusted":
            pass


def identity_at(directory: Path, name: str) -> Identity:
    """The identity whose files lie in `directory`."""
    bundle = directory / "bundle.p12"
    chain = directory / "chain.pem"
    return Identity(
        name, directory / "key.pem", directory / "cert.pem", chain, bundle if bundle.exists() else None
    )


def save_identity(
    directory: Path,
    name: str,
    key: PrivateKey,
    certificate: x509.Certificate,
    chain: tuple[x509.Certificate, ...],
) -> Identity:
    """Write an identity's PEM files, 0600, into `directory`. Raises FileExistsError rather than overwrite."""
    pem = certificate.public_bytes(_PEM)
    files.write_new(directory / "key.pem", key_pem(key))
    files.write_new(directory / "cert.pem", pem)
    files.write_new(directory / "chain.pem", pem + b"".join(c.public_bytes(_PEM) for c in chain))
    return identity_at(directory, name)


def key_pem(key: PrivateKey) -> bytes:
    """PKCS#8, unencrypted: nothing here is worth a password."""
    return key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
