"""efile sign: sign a declaration as the taxpayer, the tax agent or the T-VAN."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, cast

import click

import signing
from gateway.cli.output import json_option, print_json

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("--key", type=_FILE, required=True, help="Private key: PEM, or PKCS#12 (.p12, .pfx).")
@click.option("--cert", type=_FILE, help="Certificate (PEM). [default: cert.pem beside a PEM key]")
@click.option("--password-file", type=_FILE, help="File with the password of the key or PKCS#12.")
@click.option(
    "--profile",
    type=click.Choice(["xades-b", "xmldsig"]),
    default="xades-b",
    show_default=True,
    help="XAdES-B (EN 319 132-1), or plain XML Signature as in older tax files.",
)
@click.option("--id", "target_id", help="Id of the element to sign. [default: that of HSoKhaiThue]")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here. [default: FILE]"
)
@json_option
def sign(
    *,
    file: Path,
    key: Path,
    cert: Path | None,
    password_file: Path | None,
    profile: str,
    target_id: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Add a signature to the CKyDTu of FILE; signatures that are there already stay valid."""
    password = password_file.read_bytes().rstrip(b"\r\n") if password_file else None
    document = file.read_bytes()
    try:
        signing_key = _key(key, cert, password)
        signed = signing.sign_xml(
            document,
            signing_key,
            profile=cast(Literal["xades-b", "xmldsig"], profile),
            target_id=target_id or _body_id(document),
            place="CKyDTu",
            at=datetime.now(UTC),
        )
    except signing.XmlRefused as error:
        raise click.UsageError(f"{file}: {'; '.join(fault.message_en for fault in error.faults)}") from error
    except (signing.KeyRefused, signing.SigningRefused) as error:
        raise click.UsageError(str(error)) from error
    target = out or file
    target.write_bytes(signed)
    if as_json:
        subject = signing_key.certificate.subject.rfc4514_string()
        print_json({"file": str(target), "profile": profile, "signer": subject})
    else:
        click.echo(f"{target}: signed ({profile}) by {signing_key.certificate.subject.rfc4514_string()}")


def _key(key: Path, cert: Path | None, password: bytes | None) -> signing.SigningKey:
    if key.suffix.lower() in (".p12", ".pfx"):
        return signing.FileKey.from_pkcs12(key, password)
    cert = cert or key.with_name("cert.pem")
    if not cert.exists():
        raise click.UsageError(f"--cert is needed: there is no {cert}")
    return signing.FileKey.from_pem(key, cert, password)


def _body_id(document: bytes) -> str:
    root = signing.parse_xml(document).root
    for element in root:
        if isinstance(element.tag, str) and element.tag.endswith("}HSoKhaiThue") and element.get("id"):
            return str(element.get("id"))
    raise click.UsageError("no HSoKhaiThue with an id; say which element with --id")
