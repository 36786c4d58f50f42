"""efile certs reissue: what a compromised key of notices has signed, signed anew."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import click

from gateway.cli.certs_acting import act
from gateway.cli.logs import configure_logging
from gateway.cli.operator import operator, why_option
from gateway.cli.output import json_option, print_json
from gateway.cli.place import settings_of, settings_options
from gateway.cli.times import moment
from gateway.clock import clock
from gateway.register.acts import Certificates, Who
from gateway.register.reissue import Reissuing
from gateway.store.reissues import Given


@click.command("reissue")
@click.argument("entry")
@click.option("--since", type=moment, required=True, help="From when on: 2026-12-21T12:00, Vietnam's time.")
@click.option("--list", "listed", is_flag=True, help="Only tell which notices these are.")
@why_option
@settings_options
@json_option
def reissue(*, entry: str, since: datetime, listed: bool, why: str, config: Path, as_json: bool) -> None:
    """Sign anew what ENTRY, a revoked key of notices, has signed since then; the old ones are kept.

    Each new notice says when the one before was issued; the filing's story tells both digests, and the audit record
    who did it and why. May be repeated: what is done already is passed over.
    """
    configure_logging()  # of time stamps that cannot be had
    settings = settings_of(config)

    async def ask(register: Certificates) -> tuple[str, list[Given], int]:
        reissuing = Reissuing(settings, register.store, clock)
        key = await reissuing.entry(entry)
        if listed:
            return key.id, [one async for one in reissuing.signed_by(key, since)], 0
        return key.id, [], await reissuing.reissue(key, since, Who(operator(), why))

    id, found, done = act(config, ask)
    if listed:
        rows = [
            {"number": g.number, "kind": g.notice.kind.value, "issuedAt": g.notice.issued_at.isoformat()}
            for g in found
        ]
        if as_json:
            print_json({"entry": id, "notices": rows})
            return
        for row in rows:
            click.echo(f"{row['number']}  {row['kind']:12}  {row['issuedAt']}")
        click.echo(f"{len(rows)} notices signed by {id}")
    elif as_json:
        print_json({"entry": id, "reissued": done})
    else:
        click.echo(f"{done} notices of {id} signed anew")
