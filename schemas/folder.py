"""A catalogue's folder: its files read, with what is wrong in each."""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import msgspec

from schemas.codes import CodeList, CodeListError, read_codes
from schemas.families import Families, Family, read_family
from schemas.fields import Label

_T = TypeVar("_T")
_SAFE_FOLDER = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,4}")


class KnownForm(NamedTuple):
    """A form that exists, whether or not it is taken here."""

    versions: frozenset[str]
    name: str


class Shared(NamedTuple):
    """What a family's forms have in common: labels and codes of the heading; the lists are everybody's."""

    folder: str
    labels: Mapping[str, Label]
    codes: Mapping[str, str]
    lists: Mapping[str, CodeList]


class Folder:
    """Reads the catalogue's files and collects what is wrong with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.faults: list[str] = []

    def toml(self, name: str, kind: type[_T]) -> _T | None:
        """A file as what it should be; None, and a fault, where it is not."""
        try:
            return msgspec.convert(tomllib.loads((self.directory / name).read_text("utf-8")), kind)
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self.faults.append(f"{name}: {reason}")
            return None

    def there(self, name: str, kind: type[_T], otherwise: _T) -> _T | None:
        """A file that need not be there."""
        return self.toml(name, kind) if (self.directory / name).exists() else otherwise

    def families(self, folders: Sequence[str]) -> Families:
        """Those whose family.toml can be used."""
        found: list[tuple[str, Family]] = []
        for folder in dict.fromkeys(folders):
            if not is_plain(folder):
                self.faults.append(
                    f"catalogue.toml: the folder {folder!r} is not a plain path below the catalogue"
                )
                continue
            try:
                family = read_family(self.directory / folder / "family.toml")
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
                reason = error.strerror if isinstance(error, OSError) else error
                self.faults.append(f"{folder}/family.toml: {reason}")
                continue
            faults = [f"{folder}/family.toml: {fault}" for fault in family.faults()]
            self.faults.extend(faults)
            if not faults:
                found.append((folder, family))
        families = Families(found)
        self.faults.extend(f"catalogue.toml: {fault}" for fault in families.faults())
        return families

    def shared(self, folder: str, lists: Mapping[str, CodeList]) -> Shared:
        """What a family's forms have in common."""
        labels = self.there(f"{folder}/labels.toml", dict[str, Label], {}) or {}
        codes = self.there(f"{folder}/codes.toml", dict[str, str], {}) or {}
        return Shared(folder, labels, codes, lists)

    def code_lists(self) -> Mapping[str, CodeList]:
        """By name: those of the folder `codes`."""
        found = {}
        for path in sorted((self.directory / "codes").glob("*.csv")):
            try:
                found[path.stem] = read_codes(path.stem, path.read_text("utf-8"))
            except CodeListError as error:
                self.faults.extend(f"codes/{path.name}: {fault}" for fault in error.faults)
            except (OSError, UnicodeDecodeError, csv.Error) as error:
                self.faults.append(f"codes/{path.name}: {error}")
        return found

    def known_forms(self, folder: str) -> Mapping[str, KnownForm]:
        """The forms that exist elsewhere, where it is said: code, versions with blanks between, name."""
        name = f"{folder}/known-forms.csv"
        if not (self.directory / name).exists():
            return {}
        try:
            rows = list(csv.DictReader((self.directory / name).read_text("utf-8").splitlines()))
            return {row["code"]: KnownForm(frozenset(row["versions"].split()), row["name"]) for row in rows}
        except (OSError, UnicodeDecodeError, csv.Error, KeyError, AttributeError) as error:
            self.faults.append(f"{name}: {error.strerror if isinstance(error, OSError) else repr(error)}")
            return {}


def is_plain(folder: str) -> bool:
    """Whether it is a plain path below the catalogue."""
    return _SAFE_FOLDER.fullmatch(folder) is not None and ".." not in folder.split("/")
