"""efile dev-pki: everything a development gateway needs, in one folder."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from gateway.cli.output import json_option, print_json
from gateway.development import ADMIN_PORT, DEFAULT_PORTS, Ports, install


@click.command("dev-pki")
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False), default=Path("var/dev"))
@click.option("--port", type=int, default=DEFAULT_PORTS.door, show_default=True, help="The gateway's door.")
@click.option(
    "--health-port", type=int, default=DEFAULT_PORTS.health, show_default=True, help="Its health port."
)
@click.option(
    "--agency-port", type=int, default=DEFAULT_PORTS.agency, show_default=True, help="The simulated agency."
)
@click.option(
    "--admin-port", type=int, default=ADMIN_PORT, show_default=True, help="The administrators' door; 0: none."
)
@json_option
def dev_pki(
    *, directory: Path, port: int, health_port: int, agency_port: int, admin_port: int, as_json: bool
) -> None:
    """Make a throw-away PKI in DIRECTORY (default var/dev), with settings, a client profile and an example.

    Every certificate says DEVELOPMENT ONLY; a gateway in production mode refuses to start with them. A second
    run keeps what is there, edited files too, and renews revocation lists that are about to end.
    """
    made = install(
        directory, at=datetime.now(UTC), ports=Ports(port, health_port, agency_port, admin_port), keep=True
    )
    if as_json:
        files = {
            name: str(made.directory / name) for name in ("pki", "efile.toml", "client.toml", "example.xml")
        }
        kept = [str(file) for file in made.kept]
        print_json(
            {"directory": str(directory), "files": files, "kept": kept, "identities": list(made.pki.names)}
        )
        return
    click.echo(f"{made.pki.directory}/  a development PKI ({len(made.pki.names)} identities)")
    click.echo(f"{made.settings}  settings: efile serve --config {made.settings}")
    click.echo(f"{made.profile}  the T-VAN's profile: efile submit FILE --profile {made.profile}")
    if admin_port:
        bundle = made.pki["admin"].pkcs12
        click.echo(
            f"{bundle}  for a browser (password: development): the console at https://localhost:{admin_port}/console"
        )
    click.echo(f"{made.example}  an unsigned declaration 01/GTGT")
    if made.kept:
        names = ", ".join(file.name for file in made.kept)
        click.echo(f"kept as they were, ports included: {names}. To have them anew, remove them first")
