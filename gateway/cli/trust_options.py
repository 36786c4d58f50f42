"""Whom to believe, on the command line: trust folders, certificates, revocation lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
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
    click.option("--ocsp", multiple=True, type=_PLACE, help="OCSP answers (DER): file or folder."),
)


def trust_options(command: F) -> F:
    """`--trust`, `--untrusted`, `--crl`, `--ocsp`, for `Places`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@dataclass(frozen=True, slots=True)
class Places:
    """What the trust options name."""

    trust: tuple[Path, ...] = ()
    untrusted: tuple[Path, ...] = ()
    crls: tuple[Path, ...] = ()
    ocsps: tuple[Path, ...] = ()

    def store(self) -> signing.TrustStore:
        """One trust folder as the gateway reads it (dated anchors, lists, answers), and what stands beside it.

        Raises click.UsageError, TrustRefused, CrlRefused, OcspRefused.
        """
        folders = [each for each in self.trust if (each / "anchors").is_dir() or (each / "lists").is_dir()]
        if len(folders) > 1:
            raise click.UsageError("--trust: at most one trust folder; any number of files")
        store = signing.TrustStore.load(folders[0]) if folders else signing.TrustStore(anchors=())
        anchors = certificates_of(place for place in self.trust if place not in folders)
        crls, ocsps = crls_of(self.crls), ocsps_of(self.ocsps)
        return store.extended(anchors, certificates_of(self.untrusted), crls, ocsps)

    def evidence(self) -> signing.Evidence:
        """The answers that a signature may carry along: of the trust folder (`crls/`, `ocsp/`, `fetched/`), and
        those named. Who uses them picks what tells of the certificates in question.
        """
        fetched = self._folders("fetched")
        return signing.Evidence(
            crls=tuple(crls_of([*self._folders("crls"), *_kind(fetched, ".crl"), *self.crls])),
            ocsps=tuple(ocsps_of([*self._folders("ocsp"), *_kind(fetched, ".ocsp"), *self.ocsps])),
        )

    def _folders(self, name: str) -> list[Path]:
        return [folder for place in self.trust if (folder := place / name).is_dir()]


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


def ocsps_of(places: Iterable[Path]) -> list[bytes]:
    return [file.read_bytes() for file in _files(places)]


def _files(places: Iterable[Path]) -> Iterator[Path]:
    for place in places:
        if place.is_dir():
            yield from (file for file in sorted(place.iterdir()) if file.is_file() and file.name[0] != ".")
        else:
            yield place


def _kind(folders: Iterable[Path], suffix: str) -> list[Path]:
    return [file for folder in folders for file in sorted(folder.glob(f"[!.]*{suffix}"))]
