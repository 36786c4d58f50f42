"""Which catalogue a command reads."""

from __future__ import annotations

from pathlib import Path

import click

catalogue_option = click.option(
    "--catalogue",
    "directory",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The catalogue's folder. [default: the one that comes with the gateway]",
)
