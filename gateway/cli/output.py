"""What commands print: JSON for machines with `--json`, else words, coloured where a terminal is there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

EXIT_REFUSED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3

F = TypeVar("F", bound=Callable[..., Any])
_COLOURS = {"ERROR": "red", "WARNING": "yellow", "INFO": "blue"}
_STATUS_COLOURS = {"refused": "red", "rejected": "red", "stuck": "yellow", "provisional": "yellow"}


def json_option(command: F) -> F:
    """`--json`, on every command that prints a result."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(command)


def print_json(value: Any) -> None:
    """JSON on standard output, Vietnamese readable."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_findings(findings: Sequence[Mapping[str, Any]]) -> None:
    """Each finding in both languages with its place and its remedy."""
    for finding in findings:
        where = " ".join(
            part
            for part in (
                f"line {finding['line']}" if finding.get("line") else "",
                str(finding.get("indicator") or ""),
                str(finding.get("path") or ""),
            )
            if part
        )
        severity = finding["severity"]
        click.echo(click.style(f"{severity:7}", fg=_COLOURS[severity]) + f" {finding['code']}  {where}")
        for language in ("vi", "en"):
            click.echo(f"        {language}: {finding['message'][language]}")
            click.echo(click.style(f"            → {finding['remedy'][language]}", dim=True))


def print_filing(body: Mapping[str, Any]) -> None:
    """A filing's number, status in words, time and links."""
    status = body["status"]
    click.echo(click.style(str(body["number"]), bold=True))
    colour = _STATUS_COLOURS.get(status, "green")
    click.echo(f"  status    {click.style(status, fg=colour)}  {body['statusText']['vi']}")
    click.echo(f"            {body['statusText']['en']}")
    if "dossierCode" in body:
        click.echo(f"  dossier   {body['dossierCode']}  ({body['portalStatus']['text']['vi']})")
    click.echo(f"  received  {body['receivedAt']}")
    click.echo(f"  digest    {body['digest']['algorithm']} {body['digest']['value']}")
    if "agencyReference" in body:
        click.echo(f"  agency    {body.get('agency', '')} {body['agencyReference']}")
    if by := body.get("filedInTimeBy"):
        click.echo(
            f"  in time   by incident {by['incident']} of {by['agency']}: last day {by['lastDay']}, {by['why']}"
        )
    for one in body.get("cooperatingAgencies", ()):
        click.echo(f"  also      {one['name']}: {one['statusText']['vi']} / {one['statusText']['en']}")


def print_attempt(attempt: Mapping[str, Any]) -> None:
    """One line: when, how often, at whom, what came of it, how long the last one took."""
    lasted = "" if attempt["seconds"] is None else f" {attempt['seconds']:.2f} s"
    who = f"{attempt['agency']} {attempt.get('cooperatingAgency', '')}".strip()
    often = f" ×{attempt['times']} until {attempt['until']}" if attempt["times"] > 1 else ""
    click.echo(
        f"  {attempt['at']}  {attempt['step']:10} {who:12} {attempt['result']:12}{lasted} {attempt['answer']}{often}"
    )


def print_problem(body: Mapping[str, Any], http_status: int) -> None:
    """A problem document (RFC 9457)."""
    titles = body.get("titles") or {"vi": body.get("title", ""), "en": ""}
    click.secho(f"{http_status} {titles['vi']} / {titles['en']}", fg="red")
    details = body.get("details")
    if details:
        click.echo(f"  {details['vi']}\n  {details['en']}")


def write_whole(file: Path, octets: bytes) -> None:
    """Over a file that is there: all or nothing, so that a full disk costs nobody what it held. Raises OSError."""
    target = file.resolve()
    if not target.is_file():
        target.write_bytes(octets)
        return
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        beside.write_bytes(octets)
        shutil.copymode(target, beside)
        beside.replace(target)
    except OSError:
        beside.unlink(missing_ok=True)
        raise


def refused() -> NoReturn:
    """End with the exit code for "refused"."""
    raise click.exceptions.Exit(EXIT_REFUSED)
