"""efile check: all faults of a document, offline."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import click

import schemas
import signing
from gateway.cli.attaching import attach_option, read_papers
from gateway.cli.catalogue import catalogue_option
from gateway.cli.output import json_option, print_findings, print_json, refused
from gateway.errors import Unreadable
from gateway.filing.findings import Finding
from gateway.intake.identify import Identified
from gateway.intake.receive import EMPTY, Received
from gateway.intake.signed_papers import PaperLimits
from gateway.intake.validate import Refusal
from gateway.intake.verify import SignatureRules
from gateway.journey import Checks, examine
from gateway.ports import Provider
from gateway.problems import finding_json

DEFAULT_TRUST = Path("var/dev/pki/trust")
PAPER_LIMITS = PaperLimits(seconds=600.0)
"""Nobody else waits meanwhile."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EFILE_TRUST",
    help=f"Folder with anchors/, intermediates/, crls/. [default: {DEFAULT_TRUST} where it exists]",
)
@click.option("--policy", default="tt15-2025", show_default=True, help="Signature policy.")
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    help="Judge as of this time of receipt, with offset. [default: now]",
)
@click.option("--tvan", metavar="TAX-CODE", help="Tax code of the T-VAN whose signature may stand beside.")
@catalogue_option
@click.option("--tvan-must-sign", is_flag=True, help="Require the T-VAN's signature, as for its entry.")
@attach_option
@json_option
def check(
    *,
    file: Path,
    attached: tuple[Path, ...],
    trust: Path | None,
    policy: str,
    at: datetime | None,
    tvan: str | None,
    tvan_must_sign: bool,
    directory: Path | None,
    as_json: bool,
) -> None:
    """Show every fault of FILE at once, without any server: the same code that the gateway runs.

    Exit code 0 where the gateway would take the document in, 1 where it would refuse it.
    """
    trust = trust or (DEFAULT_TRUST if DEFAULT_TRUST.exists() else None)
    store = signing.TrustStore.load(trust) if trust else signing.TrustStore(anchors=())
    limits = signing.ParseLimits()
    rules = SignatureRules(signing.load_policy(policy), store)
    catalogue = schemas.open_catalogue(directory or schemas.OWN_CATALOGUE)
    checks = Checks(limits, rules, catalogue, PAPER_LIMITS)
    provider = Provider("offline", tvan or "", tvan or "", active=True, signs_filings=tvan_must_sign)
    body = file.read_bytes()
    papers = tuple(schemas.Paper.of(name, content) for name, content in read_papers(attached).items())
    digest = hashlib.sha256(body).digest()
    received = Received(body, digest, at or datetime.now(UTC), provider, None, papers)
    findings, verdict = _examine(received, checks)
    if as_json:
        print_json({"verdict": verdict, "findings": [finding_json(finding) for finding in findings]})
    else:
        print_findings([finding_json(finding) for finding in findings])
        colour = "red" if verdict in ("refused", "unreadable") else "green"
        click.secho(f"{file}: {verdict}", fg=colour)
        if trust is None:
            click.secho("no trust folder was given (--trust): no certificate can be trusted", fg="yellow")
    if verdict in ("refused", "unreadable"):
        refused()


def _examine(received: Received, checks: Checks) -> tuple[tuple[Finding, ...], str]:
    if not received.body:
        return (EMPTY,), "unreadable"
    try:
        examined = examine(Identified(received), checks)
    except Unreadable as error:
        return error.findings, "unreadable"
    verdict = "refused" if isinstance(examined, Refusal) else examined.status.value
    return examined.findings, verdict
