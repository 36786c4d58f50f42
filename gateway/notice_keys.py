"""The key that signs notices, as the settings name it: a file, a token or HSM, a remote signing service."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509

import schemas
import signing
from gateway.errors import ConfigurationError
from gateway.intake.verify import SignatureRules
from gateway.notary import XmlNotary
from gateway.production import require_no_development_key
from gateway.register.entry import Entry, NewEntry, Purpose, active
from gateway.register.reading import fingerprint_of, of_certificate
from gateway.settings import NoticeSettings, ServiceKeySettings, Settings, TokenKeySettings, place_of
from gateway.time_stamps import TimeStamps


def notary_with(settings: Settings, key: signing.SigningKey, stamps: TimeStamps | None = None) -> XmlNotary:
    """The notary, as the settings name us, with a key."""
    us = settings.gateway
    return XmlNotary(
        key,
        declarations=schemas.Office(us.office_code, us.name),
        dossiers=schemas.Office(us.agency_code, us.name),
        seconds=settings.notices.seconds,
        stamps=stamps,
    )


def first_notary(
    settings: Settings, entries: Sequence[Entry], rules: SignatureRules, at: datetime, stamps: TimeStamps
) -> tuple[XmlNotary, NewEntry]:
    """The notary as a process starts with it, and the entry of its key.

    A key that the settings file names and the register does not know is the file's newest word, and counts. Else the
    register decides: the file still names the key with which all began. Raises ConfigurationError where nobody could
    prove what it signs; signing.KeyRefused.
    """
    key, entry = _first_key(settings.notices, entries)
    require_no_development_key(settings, key.certificate)
    notary = notary_with(settings, key, stamps)
    if faults := notary.faults(rules.policy, rules.trust, at):
        raise ConfigurationError(faults)
    return notary, entry


def _first_key(notices: NoticeSettings, entries: Sequence[Entry]) -> tuple[signing.SigningKey, NewEntry]:
    current, known = active(entries, Purpose.NOTICES), {entry.fingerprint for entry in entries}
    location = place_of(notices)
    elsewhere = notices.key is None and any(entry.location == location for entry in entries)
    key: signing.SigningKey | None = None
    if current is None or not elsewhere:
        try:
            key = open_notice_key(notices)
        except signing.KeyRefused:
            if current is None:
                raise
    if current is None or (key is not None and fingerprint_of(key.certificate) not in known):
        assert key is not None
        return key, of_certificate(Purpose.NOTICES, key.certificate, location=location)
    if key is None or fingerprint_of(key.certificate) != current.fingerprint:
        key = open_entry(current)
    return key, current


def open_entry(entry: NewEntry) -> signing.SigningKey:
    """The key of an entry, which must be the one that its certificate is of. Raises as `open_notice_key`."""
    key = open_notice_key(settings_of_location(entry.location))
    if fingerprint_of(key.certificate) != entry.fingerprint:
        raise signing.KeyRefused(
            f"{entry.id}: another certificate is there now: {fingerprint_of(key.certificate)}"
        )
    return key


def settings_of_location(location: Mapping[str, Any]) -> NoticeSettings:
    """The reverse of `place_of`. Raises ConfigurationError."""
    try:
        return msgspec.convert(dict(location), NoticeSettings, dec_hook=_decode)
    except msgspec.ValidationError as error:
        raise ConfigurationError([f"[notices] {error}"]) from error


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")


def open_notice_key(notices: NoticeSettings) -> signing.SigningKey:
    """Open it. Raises ConfigurationError, signing.KeyRefused; KeyUnavailable where it is out of reach now."""
    named = [name for name in ("key", "pkcs11", "csc") if getattr(notices, name) is not None]
    if len(named) != 1:
        raise ConfigurationError(["[notices] one of key, pkcs11, csc is needed"])
    if notices.pkcs11 is not None:
        return _of_token(notices.pkcs11)
    if notices.csc is not None:
        return _of_service(notices.csc)
    assert notices.key is not None
    password = notices.password_file.read_bytes().rstrip(b"\r\n") if notices.password_file else None
    if notices.key.suffix.lower() in (".p12", ".pfx"):
        return signing.FileKey.from_pkcs12(notices.key, password)
    if notices.certificate is None:
        raise ConfigurationError(["[notices] certificate: needed beside a key in PEM"])
    return signing.FileKey.from_pem(notices.key, notices.certificate, password)


def _of_token(token: TokenKeySettings) -> signing.SigningKey:
    from signing.keys.token import TokenKey  # noqa: PLC0415  # loads a native library

    held = (
        () if token.certificate is None else x509.load_pem_x509_certificates(token.certificate.read_bytes())
    )
    return TokenKey.open(
        token.module,
        token.token,
        _secret(token.pin_file),
        key_label=token.key_label,
        key_id=bytes.fromhex(token.key_id) if token.key_id else None,
        certificates=tuple(held),
    )


def _of_service(service: ServiceKeySettings) -> signing.SigningKey:
    from signing.keys.bearer import Bearer, ClientCredentials, TokenFile  # noqa: PLC0415  # speaks HTTP
    from signing.keys.remote import CscService, RemoteKey  # noqa: PLC0415

    tls = ssl.create_default_context(cafile=service.ca) if service.ca else None
    bearer: Bearer
    if service.token_file is not None:
        bearer = TokenFile(service.token_file)
    elif service.oauth_url and service.client and service.client_secret_file is not None:
        secret = _secret(service.client_secret_file)
        bearer = ClientCredentials(service.oauth_url, service.client, secret, tls=tls)
    else:
        raise ConfigurationError(
            ["[notices.csc] token_file is needed, or oauth_url, client and client_secret_file"]
        )
    secrets = {name: _secret(file) for name, file in service.secrets.items()}
    return RemoteKey.open(CscService(service.url, bearer, tls=tls), service.credential, secrets=secrets)


def _secret(file: Path) -> str:
    return file.read_text(encoding="utf-8").rstrip("\r\n")
