"""efile receipt: fetch a signed notice."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.connection import call, connection_options, require_answer
from gateway.cli.output import json_option, print_json, print_problem, refused
from gateway.client.http import Connection


@click.command()
@click.argument("number")
@click.option("--verdict", is_flag=True, help="The notice of the agency's verdict instead of the receipt.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the XML here.")
@connection_options
@json_option
def receipt(number: str, verdict: bool, out: Path | None, connection: Connection, as_json: bool) -> None:
    """Fetch the signed receipt of the filing NUMBER, byte for byte as it was given.

    NUMBER is the filing number (mã giao dịch điện tử) or, of a dossier, its dossier code (mã hồ sơ).

    Without --out the XML goes to standard output. `efile verify-receipt` proves it without the gateway.
    """
    reply = call(connection, lambda client: client.part(number, "verdict" if verdict else "receipt"))
    require_answer(connection, reply)
    if not reply.done:
        if as_json:
            print_json(reply.body)
        else:
            print_problem(reply.body, reply.status)
        refused()
    if out is not None:
        out.write_bytes(reply.octets)
    if as_json:
        print_json({"number": number, "file": str(out) if out else None, "xml": reply.octets.decode()})
    elif out is not None:
        click.echo(f"{out} ({len(reply.octets)} bytes)")
    else:
        click.echo(reply.octets, nl=False)
