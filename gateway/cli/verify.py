"""efile verify: judge the signatures of any file, offline."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import click
from cryptography import x509

import signing
from gateway.cli.output import json_option, print_json, refused
from gateway.cli.trust_options import Places, trust_options
from signing.cases import CasesRefused, judge_cases
from signing.report_etsi import etsi_report
from signing.report_text import Language, text_report

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_PLACE = click.Path(path_type=Path, exists=True)
_COLOURS = {
    signing.Indication.PASSED: "green",
    signing.Indication.INDETERMINATE: "yellow",
    signing.Indication.FAILED: "red",
}


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1, type=_FILE)
@click.option("--policy", default="tt15-2025", show_default=True, help="Name of a policy, or a TOML file.")
@trust_options
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M%z"]),
    help="Judge as of this time, with offset. [default: now]",
)
@click.option("--pinned", type=_FILE, help="The signer's certificate (PEM, DER): no path is asked for.")
@click.option("--embedded", is_flag=True, help="The key in the document: integrity and format alone.")
@click.option("--content", type=_FILE, help="What a detached CMS signature is over.")
@click.option(
    "--report", "form", type=click.Choice(["text", "json", "etsi"]), help="[default: text; json with --json]"
)
@click.option("--lang", "language", type=click.Choice(["vi", "en"]), default="vi", show_default=True)
@click.option("--cases", type=_FILE, help="Judge a list of test cases instead; one JSON line a case.")
@json_option
def verify(
    *,
    files: tuple[Path, ...],
    policy: str,
    trust: tuple[Path, ...],
    untrusted: tuple[Path, ...],
    crl: tuple[Path, ...],
    ocsp: tuple[Path, ...],
    at: datetime | None,
    pinned: Path | None,
    embedded: bool,
    content: Path | None,
    form: str | None,
    language: str,
    cases: Path | None,
    as_json: bool,
) -> None:
    """Judge every signature of each FILE by ETSI EN 319 102-1, offline: XML, PDF, CMS and ASiC.

    TOTAL-PASSED, INDETERMINATE or TOTAL-FAILED, with every check, its clause, and what was signed.
    A report in JSON or as ETSI TS 119 102-2 XML is one document a file.

    Exit code 0 where all files are TOTAL-PASSED, else 1. With --cases: 0 where every case got its answer.
    """
    try:
        rules = signing.load_policy(Path(policy) if policy.endswith(".toml") else policy)
        if cases is not None:
            _print_cases(cases, rules)
            return
        store = Places(trust, untrusted, crl, ocsp).store()
        key: signing.Key | None = _pinned(pinned) if pinned else "embedded" if embedded else None
    except (
        signing.PolicyRefused,
        signing.TrustRefused,
        signing.CrlRefused,
        signing.OcspRefused,
        CasesRefused,
        ValueError,
    ) as error:
        raise click.UsageError(str(error)) from error
    if not files:
        raise click.UsageError("name a FILE, or --cases")
    if key is None and not store.anchors:
        raise click.UsageError("--trust, --pinned or --embedded says whom to believe")
    if as_json and form not in (None, "json"):
        raise click.UsageError(f"--json, or --report {form}")
    form = "json" if as_json else form or "text"
    moment = at or datetime.now(UTC)
    octets = content.read_bytes() if content else None
    reports = [
        signing.verify(file.read_bytes(), policy=rules, trust=store, at=moment, key=key, content=octets)
        for file in files
    ]
    for file, report in zip(files, reports, strict=True):
        _print(file, report, form, cast(Language, language), len(files) > 1)
    if any(report.indication is not signing.Indication.PASSED for report in reports):
        refused()


def _print(file: Path, report: signing.Report, form: str, language: Language, several: bool) -> None:
    if form == "json":
        print_json({"file": str(file), **report.as_json()} if several else report.as_json())
    elif form == "etsi":
        click.echo(etsi_report(report).decode("utf-8"), nl=False)
    else:
        first, rest = text_report(report, language).split("\n", 1)
        click.secho(f"{file}: {first}", fg=_COLOURS[report.indication])
        click.echo(rest, nl=False)


def _print_cases(file: Path, policy: signing.Policy) -> None:
    for answer in judge_cases(file, policy):
        click.echo(json.dumps(answer, ensure_ascii=False))


def _pinned(file: Path) -> x509.Certificate:
    try:
        return signing.read_certificates(file.read_bytes())[0]
    except (ValueError, IndexError) as error:
        raise click.UsageError(f"{file}: {error}") from error
