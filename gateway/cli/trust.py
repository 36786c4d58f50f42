"""Whom to believe, on the command line: trust folders, certificates, revocation lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click
from cryptography import x509

import signing

F = TypeVar("F", bound=Callable[..., Any])
_PLACE = click.Path(path_type=Path, exists=True)
_OPTIONS = (
    click.option(
        "--trust",
        multiple=True,
        type=_PLACE,
        help="Anchors: a file, a folder of files, or a trust folder with anchors/ …",
    ),
    click.option(
        "--untrusted", multiple=True, type=_PLACE, help="Intermediate certificates: file or folder."
    ),
    click.option("--crl", multiple=True, type=_PLACE, help="Revocation lists: file or folder."),
)


def trust_options(command: F) -> F:
    """`--trust`, `--untrusted`, `--crl`, for `open_store`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_store(trust: Iterable[Path], untrusted: Iterable[Path], crls: Iterable[Path]) -> signing.TrustStore:
    """One trust folder as the gateway reads it (dated anchors, lists, answers), and what stands beside it."""
    places = list(trust)
    folders = [place for place in places if (place / "anchors").is_dir() or (place / "lists").is_dir()]
    if len(folders) > 1:
        raise click.UsageError("--trust: at most one trust folder; any number of files")
    store = signing.TrustStore.load(folders[0]) if folders else signing.TrustStore(anchors=())
    anchors = certificates_of(place for place in places if place not in folders)
    return store.extended(anchors, certificates_of(untrusted), crls_of(crls))


def certificates_of(places: Iterable[Path]) -> list[x509.Certificate]:
    found = []
    for file in _files(places):
        try:
            found += signing.read_certificates(file.read_bytes())
        except (ValueError, x509.InvalidVersion) as error:
            raise signing.TrustRefused(f"{file}: {error}") from error
    return found


def crls_of(places: Iterable[Path]) -> list[bytes]:
    return [crl for file in _files(places) for crl in signing.read_crls(file.read_bytes())]


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from (file for file in sorted(place.iterdir()) if file.is_file() and file.name[0] != ".")
        else:
            yield place


def evidence_of(trust: Iterable[Path], crls: Iterable[Path]) -> signing.Evidence:
    """The revocation lists that a signature is to carry along: of the trust folder, and those named."""
    folders = [folder for place in trust if (folder := place / "crls").is_dir()]
    return signing.Evidence(crls=tuple(crls_of([*folders, *crls])))
