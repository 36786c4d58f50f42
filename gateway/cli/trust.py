"""efile trust: what a trust folder holds, and until when."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import click

import signing
from gateway.cli.output import json_option, print_json
from gateway.clock import clock
from signing.holdings import WORDS, State

_COLOURS = {State.ENDED: "red", State.SOON: "yellow", State.NOT_YET: "yellow", State.IN_FORCE: "green"}


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False))
@json_option
def trust(folder: Path, as_json: bool) -> None:
    """Tell which trusted lists, anchors, CA certificates and revocation lists FOLDER holds, and until when they count.

    Reads it as the gateway does; a broken file is told (exit code 2). "Ends soon": within seven days, or, of what lives
    shorter, in the second half of its life.
    """
    at = clock()
    store = signing.TrustStore.load(folder, at)
    found = signing.holdings(store)
    if as_json:
        print_json(
            {
                "at": at.isoformat(timespec="seconds"),
                "holdings": [_as_json(one, at) for one in found],
                "ocspAnswers": store.revocation.answers(),
                "leftOut": list(store.left_out),
            }
        )
        return
    for one in found:
        state = one.state(at)
        words = " / ".join(WORDS[state])
        until = one.until.isoformat(timespec="seconds")
        click.echo(f"{WORDS[one.kind][0]} / {WORDS[one.kind][1]}: {one.name}")
        click.echo(f"    {click.style(words, fg=_COLOURS[state])}: {until}")
    for left_out in store.left_out:
        click.secho(f"không dùng được / cannot be used: {left_out}", fg="yellow")
    click.echo(f"OCSP: {store.revocation.answers()}")


def _as_json(one: signing.Holding, at: datetime) -> dict[str, Any]:
    state = one.state(at)
    return {
        "kind": one.kind,
        "name": one.name,
        "from": one.start.isoformat(),
        "until": one.until.isoformat(),
        "state": state,
        "text": dict(zip(("vi", "en"), WORDS[state], strict=True)),
    }
