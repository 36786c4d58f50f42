"""`python -m adapters.simulator`: the simulated tax authority as a process of its own."""

from __future__ import annotations

import asyncio
import logging
import signal
from pathlib import Path
from typing import Any

import click

from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import BooksError
from adapters.simulator.server import Simulator, SimulatorConfig

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option(
    "--host", default="127.0.0.1", show_default=True, help="Others need --tls-cert and --client-ca."
)
@click.option("--port", default=0, show_default=True, help="0 takes a free one; the URL is printed.")
@click.option("--tls-cert", type=_FILE, help="Server certificate (PEM); without it, plain HTTP.")
@click.option("--tls-key", type=_FILE)
@click.option("--client-ca", type=_FILE, help="Clients must bear a certificate of this CA (PEM).")
@click.option("--callback", metavar="URL", help="Where verdicts are sent; without it, polls only.")
@click.option("--callback-ca", type=_FILE, help="CA of the callback door's certificate (PEM).")
@click.option("--callback-cert", type=_FILE, help="Client certificate for the callback door (PEM).")
@click.option("--callback-key", type=_FILE)
@click.option(
    "--books", type=click.Path(dir_okay=False, path_type=Path), help="JSON lines, kept over restarts."
)
@click.option(
    "--verdict-delay", default=1.0, show_default=True, help="Seconds from taking in to the verdict."
)
@click.option("--seed", default=0, show_default=True, help="Of the chance behind fail_rate.")
def main(verdict_delay: float, **options: Any) -> None:
    """Run a simulated tax authority until SIGTERM or SIGINT.

    POST /control changes its behaviour, GET /books shows what it has taken in.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        config = SimulatorConfig(behaviour=Behaviour(verdict_delay_s=verdict_delay), **options)
        asyncio.run(_serve(config))
    except (BooksError, ValueError, OSError) as error:
        raise click.ClickException(str(error)) from error


async def _serve(config: SimulatorConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Simulator(config) as simulator:
        click.echo(f"simulated tax authority at {simulator.url}")
        await stop.wait()


if __name__ == "__main__":
    main()
