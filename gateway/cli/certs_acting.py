"""How a command acts on the register: on the gateway's own store, and then waits for the effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

import signing
from gateway.admin.certificates import entry_json
from gateway.agency_keys import party_of
from gateway.cli.certs_output import print_entry
from gateway.cli.operator import with_store
from gateway.cli.output import print_json, refused
from gateway.cli.place import settings_of
from gateway.cli.times import moment
from gateway.clock import clock
from gateway.errors import ConfigurationError, NotFound
from gateway.filing.findings import Text
from gateway.register.acts import Certificates
from gateway.register.entry import Entry, Purpose, RegisterRefused
from gateway.register.in_words import unusable

T = TypeVar("T")
_EFFECT_SECONDS = 20.0

at_option = click.option("--at", type=moment, help="When: 2026-12-21T08:00, Vietnam's time. [default: now]")
force_option = click.option("--force", is_flag=True, help="Also against a rehearsal, or what depends on it.")

agency_option = click.option(
    "--agency", metavar="ID", help="Of agency-tls: the agency that is called with it."
)


def party_for(purpose: Purpose, agency: str | None) -> str:
    """The party of a key of ours: of agency-tls the agency, of others none. Raises click.UsageError."""
    if (agency is None) is (purpose is Purpose.AGENCY_TLS):
        raise click.UsageError(
            "--agency says which agency is called with the key: of agency-tls, and no other"
        )
    return party_of(agency) if agency is not None else ""


def act(config: Path, ask: Callable[[Certificates], Awaitable[T]], *, bodies: bool = False) -> T:
    """Run one act on the register of the store that the settings name; a refusal is told in both languages.

    `bodies`: it reads and writes those that lie elsewhere, too.
    """
    settings = settings_of(config)
    try:
        return with_store(config, lambda store: ask(Certificates(settings, store, clock)), bodies=bodies)
    except RegisterRefused as error:
        _tell(error.texts)
    except NotFound as error:
        _tell([Text(f"Không tìm thấy (nguyên văn: {error}).", str(error))])
    except (signing.KeyRefused, ConfigurationError, ValueError) as error:
        _tell([unusable(error)])
    raise AssertionError("unreachable")


def _tell(texts: Sequence[Text]) -> None:
    for text in texts:
        click.secho(f"{text.vi}\n  {text.en}", err=True, fg="red")
    refused()


def tell(entry: Entry, as_json: bool) -> None:
    """Print one entry."""
    if as_json:
        print_json(entry_json(entry, clock()))
    else:
        print_entry(entry, clock())


def changed(config: Path, ask: Callable[[Certificates], Awaitable[Entry]], as_json: bool) -> None:
    """Do it, print the entry, wait until the processes that serve have taken it over, and tell what they could not."""

    async def ask_and_wait(register: Certificates) -> tuple[Entry, bool, Any]:
        entry = await ask(register)
        return entry, *(await register.effect(_EFFECT_SECONDS))

    entry, done, processes = act(config, ask_and_wait)
    if as_json:
        told = [{"process": one.process, "faults": list(one.faults)} for one in processes]
        print_json({**entry_json(entry, clock()), "inEffect": done, "processes": told})
    else:
        print_entry(entry, clock())
        words = "taken over by" if done else "NOT yet taken over by all of"
        click.echo(f"  {words} {len(processes)} processes that serve")
        for one in processes:
            for fault in one.faults:
                click.secho(f"  ✗ {one.process}: {fault}", fg="red")
    if not done or any(one.faults for one in processes):
        refused()
