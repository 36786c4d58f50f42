"""efile certs: certificates and keys, exchanged while the gateway serves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gateway.admin.certificates import entry_json, sealed_by, step_json
from gateway.cli.certs_acting import (
    act,
    agency_option,
    at_option,
    changed,
    force_option,
    party_for,
    tell,
)
from gateway.cli.certs_admin import admin
from gateway.cli.certs_others import agency, provider, source, trust
from gateway.cli.certs_output import print_entries, print_steps
from gateway.cli.certs_reissue import reissue
from gateway.cli.certs_renew import renew
from gateway.cli.certs_reseal import reseal
from gateway.cli.certs_warn import warn
from gateway.cli.operator import operator, why_option
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.place import settings_options
from gateway.clock import clock
from gateway.register.acts import Certificates, Who
from gateway.register.entry import DOORS, Entry, Purpose
from gateway.register.request import new_request
from gateway.settings import read_notice_place

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def certs() -> None:
    """List, plan and exchange certificates and keys, without a restart.

    A certificate or key is added, rehearsed, and activated: every process takes it over within seconds. Names of
    entries may be shortened as long as they are one's alone; `tls:next` is the only next one of tls.
    """


@certs.command("list")
@click.option("--all", "everything", is_flag=True, help="Retired and revoked ones too.")
@settings_options
@json_option
def list_entries(*, everything: bool, config: Path, as_json: bool) -> None:
    """List the register: what is for what, how it stands, and how many days are left."""

    async def ask(register: Certificates) -> tuple[Sequence[Entry], dict[str | None, int]]:
        entries = await register.entries()
        return entries, await sealed_by(register, entries)

    known, sealed = act(config, ask)
    entries = [e for e in known if everything or e.state.value not in ("retired", "revoked")]
    if as_json:
        print_json([entry_json(entry, clock(), sealed) for entry in entries])
    else:
        print_entries(entries, clock(), sealed)


@certs.command("plan")
@settings_options
@json_option
def show_plan(*, config: Path, as_json: bool) -> None:
    """Tell what happens when, as register and policy have it; what somebody has to do is marked."""

    async def ask(register: Certificates) -> Any:
        return await register.timeline()

    steps = act(config, ask)
    if as_json:
        print_json([step_json(step) for step in steps])
    else:
        print_steps(steps)


@certs.command("add")
@click.argument("purpose", type=click.Choice(["admin-tls", "agency-tls", "bodies", "notices", "tls", "tsa"]))
@agency_option
@click.option(
    "--key", type=_FILE, help="Private key: PEM, or for notices PKCS#12 (.p12, .pfx). For bodies: 32 octets."
)
@click.option("--cert", type=_FILE, help="Certificate and chain (PEM).")
@click.option("--password-file", type=_FILE, help="File with the key's password, of notices or agency-tls.")
@click.option(
    "--place", type=_FILE, help="TOML file that says [notices] as the settings do: a token, a service."
)
@click.option("--name", help="Of a key of bodies; what it seals says it. [default: the file's name]")
@click.option("--url", help="Of tsa: the address of the time-stamping authority (RFC 3161).")
@why_option
@settings_options
@json_option
def add(
    *,
    purpose: str,
    agency: str | None,
    key: Path | None,
    cert: Path | None,
    password_file: Path | None,
    place: Path | None,
    name: str | None,
    url: str | None,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """Enter a key and its certificate as the next one; the key stays where it is, on every node. Or an authority that
    gives notices their time stamps: `tsa`, with --url."""
    who = Who(operator(), why)
    if url is not None or purpose == Purpose.TSA:
        if url is None or purpose != Purpose.TSA or agency or key or cert or password_file or place or name:
            raise click.UsageError(
                "an authority for time stamps is an address: tsa with --url, and nothing else"
            )
        tell(act(config, lambda register: register.add_tsa(url, who)), as_json)
        return
    if purpose == Purpose.BODIES:
        if key is None or cert or password_file or place:
            raise click.UsageError("a key of bodies is a file without a certificate: --key, and --name")
        file = key.resolve()
        tell(act(config, lambda register: register.add_body_key(name or file.name, file, who)), as_json)
        return
    if name is not None:
        raise click.UsageError("--name is for bodies")
    if place is not None:
        location = read_notice_place(place)
    elif key is None or (cert is None and key.suffix.lower() not in (".p12", ".pfx")):
        raise click.UsageError("say where the key is: --key with --cert, or --place")
    else:
        files = {"key": key, "certificate": cert, "password_file": password_file}
        location = {name: str(file.resolve()) for name, file in files.items() if file is not None}
    if purpose in DOORS and set(location) != {"key", "certificate"}:
        raise click.UsageError("the door's key is a PEM file without a password: --key and --cert")
    party = party_for(Purpose(purpose), agency)
    if party and not {"key", "certificate"} <= set(location) <= {"key", "certificate", "password_file"}:
        raise click.UsageError("the key of agency-tls is a PEM file: --key and --cert")

    async def ask(register: Certificates) -> Entry:
        return await register.add_key(Purpose(purpose), location, who, party)

    tell(act(config, ask), as_json)


@certs.command("rehearse")
@click.argument("entry")
@settings_options
@json_option
def rehearse(*, entry: str, config: Path, as_json: bool) -> None:
    """Try ENTRY in a shadow: key, path, names, usage, time, overlap, a signature, a handshake. Exit code 1: no."""

    async def ask(register: Certificates) -> Entry:
        return await register.rehearse(entry, Who(operator(), ""))

    tried = act(config, ask)
    tell(tried, as_json)
    if not tried.rehearsed:
        refused()


@certs.command("activate")
@click.argument("entry")
@at_option
@force_option
@why_option
@settings_options
@json_option
def activate(*, entry: str, at: datetime | None, force: bool, why: str, config: Path, as_json: bool) -> None:
    """Let ENTRY take over, at once or at a time. It must have been rehearsed."""

    async def ask(register: Certificates) -> Entry:
        return await register.activate(entry, Who(operator(), why), at=at, force=force)

    changed(config, ask, as_json)


@certs.command("retire")
@click.argument("entry")
@at_option
@force_option
@why_option
@settings_options
@json_option
def retire(*, entry: str, at: datetime | None, force: bool, why: str, config: Path, as_json: bool) -> None:
    """Use or trust ENTRY no more, at once or from a time on. What was signed by it stays provable."""

    async def ask(register: Certificates) -> Entry:
        return await register.retire(entry, Who(operator(), why), at=at, force=force)

    changed(config, ask, as_json)


@certs.command("revoke")
@click.argument("entry")
@click.option("--emergency", is_flag=True, required=True, help="Yes: at once, for good, by one person.")
@force_option
@why_option
@settings_options
@json_option
def revoke(*, entry: str, emergency: bool, force: bool, why: str, config: Path, as_json: bool) -> None:  # noqa: ARG001
    """ENTRY is compromised: out at once. Of a key of ours that is in use the next one takes over in the same act."""

    async def ask(register: Certificates) -> Entry:
        return await register.revoke(entry, Who(operator(), why), force=force)

    changed(config, ask, as_json)


@certs.command("approve")
@click.argument("entry")
@settings_options
@json_option
def approve(*, entry: str, config: Path, as_json: bool) -> None:
    """Approve what another person has proposed of ENTRY, where the policy wants four eyes."""

    async def ask(register: Certificates) -> Entry:
        return await register.approve(entry, Who(operator(), ""))

    changed(config, ask, as_json)


@certs.command("csr")
@click.argument("subject")
@click.option("--host", "hosts", multiple=True, help="A name or address of a server's certificate.")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for key.pem and request.pem."
)
def csr(*, subject: str, hosts: tuple[str, ...], out: Path) -> None:
    """Make a key and a request for a certificate of SUBJECT ("CN=…,O=…,C=VN"); the key leaves this machine never."""
    try:
        request = new_request(subject, hosts, out)
    except ValueError as error:
        raise click.UsageError(f"{subject}: {error}") from None
    except FileExistsError as error:
        raise click.UsageError(f"{error.filename} is there already") from None
    click.echo(request)


certs.add_command(renew)
certs.add_command(reissue)
certs.add_command(reseal)
certs.add_command(trust)
certs.add_command(source)
certs.add_command(provider)
certs.add_command(agency)
certs.add_command(warn)
certs.add_command(admin)
