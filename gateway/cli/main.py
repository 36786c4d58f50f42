"""`efile`: the group of commands and what all share."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from importlib import import_module

import click

from gateway.cli.output import EXIT_UNREACHABLE, EXIT_USAGE

COMMANDS = (
    "audit",
    "certs",
    "check",
    "deadlines",
    "demo",
    "dev-pki",
    "doctor",
    "forms",
    "incident",
    "migrate",
    "new",
    "queue",
    "receipt",
    "retention",
    "serve",
    "sign",
    "status",
    "submit",
    "trust",
    "verify",
    "verify-receipt",
    "view",
)
"""A file each in this folder; read when it is called for, since all together take a second."""
_READER_GONE = 128 + signal.SIGPIPE


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's form
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"gateway.cli.{name}"), name)
        return command


PLAIN = False if os.environ.get("NO_COLOR") else None
"""For `click`: no colours where the person says so (no-color.org), else where a terminal is there."""


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "color": PLAIN})
@click.version_option(package_name="efile-gateway")
def efile() -> None:
    """Sign, check and file electronic declarations, follow them, and run the gateway that takes them in.

    \b
    A first filing, on one machine:
      efile dev-pki var/dev                     a throw-away PKI and settings
      efile serve --config var/dev/efile.toml   the gateway
      efile sign FILE --key K -o S              sign as the taxpayer
      efile check S                             all faults, offline
      efile submit S                            file it; prints the receipt's number
      efile status NUMBER                       where it stands

    \b
    Exit codes: 0 done · 1 refused · 2 usage · 3 the gateway cannot be reached
    """


def main() -> None:
    """The console script: errors that a person can mend are one line, not a traceback."""
    if not sys.warnoptions:  # a strange certificate is judged, not warned about
        warnings.simplefilter("ignore")
    try:
        code = efile.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except click.Abort:
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
    except SystemExit:  # click ends so only where the reader is gone, and with 1, which means "refused" here
        sys.exit(_READER_GONE)
    except Exception as error:
        code = _told(error)
        if code is None:
            raise
    sys.exit(code)


def _told(error: Exception) -> int | None:
    """Say what a person can mend, and give the exit code; None for what is our own fault."""
    from gateway.client.http import Unreachable  # noqa: PLC0415 - slow to read, and rarely needed
    from gateway.errors import Busy, ConfigurationError, StoreUnavailable  # noqa: PLC0415
    from schemas import CatalogueError  # noqa: PLC0415
    from signing import CrlRefused, PolicyRefused, TrustRefused  # noqa: PLC0415

    where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
    match error:
        case Unreachable():
            told, code = [f"unreachable: {error}"], EXIT_UNREACHABLE
        case ConfigurationError():
            told, code = [f"configuration: {fault}" for fault in error.faults], EXIT_USAGE
        case CatalogueError():
            told, code = [f"catalogue: {fault}" for fault in error.faults], EXIT_USAGE
        case StoreUnavailable():
            told, code = [f"store: {error}"], EXIT_UNREACHABLE
        case Busy():
            told, code = [f"try again: {error}"], EXIT_UNREACHABLE
        case CrlRefused() | PolicyRefused() | TrustRefused():
            told, code = [f"Error: {error}"], EXIT_USAGE
        case OSError():  # a file or folder that was named
            told, code = [f"Error: {where}{error.strerror or error}"], EXIT_USAGE
        case _:
            return None
    for line in told:
        click.secho(line, err=True, fg="red", color=PLAIN)
    return code
