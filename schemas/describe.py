"""What a form is, for those who fill it in or list it: fields, rules and examples."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lxml import etree

from schemas.codes import CodeList
from schemas.example_checks import examples, read_cases
from schemas.families import Family
from schemas.fields import Field
from schemas.forms import Form, Rule
from schemas.period import read_iso_day, vietnam_day


@dataclass(frozen=True, slots=True)
class Description:
    """One form in all its kinds.

    `annexes` by kind; `codes`: the lists that hold, by a field's path; `examples`: the faults that each shows, by name.
    """

    family: Family
    form: Form
    kinds: tuple[str, ...]
    annexes: Mapping[str, tuple[str, ...]]
    fields: tuple[Field, ...]
    rules: tuple[Rule, ...]
    codes: Mapping[str, CodeList]

    @property
    def examples(self) -> Mapping[str, tuple[str, ...]]:
        folder = self.form.folder / "examples"
        return {name: codes for name, _, codes in examples(folder, read_cases(folder))}

    def example(self, name: str, *, tax_code: str | None = None, on: date | None = None) -> bytes:
        """An unsigned document, of the filer `tax_code` where one is given, wherever the filer's code stands.

        `on`: as of that day. Where a form goes by the day of filing, all its days move along (a form of tax periods
        keeps its period). Raises KeyError: no such example.
        """
        folder = self.form.folder / "examples"
        cases = read_cases(folder)
        document = {name: document for name, document, _ in examples(folder, cases)}[name]
        root = etree.fromstring(document)
        body = self.family.body_of(root)
        filer = self.family.value(body, "filer") if body is not None else ""
        moved = timedelta(0) if on is None or self.form.period_kinds else on - vietnam_day(cases.received_at)
        for element in root.iter("*"):
            if tax_code is not None and filer and element.text == filer:
                element.text = tax_code
            elif moved and element.text and (day := read_iso_day(element.text)):
                element.text = (day + moved).isoformat()
        return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def export_catalogue(source: Path, target: Path) -> None:
    """Copy what a catalogue consists of, and nothing else, to the new folder `target`. Raises OSError."""
    target.mkdir(parents=True)
    for shared in ("catalogue.toml", "types.xsd"):
        if (source / shared).exists():
            shutil.copy(source / shared, target)
    for folder in tomllib.loads((source / "catalogue.toml").read_text("utf-8"))["families"]:
        shutil.copytree(source / folder, target / folder)
    if (source / "codes").exists():
        shutil.copytree(source / "codes", target / "codes")
