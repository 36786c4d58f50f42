"""`--config` and `--store`, on every command that works on the gateway's own store."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from gateway.settings import Settings, load_settings, store_place

_STORE = "gateway.store"


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command gets `config`; what `--store` says is kept for `settings_of`."""
    command = click.option(
        "--store",
        expose_value=False,
        callback=_keep,
        metavar="PATH|URL",
        help="Another store than the settings file names: a path, or postgresql://…",
    )(command)
    return click.option(
        "--config",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        default=Path("efile.toml"),
        show_default=True,
        help="The gateway's settings file.",
    )(command)


def settings_of(config: Path) -> Settings:
    """The file's settings, with the store that was asked for. Raises ConfigurationError."""
    settings = load_settings(config)
    store: str | None = click.get_current_context().meta.get(_STORE)
    return settings if store is None else replace(settings, store=store_place(store, Path.cwd()))


def _keep(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[_STORE] = value
