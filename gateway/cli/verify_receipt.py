"""efile verify-receipt: prove a receipt offline."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click
from cryptography import x509

import signing
from gateway.cli.check import DEFAULT_TRUST
from gateway.cli.output import json_option, print_json, refused
from gateway.client.receipts import ReceiptProof, prove_receipt
from gateway.filing.identifiers import VIETNAM
from gateway.filing.status import WORDS, Status

DEFAULT_SIGNER = Path("var/dev/pki/identities/notice/cert.pem")


@click.command("verify-receipt")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--signer",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    envvar="EFILE_SIGNER",
    help=f"The gateway's notice certificates (PEM). [default: {DEFAULT_SIGNER} where it exists]",
)
@click.option(
    "--trust",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    envvar="EFILE_TRUST",
    help=f"Folder with anchors/, intermediates/, crls/. [default: {DEFAULT_TRUST} where it exists]",
)
@click.option(
    "--document", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The file as filed."
)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z"]),
    help="Judge the certificate as of this time. [default: when the notice was issued]",
)
@click.option("--policy", default="tt15-2025", show_default=True, help="Signature policy.")
@json_option
def verify_receipt(
    *,
    file: Path,
    signer: Path | None,
    trust: Path | None,
    document: Path | None,
    at: datetime | None,
    policy: str,
    as_json: bool,
) -> None:
    """Prove the receipt or notice in FILE without the gateway: signature, signer, path, digest.

    Exit code 0 where it is proven, 1 where it is not.
    """
    signer = signer or (DEFAULT_SIGNER if DEFAULT_SIGNER.exists() else None)
    trust = trust or (DEFAULT_TRUST if DEFAULT_TRUST.exists() else None)
    if signer is None or trust is None:
        raise click.UsageError("--signer and --trust say whom to believe")
    proof = prove_receipt(
        file.read_bytes(),
        signers=signers_of(signer),
        trust=signing.TrustStore.load(trust),
        policy=signing.load_policy(policy),
        at=at,
        document=document.read_bytes() if document else None,
    )
    if as_json:
        print_json(proof_json(proof))
    else:
        print_proof(proof, file)
    if not proof.proven:
        refused()


def signers_of(file: Path) -> list[x509.Certificate]:
    """The certificates that may sign receipts. Raises click.UsageError."""
    try:
        return x509.load_pem_x509_certificates(file.read_bytes())
    except ValueError as error:
        raise click.UsageError(f"--signer {file}: {error}") from error


def proof_json(proof: ReceiptProof) -> dict[str, object]:
    """What was proven, for machines."""
    notice = proof.notice
    return {
        "proven": proof.proven,
        "faults": [{"vi": vi, "en": en} for vi, en in proof.faults],
        "remarks": [{"vi": vi, "en": en} for vi, en in proof.remarks],
        "filingNumber": notice.filing_number if notice else None,
        "dossierCode": notice.dossier_code if notice else None,
        "kind": notice.kind if notice else None,
        "status": notice.status if notice else None,
        "recordedAt": notice.recorded_at.astimezone(VIETNAM).isoformat() if notice else None,
        "stampedAt": proof.stamped_at.astimezone(VIETNAM).isoformat() if proof.stamped_at else None,
        "digest": {"algorithm": notice.digest_algorithm, "value": notice.digest_hex} if notice else None,
        "signature": proof.report.as_json() if proof.report else None,
    }


def print_proof(proof: ReceiptProof, file: Path) -> None:
    """What was proven, in words."""
    notice = proof.notice
    if notice is not None:
        vi, en = WORDS[Status(notice.status)]
        click.echo(click.style(notice.filing_number, bold=True))
        click.echo(f"  {vi}\n  {en}")
        if notice.dossier_code is not None:
            click.echo(f"  dossier   {notice.dossier_code}")
        click.echo(f"  recorded  {notice.recorded_at.astimezone(VIETNAM).isoformat()}")
        if proof.stamped_at is not None:
            click.echo(f"  stamped   {proof.stamped_at.astimezone(VIETNAM).isoformat()}")
        click.echo(f"  form      {notice.form_label} {notice.period_label}  {notice.recipient.name}")
        click.echo(f"  digest    {notice.digest_algorithm} {notice.digest_hex}")
    for vi, en in proof.remarks:
        click.secho(f"  · {vi} / {en}", fg="yellow")
    for vi, en in proof.faults:
        click.secho(f"  ✗ {vi} / {en}", fg="red")
    if proof.proven:
        click.secho(f"{file}: proven", fg="green")
    else:
        click.secho(f"{file}: NOT proven", fg="red")
