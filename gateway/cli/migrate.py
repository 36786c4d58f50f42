"""efile migrate: the store's schema, brought up to this version."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from gateway.cli.logs import configure_logging
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.store.opening import migrate_store, missing_migrations


@click.command()
@settings_options
@click.option("--check", is_flag=True, help="Only say what is missing (exit 1 where something is).")
@json_option
def migrate(*, config: Path, check: bool, as_json: bool) -> None:
    """Bring the store's schema up to this version; also `efile serve` does so when it starts.

    It goes forward only, and may be done while other nodes run: the version before still works on the new schema,
    unless its change log says that all must be stopped. On PostgreSQL it makes the tables of the next year too.
    """
    configure_logging()
    settings = settings_of(config)
    place = settings.store
    names = asyncio.run(missing_migrations(place) if check else migrate_store(place, settings.gateway.code))
    if as_json:
        print_json({"missing" if check else "applied": names})
    else:
        for name in names:
            click.echo(f"{'missing' if check else 'applied'}  {name}")
        if not names:
            click.echo("nothing is missing")
    if check and names:
        refused()
