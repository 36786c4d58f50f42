"""efile new: an example document to start from."""

from __future__ import annotations

from pathlib import Path

import click

import schemas
from gateway.cli.catalogue import catalogue_option
from gateway.cli.output import json_option, print_json
from gateway.clock import clock


@click.command()
@click.argument("form")
@click.option(
    "--example", default="passes.xml", show_default=True, help="Which example: see efile forms FORM."
)
@catalogue_option
@click.option("--tax-code", help="The taxpayer's tax code, instead of the example's.")
@click.option(
    "--papers",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Take the files out of a dossier and write them into this folder: to be sent beside it, with --attach.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the XML here.")
@json_option
def new(
    *,
    form: str,
    example: str,
    directory: Path | None,
    tax_code: str | None,
    folder: Path | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write an unsigned example document of FORM (a code, code and version, or label) that passes every check.

    Other examples are broken on purpose: `efile forms FORM` says which faults each one shows.
    """
    chosen = schemas.open_catalogue(directory or schemas.OWN_CATALOGUE).named(form)
    if len(chosen) != 1:
        names = ", ".join(f"{one.form.code}-{one.form.version}" for one in chosen)
        raise click.UsageError(
            f"{form!r} names several forms: {names}"
            if chosen
            else f"no form is called {form!r}: see efile forms"
        )
    if example not in chosen[0].examples:
        raise click.UsageError(f"no example is called {example!r}: there are {', '.join(chosen[0].examples)}")
    document = chosen[0].example(example, tax_code=tax_code, on=schemas.vietnam_day(clock()))
    if folder is not None:
        document = _apart(document, folder)
    if out is not None:
        out.write_bytes(document)
    if as_json:
        form_named = {"code": chosen[0].form.code, "version": chosen[0].form.version}
        print_json({"form": form_named, "file": str(out) if out else None, "xml": document.decode()})
    elif out is not None:
        click.echo(f"{out} ({len(document)} bytes)")
    else:
        click.echo(document, nl=False)


def _apart(document: bytes, folder: Path) -> bytes:
    """Raises a usage error for a form without papers."""
    apart, papers = schemas.papers_apart(document)
    if not papers:
        raise click.UsageError("--papers: this example lists no files")
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in papers.items():
        (folder / name).write_bytes(content)
    return apart
