"""efile retention: how long filings are kept, which are kept longer, and what stays of those that are gone."""

from __future__ import annotations

import getpass
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

import schemas
from gateway.cli.operator import why_option, with_store
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_of, settings_options
from gateway.cli.times import vietnam
from gateway.errors import NotFound
from gateway.filing.filing import NoticeKind
from gateway.store.orders import NotHeld
from gateway.store.store import Store
from gateway.upkeep import retention_rules


@click.group()
def retention() -> None:
    """Terms of retention: list them, keep filings beyond them, and tell what has been removed.

    Terms are those of the families (family.toml) and of [[retention]] in the settings; what has none is kept for ever.
    """


@retention.command("list")
@settings_options
@json_option
def list_rules(*, config: Path, as_json: bool) -> None:
    """List the terms in force, and the filings that are kept whatever their terms."""
    settings = settings_of(config)
    rules = retention_rules(settings, schemas.open_catalogue(settings.catalogue.directory).families)
    kept = with_store(config, lambda store: store.kept())
    if as_json:
        terms = [{"family": rule.family, "part": rule.part.value, "term": rule.term} for rule in rules]
        print_json({"terms": terms, "kept": [{"number": one.number, "why": one.why} for one in kept]})
        return
    for rule in rules:
        click.echo(f"{rule.family:20} {rule.part:8} {rule.term} after the end")
    for one in kept:
        click.echo(f"{one.number}  kept: {one.why}")
    click.echo(f"{len(rules)} terms, all else is kept for ever; {len(kept)} filings kept beyond them")


@retention.command("keep")
@click.argument("number")
@why_option
@settings_options
@json_option
def keep(*, number: str, why: str, config: Path, as_json: bool) -> None:
    """Keep all of the filing NUMBER, whatever its terms (a legal hold)."""
    _order(number, lambda store: store.keep(number, getpass.getuser(), why), config=config, as_json=as_json)


@retention.command("release")
@click.argument("number")
@why_option
@settings_options
@json_option
def release(*, number: str, why: str, config: Path, as_json: bool) -> None:
    """Let the terms of the filing NUMBER count again."""
    _order(number, lambda store: store.let_go(number, getpass.getuser(), why), config=config, as_json=as_json)


@retention.command("known")
@click.argument("number")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@settings_options
@json_option
def known(*, number: str, file: Path, config: Path, as_json: bool) -> None:
    """Tell whether FILE is, to the byte, the document or a notice of the filing NUMBER, also where that is removed.

    Exit code 1 where it is not.
    """
    digest = hashlib.sha256(file.read_bytes()).hexdigest()

    async def ask(store: Store) -> dict[str, Any]:
        if (filing := await store.filing(number)) is not None:
            hashes = {"document": filing.digest.hex()}
            for kind in NoticeKind:
                if (notice := await store.notice(number, [kind])) is not None:
                    hashes[kind.value] = hashlib.sha256(notice.document).hexdigest()
            gone = None
        elif (gone := await store.removed(number)) is not None:
            hashes = {"document": gone.digest, **gone.notices}
        else:
            return {"number": number, "known": None, "removedAt": None, "rule": None}
        return {
            "number": number,
            "known": next((kind for kind, known in hashes.items() if known == digest), None),
            "removedAt": gone and gone.removed_at.isoformat(),
            "rule": gone and gone.rule,
        }

    found = with_store(config, ask)
    if as_json:
        print_json(found)
    else:
        click.echo(f"{file}: {found['known'] or 'neither the document nor a notice'} of {number}")
        if found["removedAt"]:
            click.echo(f"  removed on {vietnam(found['removedAt'])} by the term {found['rule']}")
    if found["known"] is None:
        refused()


def _order(number: str, act: Callable[[Store], Awaitable[None]], *, config: Path, as_json: bool) -> None:
    try:
        with_store(config, act)
    except (NotFound, NotHeld) as error:
        click.secho(str(error), err=True, fg="red")
        refused()
    if as_json:
        print_json({"number": number})
    else:
        click.echo(f"{number}: done")
