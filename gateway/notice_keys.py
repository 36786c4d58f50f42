"""The key that signs notices, as the settings name it: a file, a token or HSM, a remote signing service."""

from __future__ import annotations

import ssl
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from cryptography import x509

import schemas
import signing
from gateway.errors import ConfigurationError
from gateway.intake.verify import SignatureRules
from gateway.notary import XmlNotary
from gateway.production import require_no_development_key
from gateway.settings import NoticeSettings, ServiceKeySettings, Settings, TokenKeySettings


def open_notary(settings: Settings, rules: SignatureRules, at: datetime) -> XmlNotary:
    """The notary with its key. Raises ConfigurationError where nobody could prove what it signs; signing.KeyRefused."""
    key = open_notice_key(settings.notices)
    require_no_development_key(settings, key.certificate)
    us = settings.gateway
    notary = XmlNotary(
        key,
        declarations=schemas.Office(us.office_code, us.name),
        dossiers=schemas.Office(us.agency_code, us.name),
        seconds=settings.notices.seconds,
    )
    if faults := notary.faults(rules.policy, rules.trust, at):
        raise ConfigurationError(faults)
    return notary


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


def place_of(notices: NoticeSettings) -> str:
    """Where the key is, for the record: a file, a token's URI (RFC 7512, without its PIN), a service's credential."""
    if notices.pkcs11 is not None:
        named = notices.pkcs11
        return f"pkcs11:token={quote(named.token)};object={quote(named.key_label or '')}"
    if notices.csc is not None:
        return f"{notices.csc.url}#{quote(notices.csc.credential or '')}"
    return str(notices.key)


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
