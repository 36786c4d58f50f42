"""efile certs reseal: bodies under keys that are given up come under the key in use."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.certs_acting import act
from gateway.cli.operator import operator, why_option
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.register.acts import Certificates, Who
from gateway.register.reseal import Outcome, Resealing


@click.command("reseal")
@click.argument("entry", required=False)
@why_option
@settings_options
@json_option
def reseal(*, entry: str | None, why: str, config: Path, as_json: bool) -> None:
    """Seal anew, with the key in use, the bodies and papers that are under ENTRY; without it, all under other keys or
    under none.

    Beside a gateway that serves, in small pages; cut off at any point, it is run again and goes on. Large bodies take
    their room twice for a day. Exit code 1: something is left, and why is told.
    """
    settings = settings_of(config)

    def told(done: int, of: int) -> None:
        if not as_json:
            click.echo(f"  {done} of {of}")

    async def ask(register: Certificates) -> Outcome:
        return await Resealing(settings, register, clock).reseal(entry, Who(operator(), why), told)

    done = act(config, ask, bodies=True)
    if as_json:
        print_json(
            {
                "entry": done.entry,
                "resealed": done.resealed,
                "left": done.left,
                "failed": list(done.failed),
            }
        )
    else:
        click.echo(f"{done.resealed} bodies and papers sealed anew with {done.entry}, {done.left} left")
        for one in done.failed:
            click.secho(f"  ✗ {one}", fg="red")
    if done.left:
        refused()
