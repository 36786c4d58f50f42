"""efile sign: sign a declaration as the taxpayer, the tax agent or the T-VAN, or a PDF."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import click

import schemas
import signing
from gateway.cli.catalogue import catalogue_option
from gateway.cli.keys import key_options, open_key
from gateway.cli.output import EXIT_REFUSED, EXIT_UNREACHABLE, json_option, print_json, write_whole
from gateway.cli.trust_options import Places, trust_options

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


PROFILES = ("xmldsig", "xades-b", "xades-t", "xades-lt", "xades-lta", "pades-b", "pades-t")
_LEVELS: dict[str, Literal["LT", "LTA"]] = {"xades-lt": "LT", "xades-lta": "LTA"}
_TIMED = ("xades-t", *_LEVELS, "pades-t")


@click.command()
@click.argument("file", type=_FILE)
@key_options
@click.option(
    "--profile",
    type=click.Choice(PROFILES),
    help="XAdES (EN 319 132-1), PAdES (EN 319 142-1), or plain XML Signature as in older tax files. "
    "[default: pades-b for a PDF, else xades-b]",
)
@click.option("--id", "target_id", help="Id of the element to sign. [default: that of HSoKhaiThue, HoSo …]")
@click.option("--tsa", metavar="URL", help="Time-stamping authority (RFC 3161), for the profiles with time.")
@trust_options
@catalogue_option
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write here. [default: FILE]"
)
@json_option
def sign(
    *,
    file: Path,
    profile: str | None,
    target_id: str | None,
    tsa: str | None,
    trust: tuple[Path, ...],
    untrusted: tuple[Path, ...],
    crl: tuple[Path, ...],
    ocsp: tuple[Path, ...],
    directory: Path | None,
    out: Path | None,
    as_json: bool,
    **key: Any,
) -> None:
    """Sign FILE: a declaration or dossier, whose signature goes into its CKyDTu, or a PDF.

    Signatures that are there already stay valid.

    \b
    The key is in one of three places:
      a file     efile sign FILE --key key.pem
                 efile sign FILE --key bundle.p12 --password-file F
      a token    efile sign FILE --pkcs11 /usr/lib/…/module.so --token LABEL --key-label L --pin-file F
      a service  efile sign FILE --csc https://HOST/csc/v2 --credential ID --token-file F --secret PIN=F

    Passwords, PINs and tokens are read from files: arguments can be seen by others on this machine.
    A service gets the digest, never the document.

    \b
    Time (--tsa): -t adds a time stamp; -lt the certificates, revocation lists and OCSP answers (--trust, --crl, --ocsp)
    that prove it later; -lta a time stamp over all that.

    \b
    Exit codes: 0 signed · 1 the time-stamping authority refused, or its token is bad · 2 usage, or the key is
    refused · 3 token, service or authority cannot be reached
    """
    document = file.read_bytes()
    chosen = profile or ("pades-b" if signing.format_of(document) == "pdf" else "xades-b")
    if (chosen in _TIMED) != (tsa is not None):
        raise click.UsageError(f"{chosen}: --tsa belongs to the profiles with time, and they need it")
    places = Places(trust, untrusted, crl, ocsp)
    with _faults_told(file):
        signing_key = open_key(key)
        stamping = _authority(tsa) if tsa else None
        if chosen.startswith("pades"):
            stamp = stamping.stamp if stamping else None
            signed = signing.sign_pdf(document, signing_key, at=datetime.now(UTC), tsa=stamp)
        else:
            family = _family(document, directory)
            signed = _sign_xml(document, signing_key, chosen, target_id, stamping, family=family)
        if stamping and chosen in _LEVELS:
            signed = _augmented(signed, _LEVELS[chosen], stamping, places)
    target = out or file
    write_whole(target, signed)
    subject = signing_key.certificate.subject.rfc4514_string()
    if as_json:
        print_json({"file": str(target), "profile": chosen, "signer": subject})
    else:
        click.echo(f"{target}: signed ({chosen}) by {subject}")


@contextmanager
def _faults_told(file: Path) -> Iterator[None]:
    """What can go wrong with a signature, as the exit codes have it."""
    try:
        yield
    except signing.XmlRefused as error:
        raise click.UsageError(f"{file}: {'; '.join(fault.message_en for fault in error.faults)}") from error
    except (signing.KeyUnavailable, signing.TimestampUnavailable) as error:
        click.secho(f"unreachable: {error}", err=True, fg="red")
        raise click.exceptions.Exit(EXIT_UNREACHABLE) from error
    except signing.TimestampRefused as error:
        click.secho(f"no time stamp: {error}", err=True, fg="red")
        raise click.exceptions.Exit(EXIT_REFUSED) from error
    except (
        signing.KeyRefused,
        signing.SigningRefused,
        signing.PdfSigningRefused,
        signing.AugmentRefused,
        signing.TrustRefused,
        signing.CrlRefused,
        signing.OcspRefused,
    ) as error:
        raise click.UsageError(str(error)) from error


def _augmented(
    signed: bytes, level: Literal["LT", "LTA"], stamping: signing.TimestampClient, places: Places
) -> bytes:
    return signing.augment(
        signed,
        level=level,
        tsa=stamping,
        policy=signing.load_policy("tt15-2025"),
        at=datetime.now(UTC),
        trust=places.store(),
        evidence=places.evidence(),
    )


def _sign_xml(
    document: bytes,
    key: signing.SigningKey,
    profile: str,
    target_id: str | None,
    stamping: signing.TimestampClient | None,
    *,
    family: schemas.Family | None,
) -> bytes:
    first: Literal["xmldsig", "xades-b", "xades-t"] = (
        "xades-t" if stamping else "xmldsig" if profile == "xmldsig" else "xades-b"
    )
    return signing.sign_xml(
        document,
        key,
        profile=first,
        target_id=_body_id(document, family) if target_id is None else target_id,
        place=_place(family),
        at=datetime.now(UTC),
        tsa=stamping,
    )


def _authority(url: str) -> signing.TimestampClient:
    """Who names an authority on the command line allows it."""
    try:
        return signing.HttpTimestampClient(url, hosts=(urlsplit(url).hostname or "",))
    except ValueError as error:
        raise click.UsageError(f"--tsa {url}: {error}") from error


def _family(document: bytes, directory: Path | None) -> schemas.Family | None:
    """How the document is built, as far as the catalogue knows."""
    families = schemas.open_catalogue(directory or schemas.OWN_CATALOGUE).families
    return families.of_root(str(signing.parse_xml(document).root.tag))


def _place(family: schemas.Family | None) -> str:
    """Where the family keeps signatures, by local names."""
    path = "CKyDTu" if family is None else family.signatures[0]
    return "/".join(step.rpartition(":")[2] for step in path.split("/"))


def _body_id(document: bytes, family: schemas.Family | None) -> str:
    """The id of what should be signed; "" for a whole document that bears none."""
    body = family.body_of(signing.parse_xml(document).root) if family is not None else None
    if body is not None and family is not None:
        found = next((value for name in ("id", "Id", "ID") if (value := body.get(name))), None)
        if found is not None or not family.body:
            return found or ""
    name = family.body_name if family is not None else "HSoKhaiThue or HoSo"
    raise click.UsageError(f"no {name} with an id; say which element with --id")
