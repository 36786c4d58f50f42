"""efile queue: the operator's look at the deliveries, and the way on for dead letters."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gateway.app import clock
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.errors import NotFound
from gateway.store.opening import open_store
from gateway.store.queue import NotStuck
from gateway.store.store import Store


@click.group()
def queue() -> None:
    """Show what waits for delivery, and send stuck filings on their way again.

    Works on the gateway's own store, beside a running gateway or without one.
    """


@queue.command("list")
@click.option("--stuck", is_flag=True, help="Only dead letters.")
@settings_options
@json_option
def list_waiting(*, stuck: bool, config: Path, as_json: bool) -> None:
    """List the filings that wait, oldest first, with what happened last; then what goes on to cooperating agencies."""

    async def ask(store: Store) -> list[dict[str, Any]]:
        return [
            asdict(one)
            for one in (*await store.waiting(stuck=stuck), *await store.waiting_handovers(stuck=stuck))
        ]

    found = asyncio.run(_with_store(config, ask))
    if as_json:
        print_json(found)
        return
    for row in found:
        due = "–" if row["due_seconds"] is None else f"{row['due_seconds']:.0f} s"
        click.echo(
            f"{row['number']}  {row['status']:12} due {due:>6}  {row['failures']} failures  "
            f"{row['last_event']}: {row['last_detail']}"
        )
    click.echo(f"{len(found)} waiting")


@queue.command("replay")
@click.argument("number")
@click.option(
    "--agency", help="Only the handover to this cooperating agency, as `efile queue list` names it."
)
@click.option("--why", required=True, help="For the audit record.")
@settings_options
@json_option
def replay(*, number: str, agency: str | None, why: str, config: Path, as_json: bool) -> None:
    """Send the stuck filing NUMBER on its way again: it is routed and delivered anew, under its old key."""

    async def ask(store: Store) -> str | None:
        try:
            await store.replay(number, getpass.getuser(), why, agency)
        except NotFound:
            return f"{number}: no such filing" if agency is None else f"{number}: nothing goes on to {agency}"
        except NotStuck as error:
            return str(error)
        return None

    fault = asyncio.run(_with_store(config, ask))
    if as_json:
        print_json({"number": number, "replayed": fault is None, "fault": fault})
    else:
        click.echo(fault or f"{number}: replayed")
    if fault:
        refused()


async def _with_store(config: Path, ask: Callable[[Store], Awaitable[Any]]) -> Any:
    store = await open_store(settings_of(config).store, clock)
    try:
        return await ask(store)
    finally:
        await store.close()
