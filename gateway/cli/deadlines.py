"""efile deadlines: what is near its term, or past it."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.admin import deadlines as watched
from gateway.calendar import load_deadlines
from gateway.cli.operator import with_store
from gateway.cli.output import json_option, print_json
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.filing.deadline import Level

_COLOURS = {Level.NEAR: "yellow", Level.OVERDUE: "red", Level.LONG_OVERDUE: "red"}


@click.command()
@click.option("--all", "all_that_waits", is_flag=True, help="All that waits, also what is in time.")
@click.option("--agency", help="Only of this back-end, as the settings name it.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=10_000,
    show_default=True,
    help="The oldest so many.",
)
@settings_options
@json_option
def deadlines(*, all_that_waits: bool, agency: str | None, limit: int, config: Path, as_json: bool) -> None:
    """List the filings whose forwarding or verdict is near its term or past it, the most urgent first.

    Terms run in Vietnam's time and working days, by the calendar that the settings name. Works on the gateway's own
    store, beside a running gateway or without one.
    """
    tables, now = load_deadlines(settings_of(config).calendar.folder), clock()
    rows = with_store(
        config,
        lambda store: watched.deadlines(
            store, tables, now, all_that_waits=all_that_waits, agency=agency, limit=limit
        ),
    )
    if as_json:
        print_json(rows)
        return
    late = 0
    for row in rows:
        level = watched.level_of(row["level"])
        late += level >= Level.OVERDUE
        words = click.style(" / ".join(watched.LEVEL_WORDS[level]), fg=_COLOURS.get(level))
        click.echo(
            f"{row['number']}  {row['milestone']:10} due {row['due']}  {_lasting(row['lateSeconds']):>12}  "
            f"{row['status']:12} {row['agency'] or '':12} {words}"
        )
    click.echo(f"{late} overdue, {len(rows) - late} not yet")


def _lasting(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    lasting = f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60:02} min"
    return f"+{lasting}" if seconds > 0 else f"-{lasting}"
