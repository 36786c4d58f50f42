"""What production refuses to start with."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import signing
from gateway.errors import ConfigurationError
from gateway.settings import URL_SCHEMES, NoticeSettings, Settings

DEVELOPMENT_MARK = "DEVELOPMENT ONLY"
LOOPBACK = {"", "localhost", "127.0.0.1", "[::1]"}
LEAST_RSA_BITS = 2048
LEAST_CURVE_BITS = 256
NOT_FOR_FILINGS = ("conformance", "tax-legacy")
_CREDENTIALS = ("client_key", "password_file", "_secret_file")


def require_fit_for_production(settings: Settings) -> None:
    """Raises ConfigurationError, with every fault at once; in development mode there are none."""
    if settings.mode == "production" and (faults := list(_faults(settings))):
        raise ConfigurationError(faults)


def require_no_development_key(settings: Settings, certificate: x509.Certificate) -> None:
    """The same for the certificate of the key that signs notices, wherever that is. Raises ConfigurationError."""
    if settings.mode == "production" and DEVELOPMENT_MARK in certificate.subject.rfc4514_string():
        raise ConfigurationError(
            [
                "[notices] the key's certificate is a development certificate; production does not start with it"
            ]
        )


def _faults(settings: Settings) -> Iterator[str]:
    if settings.trust.policy in NOT_FOR_FILINGS:
        yield f"trust.policy {settings.trust.policy!r} is not for filings: it takes what the law no longer does"
    for file in _certificate_files(settings):
        try:
            certificates = signing.read_certificates(file.read_bytes())
        except (OSError, ValueError, x509.InvalidVersion) as error:
            yield f"{file}: not a readable certificate ({error})"
            continue
        for certificate in certificates:
            if DEVELOPMENT_MARK in certificate.subject.rfc4514_string():
                yield f"{file}: a development certificate; production does not start with it"
            if file.parent.parent != settings.trust.directory and _weak(certificate):
                yield f"{file}: a weak key, RSA below {LEAST_RSA_BITS} bits or a curve below {LEAST_CURVE_BITS}"
    yield from _store_faults(settings.store)
    if (s3 := settings.bodies.s3) is not None and s3.endpoint is not None:
        place = urlsplit(s3.endpoint)
        if place.scheme != "https" and place.hostname not in LOOPBACK:
            yield f"[bodies.s3] endpoint {s3.endpoint}: declarations cross no network in the clear; https is needed"
    for file in key_files(settings):
        if file.exists() and readable_by_others(file):
            yield f"{file}: the key is readable by others; chmod 600"


def _weak(certificate: x509.Certificate) -> bool:
    with suppress(ValueError, UnsupportedAlgorithm):
        key = certificate.public_key()
        if isinstance(key, ec.EllipticCurvePublicKey):
            return key.key_size < LEAST_CURVE_BITS
        return isinstance(key, rsa.RSAPublicKey) and key.key_size < LEAST_RSA_BITS
    return False


def key_files(settings: Settings) -> Iterator[Path]:
    """All files of the installation that hold a key or a secret of ours."""
    yield settings.door.key
    if settings.admin is not None:
        yield settings.admin.key
    yield from settings.bodies.keys.values()
    yield from _notice_secrets(settings.notices)
    yield from _bucket_secrets(settings)
    yield from _agency_files(settings, _CREDENTIALS)
    hooks = (file for one in settings.warnings.webhook for file in (one.secret_file, one.token_file))
    passwords = (one.password_file for one in settings.warnings.mail)
    yield from (file for file in (*hooks, *passwords) if file is not None)


def readable_by_others(file: Path) -> bool:
    """Whether somebody beside its owner may read it. Raises OSError."""
    return bool(file.stat().st_mode & _others(file))


def _others(file: Path) -> int:
    """The bits by which others read it. A credential of systemd is let be read by an entry of its access list, and
    `st_mode` shows that list's mask as the group's bits."""
    credentials = os.environ.get("CREDENTIALS_DIRECTORY")
    listed = credentials is not None and file.resolve().is_relative_to(Path(credentials).resolve())
    return stat.S_IROTH if listed else stat.S_IRGRP | stat.S_IROTH


def _store_faults(store: str) -> Iterator[str]:
    """Declarations cross no network in the clear, nor to a server that anybody could be."""
    parts = urlsplit(store)
    if parts.scheme not in URL_SCHEMES:
        return
    said = dict(parse_qsl(parts.query))
    places = [*parts.netloc.rpartition("@")[2].split(","), *said.get("host", "").split(",")]
    hosts = {
        re.sub(r":\d+$", "", host) for host in places if not host.startswith("/")
    }  # a folder: a Unix socket
    if said.get("sslmode") != "verify-full" and not hosts <= LOOPBACK:
        yield "store: a PostgreSQL server elsewhere needs ?sslmode=verify-full&sslrootcert=…"


def _certificate_files(settings: Settings) -> Iterator[Path]:
    yield settings.door.certificate
    yield settings.door.client_ca
    if settings.admin is not None:
        yield settings.admin.certificate
        yield settings.admin.client_ca
        for person in settings.admin.person:
            yield from person.certificates
    if settings.notices.certificate is not None:
        yield settings.notices.certificate
    for folder in ("anchors", "intermediates", "lists/scheme"):
        places = sorted((settings.trust.directory / folder).glob("*"))
        yield from (file for file in places if file.is_file() and not file.name.startswith("."))
    for provider in settings.provider:
        yield from provider.certificates
    for agency in settings.agency:
        yield from agency.certificates
    yield from _agency_files(settings, ("ca_file", "_cert"))


def _bucket_secrets(settings: Settings) -> Iterator[Path]:
    if (s3 := settings.bodies.s3) is not None:
        yield from (file for file in (s3.access_key_file, s3.secret_key_file) if file is not None)


def _notice_secrets(notices: NoticeSettings) -> Iterator[Path]:
    files = [notices.key, notices.password_file]
    if notices.pkcs11 is not None:
        files.append(notices.pkcs11.pin_file)
    if notices.csc is not None:
        files += [notices.csc.token_file, notices.csc.client_secret_file, *notices.csc.secrets.values()]
    yield from (file for file in files if file is not None)


def _agency_files(settings: Settings, endings: tuple[str, ...]) -> Iterator[Path]:
    """The files that adapters are configured with, by the convention of `settings.py`."""
    for agency in settings.agency:
        for key, value in agency.config.items():
            if key.endswith(endings) and isinstance(value, str):
                yield Path(value)
