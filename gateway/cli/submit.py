"""efile submit: file a signed document."""

from __future__ import annotations

import uuid
from pathlib import Path

import click

from gateway.cli.connection import call, connection_options, require_answer
from gateway.cli.output import json_option, print_filing, print_findings, print_json, print_problem, refused
from gateway.client.http import Connection, Unreachable


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--idempotency-key", help="Makes a repetition safe. [default: a new UUID, printed on failure]")
@click.option(
    "--receipt", "receipt_file", type=click.Path(path_type=Path), help="Save the signed receipt here."
)
@connection_options
@json_option
def submit(
    *,
    file: Path,
    idempotency_key: str | None,
    receipt_file: Path | None,
    connection: Connection,
    as_json: bool,
) -> None:
    """File a signed document; prints the filing number (mã giao dịch điện tử).

    Where the answer was lost, run the same command with the same --idempotency-key: the gateway then gives the
    original receipt. Exit code 1 where the gateway refuses the document, 3 where it cannot be reached.
    """
    key = idempotency_key or str(uuid.uuid4())
    document = file.read_bytes()
    try:
        reply = call(connection, lambda client: client.submit(document, key))
        require_answer(connection, reply)
        if receipt_file is not None and "links" in reply.body:
            notice = call(connection, lambda client: client.part(reply.body["number"], "receipt"))
            require_answer(connection, notice)
            receipt_file.write_bytes(notice.octets)
    except Unreachable as error:
        raise Unreachable(f"{error}\nsend again with --idempotency-key {key}") from error
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
    if not reply.done:
        refused()
