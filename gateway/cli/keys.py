"""Where a signing key may be: a file, a token, a remote service. Secrets come from files, never from arguments."""

from __future__ import annotations

import ssl
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from cryptography import x509

import signing

if TYPE_CHECKING:
    from signing.keys.bearer import Bearer

F = TypeVar("F", bound=Callable[..., Any])
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)

_OPTIONS = (
    click.option("--key", type=_FILE, help="Private key in a file: PEM, or PKCS#12 (.p12, .pfx)."),
    click.option(
        "--cert",
        type=_FILE,
        help="Certificate and chain (PEM). [default: cert.pem beside a PEM key; of a token, its own]",
    ),
    click.option("--password-file", type=_FILE, help="File with the password of the key or PKCS#12."),
    click.option(
        "--pkcs11", "pkcs11_module", type=_FILE, help="Key in a token: the device's PKCS#11 module (.so)."
    ),
    click.option("--token", "token_label", metavar="LABEL", help="Label of the token."),
    click.option("--key-label", metavar="LABEL", help="Label of the key in the token."),
    click.option("--key-id", metavar="HEX", help="Id of the key in the token, where labels are not enough."),
    click.option(
        "--pin-file",
        type=_FILE,
        envvar="EFILE_PIN_FILE",
        help="File with the token's PIN. [or EFILE_PIN_FILE]",
    ),
    click.option(
        "--csc",
        "csc_url",
        metavar="URL",
        help="Key at a remote signing service (CSC API v2): https://…/csc/v2",
    ),
    click.option("--credential", metavar="ID", help="Which credential there. [default: the only one]"),
    click.option(
        "--token-file",
        type=_FILE,
        envvar="EFILE_TOKEN_FILE",
        help="File with the service's OAuth bearer token; read again where the service refuses it.",
    ),
    click.option(
        "--oauth", "oauth_url", metavar="URL", help="Or its OAuth 2.0 token endpoint (client credentials),"
    ),
    click.option("--client", metavar="NAME", help="with our name there"),
    click.option("--client-secret-file", type=_FILE, help="and the file with our secret."),
    click.option(
        "--secret",
        "secrets",
        metavar="NAME=FILE",
        multiple=True,
        help="What it asks for, such as PIN=FILE or OTP=FILE.",
    ),
    click.option(
        "--sad-file", type=_FILE, help="File with the SAD, where the service gives it through OAuth."
    ),
    click.option("--csc-ca", type=_FILE, help="The only CA certificates (PEM) to trust for the service."),
)
_BELONGS = {
    "key": ("password_file",),
    "pkcs11_module": ("token_label", "key_label", "key_id", "pin_file"),
    "csc_url": (
        "credential",
        "token_file",
        "oauth_url",
        "client",
        "client_secret_file",
        "secrets",
        "sad_file",
        "csc_ca",
    ),
}
_SPELLED = {
    "pkcs11_module": "--pkcs11",
    "csc_url": "--csc",
    "token_label": "--token",
    "oauth_url": "--oauth",
    "secrets": "--secret",
}


def key_options(command: F) -> F:
    """The options of `open_key`, on a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_key(given: Mapping[str, Any]) -> signing.SigningKey:
    """The key that the options name. Raises click.UsageError, KeyRefused, KeyUnavailable."""
    kinds = [kind for kind in _BELONGS if given[kind]]
    if len(kinds) != 1:
        raise click.UsageError("say where the key is, by one of --key, --pkcs11, --csc")
    context = click.get_current_context()
    for kind, options in _BELONGS.items():
        for option in options:
            by_hand = context.get_parameter_source(option) is click.core.ParameterSource.COMMANDLINE
            if kind != kinds[0] and by_hand:
                raise click.UsageError(f"{_spelled(option)} belongs to {_spelled(kind)}")
    opening = {"key": _of_file, "pkcs11_module": _of_token, "csc_url": _of_service}
    return opening[kinds[0]](given)


def _spelled(option: str) -> str:
    return _SPELLED.get(option, "--" + option.replace("_", "-"))


def _needed(given: Mapping[str, Any], *options: str) -> None:
    for option in options:
        if not given[option]:
            raise click.UsageError(f"{_spelled(option)} is needed")


def _secret(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (UnicodeDecodeError, OSError):
        raise click.UsageError(f"{file}: no readable text") from None


def _certificates(file: Path | None) -> tuple[x509.Certificate, ...]:
    try:
        return tuple(x509.load_pem_x509_certificates(file.read_bytes())) if file else ()
    except ValueError as error:
        raise click.UsageError(f"{file}: {error}") from None


def _of_file(given: Mapping[str, Any]) -> signing.SigningKey:
    key, cert, password_file = given["key"], given["cert"], given["password_file"]
    password = password_file.read_bytes().rstrip(b"\r\n") if password_file else None
    if key.suffix.lower() in (".p12", ".pfx"):
        return signing.FileKey.from_pkcs12(key, password)
    if key.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
        click.secho(f"warning: {key}: the key is readable by others; chmod 600", err=True, fg="yellow")
    cert = cert or key.with_name("cert.pem")
    if not cert.exists():
        raise click.UsageError(f"--cert is needed: there is no {cert}")
    return signing.FileKey.from_pem(key, cert, password)


def _of_token(given: Mapping[str, Any]) -> signing.SigningKey:
    from signing.keys.token import TokenKey  # noqa: PLC0415  # loads a native library

    _needed(given, "token_label", "pin_file")
    try:
        key_id = bytes.fromhex(given["key_id"]) if given["key_id"] else None
    except ValueError:
        raise click.UsageError("--key-id: hexadecimal digits are needed") from None
    return TokenKey.open(
        given["pkcs11_module"],
        given["token_label"],
        _secret(given["pin_file"]),
        key_label=given["key_label"],
        key_id=key_id,
        certificates=_certificates(given["cert"]),
    )


def _of_service(given: Mapping[str, Any]) -> signing.SigningKey:
    from signing.keys.remote import CscService, RemoteKey  # noqa: PLC0415  # only this way of signing needs HTTP

    if given["cert"]:
        raise click.UsageError("--cert belongs to --key and --pkcs11: the service gives the certificate")
    secrets = {}
    for each in given["secrets"]:
        name, equals, file = each.partition("=")
        if not equals or not Path(file).is_file():
            raise click.UsageError(f"--secret {each!r}: NAME=FILE is needed, and the file must exist")
        secrets[name] = _secret(Path(file))
    try:
        tls = ssl.create_default_context(cafile=given["csc_ca"]) if given["csc_ca"] else None
    except ssl.SSLError as error:
        raise click.UsageError(f"{given['csc_ca']}: {error}") from None
    service = CscService(given["csc_url"], _bearer(given, tls), tls=tls)
    sad = _secret(given["sad_file"]) if given["sad_file"] else None
    return RemoteKey.open(service, given["credential"], secrets=secrets, sad=sad)


def _bearer(given: Mapping[str, Any], tls: ssl.SSLContext | None) -> Bearer:
    from signing.keys.bearer import ClientCredentials, TokenFile  # noqa: PLC0415  # as above

    if given["oauth_url"] is None:
        _needed(given, "token_file")
        return TokenFile(given["token_file"])
    _needed(given, "client", "client_secret_file")
    return ClientCredentials(
        given["oauth_url"], given["client"], _secret(given["client_secret_file"]), tls=tls
    )
