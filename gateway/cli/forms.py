"""efile forms: what can be filed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click

import schemas
import signing
from gateway.cli.output import json_option, print_json
from gateway.clock import clock
from gateway.directory import OWN_DIRECTORY, Directory, load_directory
from gateway.intake.form_policy import with_policies
from schemas.codes import CodeList


@click.command()
@click.argument("form", required=False)
@click.option(
    "--catalogue",
    "directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The catalogue's folder. [default: the one that comes with the gateway]",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path, exists=False),
    help="Write a copy of the catalogue to this new folder, to add forms to.",
)
@click.option("--table", "as_table", is_flag=True, help="List them as a table in Markdown, to publish.")
@json_option
def forms(
    form: str | None, directory: Path | None, export: Path | None, as_table: bool, as_json: bool
) -> None:
    """List the forms that can be filed, or explain one.

    FORM is a code (842), a code and version (842-2.8.3) or a label (01/GTGT). Loads the catalogue as the gateway would:
    every example of every form in a --catalogue is judged, and whatever is wrong is told at once (exit code 2).
    """
    catalogue = with_policies(
        schemas.serving_catalogue(directory or schemas.OWN_CATALOGUE), signing.load_policy("tt15-2025")
    )
    if export is not None:
        schemas.export_catalogue(directory or schemas.OWN_CATALOGUE, export)
        click.echo(f"{export}: {len(catalogue.forms)} forms; name it in [catalogue] directory")
        return
    chosen = catalogue.descriptions() if form is None else catalogue.named(form)
    if form is not None and not chosen:
        raise click.UsageError(f"no form is called {form!r}: see efile forms")
    if as_json:
        print_json([_as_json(one) for one in chosen])
    elif as_table:
        click.echo(_table(chosen))
    elif form is None:
        for one in chosen:
            _row(one)
    else:
        for one in chosen:
            _explain(one)


def _as_json(one: schemas.Description) -> dict[str, Any]:
    form = one.form
    return {
        "family": form.family,
        "code": form.code,
        "version": form.version,
        "kinds": list(one.kinds),
        "label": form.label,
        "name": {"vi": form.name_vi, "en": form.name_en},
        "legalBasis": form.legal_basis,
        "periods": {
            "from": form.in_force_from.isoformat(),
            "until": form.in_force_until.isoformat(),
            "kinds": list(form.period_kinds),
        },
        "signers": [list(entry) for entry in form.signers],
        "signaturePolicy": form.signature_policy,
        "annexes": {kind: list(names) for kind, names in one.annexes.items()},
        "fields": [
            {
                "path": field.path,
                "indicator": field.label.indicator,
                "label": {"vi": field.label.vi, "en": field.label.en},
                "type": field.kind,
                "wants": {"vi": field.wants.vi, "en": field.wants.en},
                "optional": field.optional,
                "table": field.group.path if field.group is not None else None,
                "codes": _codes(one.codes.get(field.path)),
            }
            for field in one.fields
        ],
        "rules": [
            {"code": rule.code, "severity": rule.severity, "rule": rule.arithmetic.source}
            for rule in one.rules
        ],
        "examples": {name: list(codes) for name, codes in one.examples.items()},
    }


def _codes(codes: CodeList | None) -> dict[str, Any] | None:
    return None if codes is None else {"list": codes.name, "whole": codes.whole}


def _row(one: schemas.Description) -> None:
    form = one.form
    head = click.style(f"{form.code}-{form.version}", bold=True)
    click.echo(f"{head}  {form.label}  ({', '.join(one.kinds)})")
    click.echo(f"    {form.name_vi} / {form.name_en}")


def _table(chosen: Sequence[schemas.Description]) -> str:
    tables, today = load_directory(OWN_DIRECTORY), schemas.vietnam_day(clock())
    lines = [
        "| form | kinds | name | legal form | in force | goes to | rules |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in chosen:
        form = one.form
        cells = (
            f"{form.code}-{form.version}",
            ", ".join(one.kinds),
            f"{form.label}: {form.name_vi} / {form.name_en}",
            form.legal_basis,
            f"{form.in_force_from} to {form.in_force_until}",
            _route(form.code if form.code in tables.services else form.family, tables, today),
            str(len(one.rules)),
        )
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def _route(service: str, tables: Directory, day: date) -> str:
    """Who leads, and whom it goes on to: `A → B, C`; "–" where the directory knows no such service."""
    offices = [(row.role, office.name_vi) for row, office in tables.offices_of(service, day)]
    named = {role: [name for found, name in offices if found == role] for role in ("lead", "cooperating")}
    parts = (
        ", ".join(name.replace("{place}", "(nơi giải quyết)") for name in names) for names in named.values()
    )
    return " → ".join(part for part in parts if part) or "–"


def _explain(one: schemas.Description) -> None:
    form = one.form
    _row(one)
    click.echo(f"  legal basis  {form.legal_basis}")
    if form.period_kinds:
        click.echo(
            f"  for periods  {', '.join(form.period_kinds)}, {form.in_force_from} to {form.in_force_until}"
        )
    else:
        click.echo(f"  for filing   {form.in_force_from} to {form.in_force_until}")
    click.echo(f"  signed by    {' and '.join(' or '.join(entry) for entry in form.signers)}")
    if form.signature_policy is not None:
        click.echo(f"  policy       {form.signature_policy}, beside the gateway's own")
    for kind, names in one.annexes.items():
        click.echo(f"  annexes      kind {kind}: {', '.join(names)}")
    for path, known in one.codes.items():
        told = "" if known.whole else " (a sample, not judged)"
        click.echo(f"  codes        {path}: {known.name}{told}")
    click.secho("  fields", bold=True)
    for field in one.fields:
        if one.family.is_heading(field.path):  # the same in every document of the family
            continue
        number = f"[{field.label.indicator}]" if field.label.indicator else ""
        table = " (a row of a table)" if field.group is not None else ""
        click.echo(f"    {number:6} {field.path}{table}")
        click.secho(f"           {field.label.vi} / {field.label.en}", dim=True)
    click.secho("  rules", bold=True)
    for rule in one.rules:
        click.echo(f"    {rule.code:12} {rule.severity:8} {rule.arithmetic.source}")
    click.secho("  examples (efile new)", bold=True)
    for name, codes in one.examples.items():
        click.echo(f"    {name:24} {', '.join(codes) or 'passes'}")
