"""efile certs admin: the people of the administrators' door, let in and kept out while it serves."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path

import click

from gateway.admin.certificates import person_json
from gateway.admin.people import Person
from gateway.admin.roles import Role
from gateway.cli.certs_acting import act, at_option, changed, force_option
from gateway.cli.certs_others import taken_in
from gateway.cli.operator import operator, why_option
from gateway.cli.output import json_option, print_json
from gateway.cli.place import settings_of, settings_options
from gateway.clock import clock
from gateway.filing.findings import Text
from gateway.register.acts import Certificates, Who
from gateway.register.administrators import Administrators
from gateway.register.entry import Entry, Purpose, RegisterRefused, State
from gateway.settings import ACCOUNT

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_MOST_NAME = 80
_ROLE = click.Choice([role.value for role in Role])


def _name(_: click.Context, __: click.Parameter, value: str) -> str:
    if not value.isprintable() or not 0 < len(value) <= _MOST_NAME or value != value.strip():
        raise click.BadParameter(f"1 to {_MOST_NAME} printable characters")
    return value


def _account(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value and re.match(ACCOUNT, value) is None:
        raise click.BadParameter("not an account of the operating system")
    return value


name_argument = click.argument("name", callback=_name)


@click.group()
def admin() -> None:
    """Administrators: their roles, client certificates (two at once where they change), accounts; out and in again."""


@admin.command("list")
@settings_options
@json_option
def admin_list(*, config: Path, as_json: bool) -> None:
    """List administrators: roles, account, and why one is suspended."""

    async def ask(register: Certificates) -> list[Person]:
        return await register.store.people()

    found = act(config, ask)
    if as_json:
        print_json([person_json(one) for one in found])
        return
    for one in found:
        _print(one)
    click.echo(f"{len(found)} administrators")


@admin.command("add")
@name_argument
@click.argument("file", type=_FILE)
@click.option(
    "--role", "roles", type=_ROLE, multiple=True, help="Of somebody new; several times for several."
)
@click.option("--account", callback=_account, help="Of somebody new: the account on the machines.")
@force_option
@why_option
@settings_options
@json_option
def add(
    *,
    name: str,
    file: Path,
    roles: tuple[str, ...],
    account: str | None,
    force: bool,
    why: str,
    config: Path,
    as_json: bool,
) -> None:
    """NAME may call with the certificate in FILE too, from now on; with --role NAME is somebody new."""
    who, octets, settings = Who(operator(), why), file.read_bytes(), settings_of(config)

    async def ask(register: Certificates) -> Entry:
        if roles:
            people = Administrators(settings, register.store, clock)
            await people.add(name, tuple(map(Role, roles)), account, who)
        return await _entered(register, name, octets, who, force)

    changed(config, ask, as_json)


@admin.command("renew")
@name_argument
@click.argument("file", type=_FILE)
@at_option
@force_option
@why_option
@settings_options
@json_option
def renew(
    *, name: str, file: Path, at: datetime | None, force: bool, why: str, config: Path, as_json: bool
) -> None:
    """The certificate in FILE takes over: those of NAME are retired at --at, or after the policy's overlap."""
    who, octets = Who(operator(), why), file.read_bytes()

    async def ask(register: Certificates) -> Entry:
        whose = f"admin {name}"
        before = [e for e in await register.entries() if e.party == whose and e.state is State.ACTIVE]
        taken = await _entered(register, name, octets, who, force)
        until = at or clock() + register.policy.overlaps.get(Purpose.ADMIN, timedelta())
        for old in before:
            if old.id != taken.id:
                await register.retire(old.id, who, at=until)
        return taken

    changed(config, ask, as_json)


@admin.command("role")
@name_argument
@click.option("--role", "roles", type=_ROLE, multiple=True, required=True, help="Several times for several.")
@why_option
@settings_options
@json_option
def role(*, name: str, roles: tuple[str, ...], why: str, config: Path, as_json: bool) -> None:
    """NAME has these roles from its next request on, and no others."""
    _done(config, as_json, lambda p: p.give_roles(name, tuple(map(Role, roles)), Who(operator(), why)))


@admin.command("account")
@name_argument
@click.argument("account", callback=_account)
@why_option
@settings_options
@json_option
def account_of(*, name: str, account: str, why: str, config: Path, as_json: bool) -> None:
    """ACCOUNT on the machines is NAME's, so that nobody counts as two people; an empty one: none."""
    _done(config, as_json, lambda p: p.declare_account(name, account, Who(operator(), why)))


@admin.command("suspend")
@name_argument
@why_option
@settings_options
@json_option
def suspend(*, name: str, why: str, config: Path, as_json: bool) -> None:
    """Refuse NAME from its next request on, whatever the settings file says."""
    _done(config, as_json, lambda p: p.suspend(name, Who(operator(), why)))


@admin.command("resume")
@name_argument
@why_option
@settings_options
@json_option
def resume(*, name: str, why: str, config: Path, as_json: bool) -> None:
    """Let NAME in again."""
    _done(config, as_json, lambda p: p.suspend(name, Who(operator(), why), suspended=False))


@admin.command("approve")
@name_argument
@settings_options
@json_option
def approve(*, name: str, config: Path, as_json: bool) -> None:
    """Approve what another person has proposed of NAME, where the policy wants four eyes."""
    _done(config, as_json, lambda p: p.approve(name, Who(operator(), "")))


async def _entered(register: Certificates, name: str, octets: bytes, who: Who, force: bool) -> Entry:
    added = await register.add_certificate(Purpose.ADMIN, octets, who, f"admin {name}")
    if len(added) != 1:
        raise RegisterRefused(Text("Cần đúng một chứng thư.", "Exactly one certificate is needed."))
    return await taken_in(register, added[0], who, force)


def _done(config: Path, as_json: bool, ask: Callable[[Administrators], Awaitable[Person]]) -> None:
    settings = settings_of(config)
    person = act(config, lambda register: ask(Administrators(settings, register.store, clock)))
    if as_json:
        print_json(person_json(person))
    else:
        _print(person)


def _print(one: Person) -> None:
    stands = "" if one.suspended is None else click.style(f"  suspended: {one.suspended}", fg="red")
    account = "no account declared" if one.account is None else f"account {one.account}"
    click.echo(f"{one.name:24} {', '.join(sorted(one.roles)) or 'no role'}  ({account}){stands}")
    if one.proposal is not None:
        click.secho(f"  proposed by {one.proposal.by}: another person approves it", fg="yellow")
