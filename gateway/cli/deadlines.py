"""efile deadlines: what is near its term, or past it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.calendar import Deadlines, load_deadlines
from gateway.cli.operator import with_store
from gateway.cli.output import json_option, print_json
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.filing.deadline import Level, Watched
from gateway.filing.identifiers import VIETNAM
from gateway.jobs.watch import standing

_WORDS = {
    Level.NONE: ("trong hạn", "in time"),
    Level.NEAR: ("sắp đến hạn", "near"),
    Level.OVERDUE: ("quá hạn", "overdue"),
    Level.LONG_OVERDUE: ("quá hạn lâu", "long overdue"),
}
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
    watched = with_store(config, lambda store: store.late(limit, all_that_waits=all_that_waits))
    rows = [
        row
        for one in watched
        if (agency is None or one.filing.agency == agency) and (row := _row(one, tables, now)) is not None
    ]
    if not all_that_waits:
        rows = [row for row in rows if row["level"] > 0]
    rows.sort(key=lambda row: str(row["due"]))
    if as_json:
        print_json([{**row, "level": Level(row["level"]).name.lower().replace("_", "-")} for row in rows])
        return
    for row in rows:
        level = Level(row["level"])
        words = click.style(f"{_WORDS[level][0]} / {_WORDS[level][1]}", fg=_COLOURS.get(level))
        click.echo(
            f"{row['number']}  {row['milestone']:10} due {row['due']}  {_lasting(row['lateSeconds']):>12}  "
            f"{row['status']:12} {row['agency'] or '':12} {words}"
        )
    late = sum(row["level"] >= Level.OVERDUE for row in rows)
    click.echo(f"{late} overdue, {len(rows) - late} not yet")


def _row(watched: Watched, tables: Deadlines, now: datetime) -> dict[str, Any] | None:
    found = standing(watched, tables, now)
    if found is None:
        return None
    filing = watched.filing
    return {
        "number": filing.number,
        "milestone": found.milestone.value,
        "due": found.due.astimezone(VIETNAM).isoformat(timespec="seconds"),
        "lateSeconds": round((now - found.due).total_seconds()),
        "level": int(found.level),
        "status": filing.status.value,
        "agency": filing.agency,
        "receivedAt": filing.received_at.astimezone(VIETNAM).isoformat(timespec="seconds"),
    }


def _lasting(seconds: int) -> str:
    hours, rest = divmod(abs(seconds), 3600)
    lasting = f"{hours // 24} d {hours % 24} h" if hours >= 24 else f"{hours} h {rest // 60:02} min"
    return f"+{lasting}" if seconds > 0 else f"-{lasting}"
