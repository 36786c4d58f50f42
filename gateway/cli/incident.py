"""efile incident: an agency that could not be reached on the last day of a term (sự cố)."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import click

from gateway.admin import incidents
from gateway.cli.operator import why_option, with_store
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_options
from gateway.cli.times import moment
from gateway.errors import NotFound
from gateway.filing.incident import Incident
from gateway.store.incidents import IncidentRefused
from gateway.store.store import Store

T = TypeVar("T")


@click.group()
def incident() -> None:
    """Declare, list and end incidents: times in which an agency could not be reached.

    What was filed on the last day of its term, or by the end of the day after the agency was back, counts as in time:
    its status and its answer say so, and its receipt where the incident was known by then.
    """


@incident.command("declare")
@click.option("--agency", required=True, help="The back-end, as the settings name it.")
@click.option(
    "--from", "first", type=moment, required=True, help="Since when: 2026-12-21T08:00, Vietnam's time."
)
@click.option(
    "--to", "until", type=moment, help="Until when; without it, it goes on until `efile incident end`."
)
@why_option
@settings_options
@json_option
def declare(
    *, agency: str, first: datetime, until: datetime | None, why: str, config: Path, as_json: bool
) -> None:
    """Declare that an agency could not be reached. --why is told to the filers."""
    if until is not None and until <= first:
        raise click.UsageError("--to lies before --from")

    async def ask(store: Store) -> Incident:
        return await incidents.declare(
            store, agency, first=first, until=until, why=why, who=getpass.getuser()
        )

    declared = _or_refuse(config, ask)
    if as_json:
        print_json(incidents.incident_json(declared))
    else:
        click.echo(f"{declared.id}: declared")


@incident.command("list")
@settings_options
@json_option
def list_incidents(*, config: Path, as_json: bool) -> None:
    """List all incidents, the oldest first."""
    found = with_store(config, lambda store: store.incidents())
    if as_json:
        print_json([incidents.incident_json(one) for one in found])
        return
    for one in found:
        until = incidents.minutes(one.until) if one.until else "going on"
        click.echo(
            f"{one.id}  {one.agency:12} {incidents.minutes(one.first)} – {until}  {one.why} ({one.declared_by})"
        )
    click.echo(f"{len(found)} incidents")


@incident.command("end")
@click.argument("id")
@click.option("--at", type=moment, required=True, help="Since when the agency is back, Vietnam's time.")
@why_option
@settings_options
@json_option
def end(*, id: str, at: datetime, why: str, config: Path, as_json: bool) -> None:
    """End the incident ID: the agency is back."""

    async def ask(store: Store) -> None:
        await store.end_incident(id, at, why, getpass.getuser())

    _or_refuse(config, ask)
    if as_json:
        print_json({"id": id, "until": at.isoformat()})
    else:
        click.echo(f"{id}: ended")


def _or_refuse(config: Path, ask: Callable[[Store], Awaitable[T]]) -> T:
    try:
        return with_store(config, ask)
    except (NotFound, IncidentRefused) as error:
        click.secho(str(error), err=True, fg="red")
        refused()
