"""What a form is, for those who fill it in or list it: fields, rules and examples."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.codes import CodeList
from schemas.example_checks import changed, examples, read_cases
from schemas.families import FAMILIES
from schemas.fields import Field
from schemas.forms import Form, Rule


@dataclass(frozen=True, slots=True)
class Description:
    """One form in all its kinds.

    `annexes` by kind; `codes`: the lists that hold, by a field's path; `examples`: the faults that each shows, by name.
    """

    form: Form
    kinds: tuple[str, ...]
    annexes: Mapping[str, tuple[str, ...]]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    codes: Mapping[str, CodeList]

    def named(self, text: str) -> bool:
        """Whether `text` names it: 842, 842-2.8.3 or 01/GTGT."""
        return text in (self.form.code, f"{self.form.code}-{self.form.version}", self.form.label)

    @property
    def examples(self) -> Mapping[str, tuple[str, ...]]:
        folder = self.form.folder / "examples"
        return {name: codes for name, _, codes in examples(folder, read_cases(folder))}

    def example(self, name: str, *, tax_code: str | None = None) -> bytes:
        """An unsigned document, of the filer `tax_code` where one is given. Raises KeyError: no such example."""
        folder = self.form.folder / "examples"
        document = {name: document for name, document, _ in examples(folder, read_cases(folder))}[name]
        filer = "/".join(FAMILIES[self.form.family].filer.split("/")[-2:])
        return document if tax_code is None else changed(document, {filer: tax_code})


def export_catalogue(source: Path, target: Path) -> None:
    """Copy what a catalogue consists of, and nothing else, to the new folder `target`. Raises OSError."""
    target.mkdir(parents=True)
    for shared in ("catalogue.toml", "types.xsd"):
        shutil.copy(source / shared, target)
    for family in FAMILIES.values():
        if (source / family.folder).exists():
            shutil.copytree(source / family.folder, target / family.folder)
    if (source / "codes").exists():
        shutil.copytree(source / "codes", target / "codes")
