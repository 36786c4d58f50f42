"""efile status: where a filing stands."""

from __future__ import annotations

import click

from gateway.cli.connection import call, connection_options, require_answer
from gateway.cli.output import (
    json_option,
    print_attempt,
    print_filing,
    print_findings,
    print_json,
    print_problem,
    refused,
)
from gateway.client.http import Connection, GatewayClient, Reply


@click.command()
@click.argument("number")
@connection_options
@json_option
def status(number: str, connection: Connection, as_json: bool) -> None:
    """Show where the filing NUMBER stands, its story so far, and the attempts at its agency.

    NUMBER is the filing number (mã giao dịch điện tử) or, of a dossier, its dossier code (mã hồ sơ).
    """

    async def ask(client: GatewayClient) -> tuple[Reply, Reply, Reply]:
        parts = [await client.part(number, name) for name in ("events", "attempts")]
        return await client.status(number), parts[0], parts[1]

    found, events, attempts = call(connection, ask)
    require_answer(connection, found, events, attempts)
    if not found.done:
        if as_json:
            print_json(found.body)
        else:
            print_problem(found.body, found.status)
        refused()
    if as_json:
        print_json({**found.body, "events": events.body["items"], "attempts": attempts.body["items"]})
        return
    print_filing(found.body)
    for event in events.body["items"]:
        click.echo(f"  {event['at']}  {event['event']:20} {event['detail']}")
    for attempt in attempts.body["items"]:
        print_attempt(attempt)
    print_findings(found.body["findings"])
