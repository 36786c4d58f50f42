"""`--attach`: the papers beside a dossier, for the commands that take them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def attach_option(command: F) -> F:
    """`--attach`, any number of times; the command gets `attached`, for `read_papers`."""
    return click.option(
        "--attach",
        "attached",
        multiple=True,
        type=click.Path(path_type=Path, exists=True),
        help="A paper beside the dossier, under its own file name, or a folder of them. May be given again.",
    )(command)


def read_papers(attached: Sequence[Path]) -> Mapping[str, bytes]:
    """By file name, in the order given; of a folder every file in it, hidden ones left out.

    Raises a usage error where two files have one name.
    """
    papers: dict[str, bytes] = {}
    for path in _files(attached):
        if path.name in papers:
            raise click.UsageError(f"--attach {path}: another file is called {path.name} too")
        papers[path.name] = path.read_bytes()
    return papers


def _files(attached: Sequence[Path]) -> Iterator[Path]:
    for path in attached:
        if path.is_dir():
            yield from sorted(one for one in path.iterdir() if one.is_file() and one.name[0] != ".")
        else:
            yield path
