"""`efile`: the group of commands and what all share."""

from __future__ import annotations

import sys
import warnings

import click

import signing
from gateway.cli.check import check
from gateway.cli.demo import demo
from gateway.cli.dev_pki import dev_pki
from gateway.cli.output import EXIT_UNREACHABLE, EXIT_USAGE
from gateway.cli.queue import queue
from gateway.cli.receipt import receipt
from gateway.cli.serve import serve
from gateway.cli.sign import sign
from gateway.cli.status import status
from gateway.cli.submit import submit
from gateway.cli.verify import verify
from gateway.cli.verify_receipt import verify_receipt
from gateway.client.http import Unreachable
from gateway.errors import ConfigurationError, StoreUnavailable


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
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


for command in (check, demo, dev_pki, queue, receipt, serve, sign, status, submit, verify, verify_receipt):
    efile.add_command(command)


def main() -> None:
    """The console script: errors that a person can mend are one line, not a traceback."""
    if not sys.warnoptions:  # a strange certificate is judged, not warned about
        warnings.simplefilter("ignore")
    try:
        sys.exit(efile.main(standalone_mode=False))
    except click.ClickException as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except click.Abort:
        sys.exit(EXIT_USAGE)
    except Unreachable as error:
        click.secho(f"unreachable: {error}", err=True, fg="red")
        sys.exit(EXIT_UNREACHABLE)
    except ConfigurationError as error:
        for fault in error.faults:
            click.secho(f"configuration: {fault}", err=True, fg="red")
        sys.exit(EXIT_USAGE)
    except StoreUnavailable as error:
        click.secho(f"store: {error}", err=True, fg="red")
        sys.exit(EXIT_UNREACHABLE)
    except (signing.CrlRefused, signing.PolicyRefused, signing.TrustRefused) as error:
        click.secho(f"Error: {error}", err=True, fg="red")
        sys.exit(EXIT_USAGE)
    except OSError as error:  # a file or folder that was named
        where = f"{error.filename}: " if error.filename else ""
        click.secho(f"Error: {where}{error.strerror or error}", err=True, fg="red")
        sys.exit(EXIT_USAGE)
    except KeyboardInterrupt:
        sys.exit(130)
