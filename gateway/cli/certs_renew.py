"""efile certs renew: a new key, with its certificate from an ACME server or the development authorities."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import click

import certs_dev
from certs_dev.plan import Profile
from gateway.cli.certs_acting import act, agency_option, changed, party_for, tell
from gateway.cli.operator import operator, why_option
from gateway.cli.output import EXIT_UNREACHABLE, json_option, refused
from gateway.cli.place import settings_options
from gateway.clock import clock
from gateway.filing.findings import Text
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterRefused
from gateway.register.request import write_new

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)
_FROM_DEVELOPMENT: dict[str, tuple[str, Profile]] = {
    "tls": ("tls-ca", "server"),
    "notices": ("gateway-ca", "signer"),
    "agency-tls": ("client-ca", "client"),
}
_HOLDERS = {"tls": "gateway-server", "notices": "notice", "agency-tls": "gateway-client"}


@click.command("renew")
@click.argument("purpose", type=click.Choice(["bodies", *sorted(_FROM_DEVELOPMENT)]))
@agency_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="New folder for key.pem and chain.pem; of bodies for the file `key`, whose name the folder's is.",
)
@click.option("--acme", metavar="URL", help="Directory of an ACME server (RFC 8555); for tls.")
@click.option(
    "--host", "hosts", multiple=True, help="Name that the certificate is for; the first is its subject."
)
@click.option("--acme-ca", type=_FILE, help="The only CA certificates (PEM) to trust for the ACME server.")
@click.option(
    "--acme-account",
    type=click.Path(path_type=Path, dir_okay=False),
    help="File of the account's key, made where it is not there. [default: acme-account.pem beside --config]",
)
@click.option("--contact", default="", help="E-mail address for the account.")
@click.option(
    "--challenge-port",
    type=click.IntRange(1, 65535),
    default=80,
    show_default=True,
    help="Where http-01 is answered.",
)
@click.option(
    "--dev-pki", type=_FOLDER, help="A folder of `efile dev-pki`: its authority makes the certificate."
)
@click.option("--activate", "at_once", is_flag=True, help="Let it take over where its rehearsal is green.")
@why_option
@settings_options
@json_option
def renew(
    *,
    purpose: str,
    agency: str | None,
    out: Path,
    acme: str | None,
    hosts: tuple[str, ...],
    acme_ca: Path | None,
    acme_account: Path | None,
    contact: str,
    challenge_port: int,
    dev_pki: Path | None,
    at_once: bool,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """Make a new key, have it certified, enter it as the next one and rehearse it; --activate lets it take over. A key
    of bodies needs no certificate; on other nodes it has to be at the same place before it is rehearsed.

    The key in use stays in use until then. Exit codes: 1 refused, or the rehearsal is not green · 3 the ACME server
    cannot be reached.
    """
    who = Who(operator(), why)
    if purpose == Purpose.BODIES:
        if acme is not None or dev_pki is not None:
            raise click.UsageError("a key of bodies has no certificate: neither --acme nor --dev-pki")
        key = _body_key(out)
        _entered(
            config,
            lambda register: _next(
                register, lambda: register.add_body_key(key.parent.name, key, who), who, at_once=at_once
            ),
            at_once=at_once,
            as_json=as_json,
        )
        return
    if (acme is None) == (dev_pki is None):
        raise click.UsageError("say where the certificate comes from: --acme or --dev-pki")
    if acme is not None and (purpose != "tls" or not hosts):
        raise click.UsageError("an ACME server certifies names of servers: tls, with --host")
    party = party_for(Purpose(purpose), agency)
    if acme is not None:
        account = acme_account or config.resolve().parent / "acme-account.pem"
        source = partial(
            _by_acme, acme, account, acme_ca, contact=contact, hosts=list(hosts), out=out, port=challenge_port
        )
    else:
        assert dev_pki is not None
        source = partial(_from_development, dev_pki, purpose, out)

    async def ask(register: Certificates) -> Entry:
        key, chain = (str(file.resolve()) for file in await asyncio.to_thread(source))
        location = {"key": key, "certificate": chain}
        return await _next(
            register, lambda: register.add_key(Purpose(purpose), location, who, party), who, at_once=at_once
        )

    _entered(config, ask, at_once=at_once, as_json=as_json)


def _entered(
    config: Path, ask: Callable[[Certificates], Awaitable[Entry]], *, at_once: bool, as_json: bool
) -> None:
    if at_once:
        changed(config, ask, as_json)
        return
    entry = act(config, ask)
    tell(entry, as_json)
    if not entry.rehearsed:
        refused()


async def _next(
    register: Certificates, enter: Callable[[], Awaitable[Entry]], who: Who, *, at_once: bool
) -> Entry:
    """Entered and rehearsed; `at_once`: in use, where that was green."""
    added = await enter()
    tried = await register.rehearse(added.id, who)
    if not at_once:
        return tried
    if not tried.rehearsed:
        assert tried.rehearsal is not None
        raise RegisterRefused(
            *tried.rehearsal.faults,
            Text(f"{added.id} vẫn chờ, chưa dùng.", f"{added.id} waits as next; it is not in use."),
        )
    return await register.activate(added.id, who)


def _body_key(out: Path) -> Path:
    """32 random octets, mode 600."""
    file = out.resolve() / "key"
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_new(file, os.urandom(32), mode=0o600)
    except FileExistsError as error:
        raise click.UsageError(f"{error.filename} is there already") from None
    except OSError as error:
        raise click.UsageError(f"{out}: {error}") from None
    return file


def _by_acme(
    url: str, account: Path, ca: Path | None, *, contact: str, hosts: list[str], out: Path, port: int
) -> tuple[Path, Path]:
    from gateway.register.acme import (  # noqa: PLC0415 - its libraries are large, and rarely needed
        AcmeServer,
        AcmeUnavailable,
        certificate_by_acme,
    )

    try:
        return certificate_by_acme(AcmeServer(url, account, ca, contact), hosts, out, listen=("", port))
    except AcmeUnavailable as error:
        words = f"Không kết nối được máy chủ ACME: {error}\n  The ACME server cannot be reached."
        click.secho(words, err=True, fg="red")
        raise click.exceptions.Exit(EXIT_UNREACHABLE) from None
    except FileExistsError as error:
        raise click.UsageError(f"{error.filename} is there already") from None
    except OSError as error:
        raise click.UsageError(f"port {port} or {out}: {error}") from None


def _from_development(folder: Path, purpose: str, out: Path) -> tuple[Path, Path]:
    pki = certs_dev.load(folder)
    authority, profile = _FROM_DEVELOPMENT[purpose]
    who = pki[_HOLDERS[purpose]].read_certificate().subject
    made = pki.issue(who, at=clock(), authority=authority, profile=profile)
    try:
        identity = made.save(out)
    except FileExistsError as error:
        raise click.UsageError(f"{error.filename} is there already") from None
    return identity.key, identity.chain
