"""efile queue: the operator's look at the deliveries, and what he does with them."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from functools import wraps
from pathlib import Path
from typing import Any

import click

from gateway.admin import queue as waiting
from gateway.admin.agencies import agencies as agencies_of
from gateway.admin.filings import story
from gateway.cli.operator import Command, why_option, with_store
from gateway.cli.output import json_option, print_attempt, print_filing, print_json, refused
from gateway.cli.place import settings_options
from gateway.cli.times import age, vietnam
from gateway.clock import clock
from gateway.filing.status import Status
from gateway.store.queue import QueueFilter
from gateway.store.store import Store


@click.group()
def queue() -> None:
    """Show what waits for delivery and why; replay, hold and release it.

    Works on the gateway's own store, beside a running gateway or without one. Every change leaves an audit entry.
    """


def filters(command: Command) -> Command:
    """The options by which filings are chosen, as one `wanted`; its `narrows` is False where none is given."""

    @wraps(command)
    def chosen(
        *,
        agency: str | None,
        form: str | None,
        status: str | None,
        older_than: timedelta | None,
        reason: str | None,
        **others: Any,
    ) -> Any:
        wanted = QueueFilter(
            agency=agency,
            form=form,
            status=Status(status) if status else None,
            received_before=clock() - older_than if older_than is not None else None,
            reason=reason,
        )
        return command(wanted=wanted, **others)

    for option in reversed(
        (
            click.option("--agency", help="Of this back-end, as the settings name it."),
            click.option("--form", help="Of this form or service, by its code."),
            click.option("--status", type=click.Choice([s.value for s in Status]), help="With this status."),
            click.option("--older-than", type=age, help="Received longer ago: 90m, 2h, 3d."),
            click.option("--reason", help="With these words in its last event, or in why it is held."),
        )
    ):
        chosen = option(chosen)
    return chosen


@queue.command("list")
@click.option("--stuck", is_flag=True, help="Only dead letters.")
@click.option("--held", is_flag=True, help="Only what is held.")
@click.option(
    "--limit",
    type=click.IntRange(1, waiting.MOST),
    default=1000,
    show_default=True,
    help="The oldest so many.",
)
@filters
@settings_options
@json_option
def list_waiting(
    *, stuck: bool, held: bool, limit: int, wanted: QueueFilter, config: Path, as_json: bool
) -> None:
    """List the filings that wait, oldest first, with what happened last; then what goes on to cooperating agencies."""
    if stuck:
        wanted = replace(wanted, status=Status.STUCK)
    wanted = replace(wanted, held=True if held else None, limit=limit)

    found = with_store(config, lambda store: waiting.listed(store, wanted))
    if as_json:
        print_json(found)
        return
    for row in found:
        due = "–" if row["due_seconds"] is None else f"{row['due_seconds']:.0f} s"
        told = f"held: {row['held']}" if row["held"] else f"{row['last_event']}: {row['last_detail']}"
        click.echo(
            f"{row['number']}  {row['status']:12} {vietnam(row['received_at'])}  due {due:>6}  "
            f"{row['failures']} failures  {told}"
        )
    click.echo(f"{len(found)} waiting")


@queue.command("show")
@click.argument("number")
@settings_options
@json_option
def show(*, number: str, config: Path, as_json: bool) -> None:
    """Show all that is known of the filing NUMBER: where it stands, its place in the queue, story and attempts."""

    found = with_store(config, lambda store: story(store, number))
    if as_json:
        print_json(found)
    elif found is None:
        click.echo(f"{number}: no such filing")
    else:
        _print_shown(found)
    if found is None:
        refused()


def _print_shown(found: dict[str, Any]) -> None:
    print_filing(found)
    if waits := found["queue"]:
        due = "not due" if waits["due_seconds"] is None else f"due in {waits['due_seconds']:.0f} s"
        held = f", held: {waits['held']}" if waits["held"] else ""
        click.echo(f"  queue     {due}, {waits['failures']} failures in a row{held}")
    for event in found["events"]:
        click.echo(f"  {vietnam(event['at'])}  {event['event']:20} {event['detail']}")
    for attempt in found["attempts"]:
        print_attempt(attempt)
        click.echo(f"      by {attempt['node']}")


@queue.command("agencies")
@settings_options
@json_option
def agencies(*, config: Path, as_json: bool) -> None:
    """Show how each back-end stands for all processes: breaker, maintenance, hold, and how much waits for it."""
    found = with_store(config, agencies_of)
    if as_json:
        print_json(found)
        return
    for row in found:
        oldest = f"the oldest of {vietnam(row['oldest'])}" if row["oldest"] else ""
        click.echo(
            f"{row['agency']:20} {row['state']:12} {row['waiting']:>7} waiting  {row['in_flight']:>3} in flight  "
            f"{oldest}  {row['why']}".rstrip()
        )


@queue.command("replay")
@click.argument("numbers", nargs=-1)
@click.option(
    "--handover-to", help="Only the handover to this cooperating agency, as `efile queue list` names it."
)
@filters
@why_option
@settings_options
@json_option
def replay(
    *,
    numbers: tuple[str, ...],
    handover_to: str | None,
    wanted: QueueFilter,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """Send stuck filings on their way again, NUMBERS or by filter: routed and delivered anew, under their old keys."""

    _require_choice(numbers, wanted)
    order = waiting.Order(waiting.Act.REPLAY, getpass.getuser(), why, handover_to)
    _act(order, numbers, wanted, config=config, as_json=as_json)


@queue.command("hold")
@click.argument("numbers", nargs=-1)
@click.option(
    "--whole-agency", help="This back-end itself: no process calls it, whatever waits or will come."
)
@filters
@why_option
@settings_options
@json_option
def hold(
    *,
    numbers: tuple[str, ...],
    whole_agency: str | None,
    wanted: QueueFilter,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """Hold filings, NUMBERS or by filter: they stay where they are, and so do later ones of their period."""
    order = waiting.Order(waiting.Act.HOLD, getpass.getuser(), why)
    if whole_agency is not None:
        _act_on_agency(order, whole_agency, config=config, as_json=as_json)
        return
    _require_choice(numbers, wanted)
    _act(order, numbers, wanted, config=config, as_json=as_json)


@queue.command("release")
@click.argument("numbers", nargs=-1)
@click.option("--whole-agency", help="This back-end itself.")
@filters
@why_option
@settings_options
@json_option
def release(
    *,
    numbers: tuple[str, ...],
    whole_agency: str | None,
    wanted: QueueFilter,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """Let held filings, NUMBERS or by filter, go on at once."""
    order = waiting.Order(waiting.Act.RELEASE, getpass.getuser(), why)
    if whole_agency is not None:
        _act_on_agency(order, whole_agency, config=config, as_json=as_json)
        return
    _require_choice(numbers, wanted)
    _act(order, numbers, wanted, config=config, as_json=as_json)


def _require_choice(numbers: Sequence[str], wanted: QueueFilter) -> None:
    """Everything is never meant by nothing."""
    if bool(numbers) == wanted.narrows:
        raise click.UsageError(
            "name filings, or choose them by --agency, --form, --status, --older-than or --reason"
        )


def _act(
    order: waiting.Order, numbers: Sequence[str], wanted: QueueFilter, *, config: Path, as_json: bool
) -> None:
    """One order for each filing, each with its own audit entry; ends with 1 where any of them could not be done."""

    async def ask(store: Store) -> list[waiting.Done]:
        found = list(numbers) or await waiting.chosen(store, order.act, wanted)
        return await waiting.act_on_filings(store, order, found)

    _tell(with_store(config, ask), as_json)


def _act_on_agency(order: waiting.Order, agency: str, *, config: Path, as_json: bool) -> None:
    _tell([with_store(config, lambda store: waiting.act_on_agency(store, order, agency))], as_json)


def _tell(done: Sequence[waiting.Done], as_json: bool) -> None:
    if as_json:
        print_json([asdict(one) for one in done])
    else:
        for one in done:
            click.echo(f"{one.number}: done" if one.fault is None else str(one.fault))
        click.echo(f"{sum(one.done for one in done)} of {len(done)} done")
    if any(not one.done for one in done):
        refused()
