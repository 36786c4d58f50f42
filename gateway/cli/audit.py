"""efile audit: who did what, when and why; and whether nothing of it was changed."""

from __future__ import annotations

from pathlib import Path

import click

from gateway.cli.operator import with_store
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_options
from gateway.filing.identifiers import VIETNAM
from gateway.store.audit import EVENTS
from gateway.store.looking import AuditEntry, AuditFilter


@click.group()
def audit() -> None:
    """Read and verify the audit record: append-only, each entry chained to the one before."""


@audit.command("list")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many, at most."
)
@click.option("--actor", help="By one actor alone.")
@click.option("--act", help="One act alone, or a family of them: certificate.*")
@click.option("--subject", help="Of one subject alone: an entry, a filing, a provider …")
@settings_options
@json_option
def list_audit(
    *, limit: int, actor: str | None, act: str | None, subject: str | None, config: Path, as_json: bool
) -> None:
    """List the newest entries, the newest first."""
    wanted = AuditFilter(actor, act, subject, limit=limit)
    found = with_store(config, lambda store: store.audit(wanted))
    if as_json:
        print_json([_json(entry) for entry in found])
        return
    for entry in found:
        text = EVENTS[entry.act].vi if entry.act in EVENTS else ""
        at = f"{entry.at.astimezone(VIETNAM):%Y-%m-%d %H:%M:%S}"
        click.echo(f"{entry.seq:6} {at}  {entry.actor:14} {entry.act:26} {entry.subject}  {text}")
        if entry.detail:
            click.secho(f"       {entry.detail}", dim=True)
    click.echo(f"{len(found)} entries")


@audit.command("verify")
@settings_options
@json_option
def verify(*, config: Path, as_json: bool) -> None:
    """Walk the chain of hashes from the first entry on. Exit code 1 where it is broken."""
    count, broken = with_store(config, lambda store: store.broken_audit())
    if as_json:
        print_json({"entries": count, "broken": list(broken)})
    elif broken:
        listed = ", ".join(str(seq) for seq in broken)
        click.secho(f"Sổ kiểm toán bị sửa tại: {listed}\nThe chain is broken at: {listed}", fg="red")
    else:
        click.echo(f"{count} entries, the chain holds")
    if broken:
        refused()


def _json(entry: AuditEntry) -> dict[str, object]:
    said = {name: getattr(entry, name) for name in AuditEntry.__dataclass_fields__}
    return {**said, "at": entry.at.astimezone(VIETNAM).isoformat()}
