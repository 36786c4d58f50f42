"""efile submit: file a signed document."""

from __future__ import annotations

import uuid
from pathlib import Path

import click

from gateway.cli.attaching import attach_option, read_papers
from gateway.cli.connection import call, connection_options, require_answer
from gateway.cli.output import json_option, print_filing, print_findings, print_json, print_problem, refused
from gateway.client.http import Connection, Reply, Unreachable


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--idempotency-key", help="Makes a repetition safe. [default: a new UUID, printed on failure]")
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path, dir_okay=False, writable=True),
    help="Save the signed receipt here.",
)
@attach_option
@connection_options
@json_option
def submit(
    *,
    file: Path,
    attached: tuple[Path, ...],
    idempotency_key: str | None,
    receipt_file: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """File a signed document; prints the filing number (mã giao dịch điện tử).

    Where the answer was lost, run the same command with the same --idempotency-key: the gateway then gives the
    original receipt. Exit code 1 where the gateway refuses the document, 3 where it cannot be reached.
    """
    if receipt_file is not None and not receipt_file.absolute().parent.is_dir():
        raise click.UsageError(f"--receipt {receipt_file}: there is no such folder")
    key = idempotency_key or str(uuid.uuid4())
    document, papers = file.read_bytes(), read_papers(attached)
    try:
        reply = call(connection, lambda client: client.submit(document, key, papers))
        require_answer(connection, reply)
    except Unreachable as error:
        raise Unreachable(f"{error}\nsend again with --idempotency-key {key}") from error
    _print(reply, as_json)
    if receipt_file is not None and "links" in reply.body:
        _save_receipt(connection, str(reply.body["number"]), receipt_file)
    if not reply.done:
        refused()


def _print(reply: Reply, as_json: bool) -> None:
    if as_json:
        print_json(reply.body)
    elif reply.done:
        print_filing(reply.body)
        print_findings(reply.body["findings"])
    else:
        print_problem(reply.body, reply.status)
        if "filingStatus" in reply.body:
            print_filing({**reply.body, "status": reply.body["filingStatus"]})
        print_findings(reply.body.get("findings", ()))


def _save_receipt(connection: Connection, number: str, file: Path) -> None:
    """The filing is recorded already: what fails here is fetched again by its number."""
    try:
        notice = call(connection, lambda client: client.part(number, "receipt"))
        require_answer(connection, notice)
    except Unreachable as error:
        raise Unreachable(
            f"{error}\nit is filed; fetch the receipt: efile receipt {number} -o {file}"
        ) from error
    try:
        file.write_bytes(notice.octets)
    except OSError as error:
        hint = f"it is filed; fetch the receipt elsewhere: efile receipt {number} -o FILE"
        raise click.UsageError(f"--receipt {file}: {error.strerror}\n{hint}") from error
