"""efile sign: sign a declaration as the taxpayer, the tax agent or the T-VAN."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

import click

import signing
from gateway.cli.keys import key_options, open_key
from gateway.cli.output import EXIT_UNREACHABLE, json_option, print_json

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@key_options
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
    *, file: Path, profile: str, target_id: str | None, out: Path | None, as_json: bool, **key: Any
) -> None:
    """Add a signature to the CKyDTu of FILE; signatures that are there already stay valid.

    \b
    The key is in one of three places:
      a file     efile sign FILE --key key.pem
                 efile sign FILE --key bundle.p12 --password-file F
      a token    efile sign FILE --pkcs11 /usr/lib/…/module.so --token LABEL --key-label L --pin-file F
      a service  efile sign FILE --csc https://HOST/csc/v2 --credential ID --token-file F --secret PIN=F

    Passwords, PINs and tokens are read from files: arguments can be seen by others on this machine.
    A service gets the digest, never the document.

    \b
    Exit codes: 0 signed · 2 usage, or the key is refused · 3 token or service cannot be reached
    """
    document = file.read_bytes()
    try:
        signing_key = open_key(key)
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
    except signing.KeyUnavailable as error:
        click.secho(f"unreachable: {error}", err=True, fg="red")
        raise click.exceptions.Exit(EXIT_UNREACHABLE) from error
    except (signing.KeyRefused, signing.SigningRefused) as error:
        raise click.UsageError(str(error)) from error
    target = out or file
    target.write_bytes(signed)
    if as_json:
        subject = signing_key.certificate.subject.rfc4514_string()
        print_json({"file": str(target), "profile": profile, "signer": subject})
    else:
        click.echo(f"{target}: signed ({profile}) by {signing_key.certificate.subject.rfc4514_string()}")


def _body_id(document: bytes) -> str:
    root = signing.parse_xml(document).root
    for element in root:
        if isinstance(element.tag, str) and element.tag.endswith("}HSoKhaiThue") and element.get("id"):
            return str(element.get("id"))
    raise click.UsageError("no HSoKhaiThue with an id; say which element with --id")
