"""How `efile certs` prints entries and timelines, for people and for machines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import click

from gateway.filing.identifiers import VIETNAM
from gateway.register.entry import STATE_WORDS, Entry, Purpose, State
from gateway.register.plan import Step

_COLOURS = {State.ACTIVE: "green", State.NEXT: "blue", State.RETIRING: "yellow", State.REVOKED: "red"}
_SOON_DAYS = 30


def print_entries(entries: Iterable[Entry], at: datetime, sealed: Mapping[str | None, int]) -> None:
    """A table, a line each. `sealed`: how many bodies and papers are under which key."""
    listed = list(entries)
    for entry in listed:
        left = entry.days_left(at)
        days = "    – days  no end          "
        if left is not None:
            shown = click.style(f"{left:5}", fg="red" if left < _SOON_DAYS else None)
            days = f"{shown} days  until {_day(entry.valid_to)}"
        state = click.style(f"{entry.state.value:8}", fg=_COLOURS.get(entry.state))
        whose = f"{entry.party}: " if entry.party else ""
        seals = f"  seals {sealed.get(entry.subject, 0)}" if entry.purpose is Purpose.BODIES else ""
        click.echo(f"{entry.id:28} {state} {days}  {whose}{entry.subject}{seals}")
    click.echo(f"{len(listed)} entries")
    if sealed.get(None):
        click.echo(
            f"{sealed[None]} bodies and papers of an older version: `efile certs reseal` looks at them"
        )


def print_entry(entry: Entry, at: datetime) -> None:
    """All that matters of one."""
    words = STATE_WORDS[entry.state]
    click.echo(click.style(entry.id, bold=True))
    click.echo(f"  state     {entry.state.value}: {words.vi} / {words.en}")
    click.echo(f"  subject   {entry.subject}")
    left = entry.days_left(at)
    click.echo("  until     no end" if left is None else f"  until     {_day(entry.valid_to)} ({left} days)")
    for word, time in (("takes over", entry.starts_at), ("retires", entry.ends_at)):
        if time is not None:
            click.echo(f"  {word:9} {_iso(time)}")
    if entry.proposal is not None:
        click.echo(
            f"  proposed  {entry.proposal.to.value} by {entry.proposal.by}: another person approves it"
        )
    last = entry.rehearsal
    if last is not None:
        green = entry.rehearsed
        click.secho(f"  rehearsed {'green' if green else 'NOT green'}", fg="green" if green else "red")
        for fault in last.faults:
            click.secho(f"  ✗ {fault.vi}\n    {fault.en}", fg="red")
        for doubt in last.doubts:
            click.secho(f"  ? {doubt.vi}\n    {doubt.en}", fg="yellow")


def print_steps(steps: Iterable[Step]) -> None:
    """A line each, in order of time; what somebody has to do begins with an arrow."""
    listed = list(steps)
    for step in listed:
        mark = "→" if step.ours else " "
        late = click.style("  LATE", fg="red") if step.late else ""
        click.echo(f"{mark} {_day(step.at)}  {step.entry:28} {step.text.vi} / {step.text.en}{late}")
    click.echo(f"{len(listed)} steps")


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(VIETNAM).isoformat(timespec="seconds")


def _day(at: datetime) -> str:
    return at.astimezone(VIETNAM).strftime("%Y-%m-%d")
