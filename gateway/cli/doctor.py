"""efile doctor: all that is wrong with an installation, with the mend."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.doctor import examine


@click.command()
@settings_options
@json_option
def doctor(*, config: Path, as_json: bool) -> None:
    """Say all that is wrong with an installation, in one go: settings, keys, store, clock, trust, register, processes.

    Nothing is changed. Exit code 1 where something is wrong; warnings alone are 0, settings that cannot be read 2.
    """
    found = asyncio.run(examine(settings_of(config), clock))
    wrong = sum(finding.wrong for finding in found)
    if as_json:
        print_json(
            [
                {
                    "about": one.about,
                    "wrong": one.wrong,
                    "text": {"vi": one.text.vi, "en": one.text.en},
                    "mend": {"vi": one.mend.vi, "en": one.mend.en},
                }
                for one in found
            ]
        )
    else:
        for one in found:
            mark = click.style("✗", fg="red") if one.wrong else click.style("!", fg="yellow")
            click.echo(f"{mark} {one.about}: {one.text.vi}\n    {one.text.en}")
            click.secho(f"    → {one.mend.vi} / {one.mend.en}", dim=True)
        click.echo(f"{wrong} wrong, {len(found) - wrong} warnings")
    if wrong:
        refused()
