"""efile certs trust, provider, agency: what belongs to others. Their keys we never see."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from gateway.admin.certificates import provider_json
from gateway.cli.certs_acting import act, at_option, changed, force_option
from gateway.cli.operator import operator, why_option
from gateway.cli.output import json_option, print_json
from gateway.cli.place import settings_options
from gateway.clock import clock
from gateway.filing.findings import Text
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose, RegisterRefused, State

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_KINDS = ("anchor", "intermediate", "client-ca", "admin-ca", "crl")


@click.group()
def trust() -> None:
    """Anchors, intermediates, authorities of client certificates (of machines, of administrators), revocation lists:
    beside what the folders and files hold."""


@trust.command("add")
@click.argument("kind", type=click.Choice(_KINDS))
@click.argument("file", type=_FILE)
@force_option
@why_option
@settings_options
@json_option
def trust_add(*, kind: str, file: Path, force: bool, why: str, config: Path, as_json: bool) -> None:
    """Trust what FILE holds from now on, at every node: it is rehearsed, then in use."""
    who, octets = Who(operator(), why), file.read_bytes()

    async def ask(register: Certificates) -> Entry:
        added = await register.add_certificate(Purpose(kind), octets, who)
        for one in added:
            last = await taken_in(register, one, who, force)
        return last

    changed(config, ask, as_json)


@trust.command("retire")
@click.argument("which")
@force_option
@why_option
@settings_options
@json_option
def trust_retire(*, which: str, force: bool, why: str, config: Path, as_json: bool) -> None:
    """Trust WHICH no more: an entry, or a certificate's file, wherever else that certificate may lie."""
    who = Who(operator(), why)
    octets = Path(which).read_bytes() if Path(which).is_file() else None

    async def ask(register: Certificates) -> Entry:
        if octets is None:
            return await register.retire(which, who, force=force)
        return await register.distrust(octets, who, force=force)

    changed(config, ask, as_json)


@click.group()
def source() -> None:
    """Hosts that are asked for revocation lists and OCSP answers; no others are."""


@source.command("add")
@click.argument("place")
@click.option("--ocsp", is_flag=True, help="PLACE is the address of an OCSP responder.")
@force_option
@why_option
@settings_options
@json_option
def source_add(*, place: str, ocsp: bool, force: bool, why: str, config: Path, as_json: bool) -> None:
    """Let PLACE be asked from now on: the address of a list, which is fetched once to try it, or a host alone."""
    who = Who(operator(), why)

    async def ask(register: Certificates) -> Entry:
        return await taken_in(register, await register.add_source(place, who, responder=ocsp), who, force)

    changed(config, ask, as_json)


@source.command("retire")
@click.argument("which")
@why_option
@settings_options
@json_option
def source_retire(*, which: str, why: str, config: Path, as_json: bool) -> None:
    """Ask WHICH no more: an entry, or its host as `efile certs list` has it. What it has answered stays in use."""

    async def ask(register: Certificates) -> Entry:
        entries = await register.entries()
        mine = [e.id for e in entries if (e.purpose, e.subject) == (Purpose.STATUS_SOURCE, which.lower())]
        return await register.retire(mine[0] if mine else which, Who(operator(), why))

    changed(config, ask, as_json)


@click.group()
def provider() -> None:
    """T-VAN providers: their client certificates, two at once where they change; suspended and served again."""


@provider.command("list")
@settings_options
@json_option
def provider_list(*, config: Path, as_json: bool) -> None:
    """List providers, and why one is suspended."""

    async def ask(register: Certificates) -> Any:
        return await register.providers()

    found = act(config, ask)
    if as_json:
        print_json([provider_json(one, why) for one, why in found])
        return
    for one, why in found:
        stands = "served" if one.active else f"suspended: {why}" if why else "not active"
        click.echo(f"{one.id:16} {one.name}  {stands}")
    click.echo(f"{len(found)} providers")


@click.group()
def agency() -> None:
    """Agencies: the client certificates with which they call back, two at once where they change."""


def _of_party(kind: str) -> None:
    """`add` and `renew` of one kind of party."""
    group = {"provider": provider, "agency": agency}[kind]

    @group.command("add", help=f"{kind.upper()} may call with the certificate in FILE too, from now on.")
    @click.argument("party", metavar=kind.upper())
    @click.argument("file", type=_FILE)
    @force_option
    @why_option
    @settings_options
    @json_option
    def add(*, party: str, file: Path, force: bool, why: str, config: Path, as_json: bool) -> None:
        who, octets = Who(operator(), why), file.read_bytes()

        async def ask(register: Certificates) -> Entry:
            (one,) = await register.add_certificate(Purpose.CLIENT, octets, who, f"{kind} {party}")
            return await taken_in(register, one, who, force)

        changed(config, ask, as_json)

    @group.command(
        "renew",
        help=f"The certificate in FILE takes over: those that {kind.upper()} has now are retired at --at, or after the "
        "policy's overlap.",
    )
    @click.argument("party", metavar=kind.upper())
    @click.argument("file", type=_FILE)
    @at_option
    @force_option
    @why_option
    @settings_options
    @json_option
    def renew(
        *, party: str, file: Path, at: datetime | None, force: bool, why: str, config: Path, as_json: bool
    ) -> None:
        who, octets = Who(operator(), why), file.read_bytes()

        async def ask(register: Certificates) -> Entry:
            whose = f"{kind} {party}"
            theirs = [e for e in await register.entries() if (e.purpose, e.party) == (Purpose.CLIENT, whose)]
            before = [e for e in theirs if e.state is State.ACTIVE]
            (one,) = await register.add_certificate(Purpose.CLIENT, octets, who, whose)
            taken = await taken_in(register, one, who, force)
            until = at or clock() + register.policy.overlaps.get(Purpose.CLIENT, timedelta())
            for old in before:
                if old.id != one.id:
                    await register.retire(old.id, who, at=until)
            return taken

        changed(config, ask, as_json)


for _kind in ("provider", "agency"):
    _of_party(_kind)


def _switched(provider: str, why: str, config: Path, as_json: bool, *, suspended: bool) -> None:
    async def ask(register: Certificates) -> None:
        await register.suspend(provider, Who(operator(), why), suspended=suspended)

    act(config, ask)
    if as_json:
        print_json({"provider": provider, "suspended": suspended})
    else:
        click.echo(f"{provider}: {'suspended' if suspended else 'served'} from its next request on")


@provider.command("suspend")
@click.argument("provider")
@why_option
@settings_options
@json_option
def provider_suspend(*, provider: str, why: str, config: Path, as_json: bool) -> None:
    """Serve PROVIDER no more, from its next request on, whatever the settings file says."""
    _switched(provider, why, config, as_json, suspended=True)


@provider.command("resume")
@click.argument("provider")
@why_option
@settings_options
@json_option
def provider_resume(*, provider: str, why: str, config: Path, as_json: bool) -> None:
    """Serve PROVIDER again."""
    _switched(provider, why, config, as_json, suspended=False)


async def taken_in(register: Certificates, entry: Entry, who: Who, force: bool) -> Entry:
    """Rehearsed, then in use; what is not green stays next, and is told."""
    tried = await register.rehearse(entry.id, who)
    if not tried.rehearsed and not force:
        assert tried.rehearsal is not None
        raise RegisterRefused(
            *tried.rehearsal.faults,
            Text(f"{entry.id} vẫn chờ, chưa dùng.", f"{entry.id} waits as next; it is not in use."),
        )
    return await register.activate(entry.id, who, force=force)
