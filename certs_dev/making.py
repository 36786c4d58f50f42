"""Makes the development PKI that `pki.toml` describes: whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from certs_dev import files
from certs_dev.issuing import (
    Issuer,
    Validity,
    certify_authority,
    certify_holder,
    issue_crl,
    make_key,
    revocation,
    subject,
)
from certs_dev.pki import (
    MANIFEST,
    PKCS12_PASSWORD,
    DevPki,
    Manifest,
    PkiError,
    crl_files,
    crl_url,
    key_pem,
    load,
    save_identity,
)
from certs_dev.plan import Holder, Plan, Role, load_plan

_SHOWN_IN: dict[Role, str | None] = {
    "anchor": "trust/anchors",
    "intermediate": "trust/intermediates",
    "tls": "tls",
    "clients": "clients",
    "admins": "admins",
    "untrusted": None,
}


def make(directory: Path, *, at: datetime, rsa_bits: int = 2048) -> DevPki:
    """The development PKI in `directory`, made if it is not there: about 3 s, mostly RSA keys.

    One that is complete is reused, with CRLs renewed where they end soon. It is built beside `directory` and
    renamed into place, so that an interruption, or a second process, leaves no half PKI.

    Args:
        directory: absent, empty, or made by this function before.
        at: the day of making, aware; all validity follows from it.
        rsa_bits: size of the RSA keys that the description leaves open.

    Raises:
        PkiError: `directory` holds something else, or a PKI of another description.
    """
    if at.tzinfo is None:
        raise ValueError("an aware datetime is needed")
    if not (directory / MANIFEST).exists():
        _refuse_foreign(directory)
        files.make_directory(directory.parent)
        workshop = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            _Making(workshop, load_plan(), at, rsa_bits).build()
            _settle(workshop, directory)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)
    pki = load(directory)
    pki.refresh_crls(at)
    return pki


def _refuse_foreign(directory: Path) -> None:
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise PkiError(f"{directory} holds something else than a development PKI: choose another place")


def _settle(workshop: Path, directory: Path) -> None:
    for path in (*workshop.rglob("*"), workshop):
        if path.is_dir():
            files.sync_directory(path)
    try:
        workshop.rename(directory)
    except OSError:
        # Another process was faster (a directory that is not empty cannot be renamed over): its PKI counts.
        if not (directory / MANIFEST).exists():
            raise
    files.sync_directory(directory.parent)


@dataclass(frozen=True, slots=True)
class _Making:
    """One making: where, of what, as of when; `issuers` fills up in the order of the description."""

    place: Path
    plan: Plan
    at: datetime
    rsa_bits: int
    issuers: dict[str, Issuer] = field(default_factory=dict)

    def build(self) -> None:
        plan = self.plan
        for name in plan.authorities:
            self.issuers[name] = self.authority(name)
        revoked: dict[str, list[x509.RevokedCertificate]] = {name: [] for name in plan.authorities}
        for name, holder in plan.identities.items():
            certificate = self.identity(name, holder)
            if holder.revoked is not None:
                revoked[holder.issuer].append(revocation(certificate, self.at + timedelta(holder.revoked)))
        for name, issuer in self.issuers.items():
            crl = issue_crl(issuer, self.at, plan.defaults.crl_days, 1, revoked[name])
            for path, data in crl_files(self.place, plan, name, crl):
                files.write_new(path, data)
        files.write_new(self.place / MANIFEST, msgspec.json.encode(Manifest(plan.digest, self.at)))

    def authority(self, name: str) -> Issuer:
        described = self.plan.authorities[name]
        key = make_key(described.key, self.rsa_bits)
        validity = Validity.around(self.at, self.plan.defaults.authority_valid)
        parent = self.issuers[described.issuer] if described.issuer else None
        certificate = certify_authority(described.name, key, validity, parent)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        files.write_new(self.place / "authorities" / f"{name}.key", key_pem(key))
        files.write_new(self.place / "authorities" / f"{name}.pem", pem)
        folder = _SHOWN_IN[described.role]
        if folder is not None:
            files.write_new(self.place / folder / f"{name}.pem", pem)
        return Issuer(key, certificate, crl_url(self.plan, name))

    def identity(self, name: str, holder: Holder) -> x509.Certificate:
        key = make_key(holder.key, self.rsa_bits)
        validity = Validity.around(self.at, holder.valid or self.plan.defaults.identity_valid)
        who = subject(holder.name, place=holder.place, uid=holder.uid)
        certificate = certify_holder(who, key, validity, self.issuers[holder.issuer], holder.profile)
        chain = tuple(self.issuers[a].certificate for a in self.plan.intermediates(holder.issuer))
        home = self.place / "identities" / name
        save_identity(home, name, key, certificate, chain)
        if holder.pkcs12:
            protection = serialization.BestAvailableEncryption(PKCS12_PASSWORD)
            bundle = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, chain, protection)
            files.write_new(home / "bundle.p12", bundle)
        return certificate
