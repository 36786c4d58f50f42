"""efile view: a document as a person reads it."""

from __future__ import annotations

import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click

import schemas
import signing
from gateway.cli.attaching import attach_option, read_papers
from gateway.cli.catalogue import catalogue_option
from gateway.cli.check import DEFAULT_TRUST, PAPER_LIMITS
from gateway.cli.output import json_option, print_findings, print_json, refused
from gateway.cli.verify_receipt import DEFAULT_SIGNER, signers_of
from gateway.errors import Unreadable
from gateway.intake.receive import EMPTY, Received
from gateway.intake.verify import SignatureRules
from gateway.journey import Checks
from gateway.ports import Provider
from gateway.problems import finding_json
from gateway.view import NO_TRUST, FilePage, file_page
from schemas.view import Language, NotShownError

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command()
@click.argument("file", type=_FILE)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the HTML here.")
@click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option(
    "--trust",
    type=_FOLDER,
    envvar="EFILE_TRUST",
    help=f"Folder with anchors/, intermediates/, crls/. [default: {DEFAULT_TRUST} where it exists]",
)
@click.option(
    "--signer",
    type=_FILE,
    envvar="EFILE_SIGNER",
    help=f"The gateway's notice certificates (PEM), for notices. [default: {DEFAULT_SIGNER} where it exists]",
)
@click.option("--policy", default="tt15-2025", show_default=True, help="Signature policy.")
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    help="Judge as of this time, with offset. [default: now; of a notice, when it was issued]",
)
@click.option("--tvan", metavar="TAX-CODE", help="Tax code of the T-VAN whose signature may stand beside.")
@catalogue_option
@attach_option
@json_option
def view(
    *,
    file: Path,
    attached: tuple[Path, ...],
    out: Path | None,
    language: str,
    trust: Path | None,
    signer: Path | None,
    policy: str,
    at: datetime | None,
    tvan: str | None,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Show a declaration, dossier, receipt or notice as one HTML page, to read or to print on A4.

    Values with their labels and indicators, who signed and whether it is sound, and every fault. The page holds no
    script and loads nothing. Without --out it goes to standard output.

    Exit code 0 where there is a page, whatever it says; 1 where FILE is no document that can be shown.
    """
    trust = trust or (DEFAULT_TRUST if DEFAULT_TRUST.exists() else None)
    signer = signer or (DEFAULT_SIGNER if DEFAULT_SIGNER.exists() else None)
    store = signing.TrustStore.load(trust) if trust else signing.TrustStore(anchors=())
    rules = SignatureRules(signing.load_policy(policy), store)
    catalogue = schemas.open_catalogue(directory or schemas.OWN_CATALOGUE)
    checks = Checks(signing.ParseLimits(), rules, catalogue, PAPER_LIMITS)
    provider = Provider("offline", tvan or "", tvan or "", active=True, signs_filings=False)
    body = file.read_bytes()
    papers = tuple(schemas.Paper.of(name, content) for name, content in read_papers(attached).items())
    digest = hashlib.sha256(body).digest()
    received = Received(body, digest, at or datetime.now(UTC), provider, None, papers)
    try:
        if not body:
            raise Unreadable([EMPTY])  # noqa: TRY301 - told like every other
        made = file_page(
            received,
            checks,
            cast(Language, language),
            signers=signers_of(signer) if signer else None,
            at=at,
            caveats=() if trust else (NO_TRUST,),
        )
    except Unreadable as error:
        findings = [finding_json(finding) for finding in error.findings]
        if as_json:
            print_json({"file": None, "findings": findings})
        else:
            print_findings(findings)
        refused()
    except NotShownError as error:
        click.secho(f"{file}: {error}: no document that can be shown", err=True, fg="red")
        refused()
    _give(made, out, as_json)


def _give(made: FilePage, out: Path | None, as_json: bool) -> None:
    html = made.page.html
    if out is not None:
        out.write_bytes(html)
    if as_json:
        place = {"file": str(out)} if out else {"file": None, "html": html.decode()}
        print_json({"title": made.page.title, "sound": made.sound, **place})
    elif out is not None:
        click.echo(f"{out} ({len(html)} bytes)")
    else:
        sys.stdout.buffer.write(html)
