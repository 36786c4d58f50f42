"""`python -m certs_dev DIR`: make the development PKI, or renew its CRLs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from certs_dev.making import make
from certs_dev.pki import PkiError


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--rsa-bits", default=2048, show_default=True, type=click.IntRange(2048, 8192))
def main(directory: Path, rsa_bits: int) -> None:
    """Make a development PKI in DIRECTORY, or renew the CRLs of the one that is there."""
    try:
        pki = make(directory, at=datetime.now(UTC), rsa_bits=rsa_bits)
    except PkiError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{pki.directory}: made {pki.made_at:%Y-%m-%d %H:%M} UTC, DEVELOPMENT ONLY")
    for name in pki.names:
        identity = pki[name]
        ends = identity.read_certificate().not_valid_after_utc
        click.echo(f"  {name:<22} valid until {ends:%Y-%m-%d}   {identity.certificate.parent}")


if __name__ == "__main__":
    main()
