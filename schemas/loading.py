"""Loading the catalogue's files.

Everything is checked, every fault is named, and nothing half-loaded is ever handed out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.faults import fault_texts, text_faults
from schemas.fields import Labels
from schemas.folder import Folder, is_plain
from schemas.form_files import FormFile, Row, Table
from schemas.form_loading import form_of, load_form
from schemas.forms import Form, LoadedForm

FormKey = tuple[str, str, str, str]
"""Family, code, version and kind of a form."""


class CatalogueError(Exception):
    """The catalogue cannot be used. `faults` name the file and what is wrong in it, all at once."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the catalogue of forms is faulty:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults


class CatalogueFiles(Mapping[FormKey, Form]):
    """A catalogue's folder: its table read and checked at once, each form when it is asked for.

    As a mapping it gives what table and form.toml say of a form, in the table's order. Raises CatalogueError from
    there, `load` and `check`, with every fault found so far.
    """

    def __init__(self, directory: Path) -> None:
        reader = self._reader = Folder(directory)
        reader.faults.extend(text_faults(fault_texts()))
        table = reader.toml("catalogue.toml", Table)
        rows = table.form if table else ()
        if table is not None and not rows:
            reader.faults.append("catalogue.toml: no form at all")
        self.families = reader.families(table.families if table is not None else ())
        self._lists = reader.code_lists()
        self._shared = {name: reader.shared(folder, self._lists) for name, folder in self._folders}
        self.known = {name: reader.known_forms(folder) for name, folder in self._folders}
        self.header_labels = {name: Labels(shared.labels) for name, shared in self._shared.items()}
        self._rows: dict[FormKey, Row] = {}
        self._settings: dict[str, FormFile | None] = {}
        self._forms: dict[FormKey, Form] = {}
        for row in rows:
            if row.family not in self.families:
                reader.faults.append(f"catalogue.toml: {row.folder}: no family is called {row.family!r}")
                continue
            if not is_plain(row.folder):
                fault = f"the folder {row.folder!r} is not a plain path below the catalogue"
                reader.faults.append(f"catalogue.toml: {fault}")
                continue
            for key in ((row.family, row.code, row.version, kind) for kind in row.kinds):
                if key in self._rows:
                    reader.faults.append(f"catalogue.toml: form {' '.join(key[1:])} is listed twice")
                self._rows[key] = row

    @property
    def _folders(self) -> Iterator[tuple[str, str]]:
        yield from self.families.folders.items()

    def __getitem__(self, key: FormKey) -> Form:
        if key not in self._forms:
            row = self._rows[key]
            settings = self._settings_of(row)
            if settings is None:
                raise CatalogueError(tuple(self._reader.faults))
            self._forms[key] = form_of(row, key[3], settings, self._reader.directory)
        return self._forms[key]

    def __contains__(self, key: object) -> bool:
        return key in self._rows

    def __iter__(self) -> Iterator[FormKey]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def load(self, key: FormKey) -> Mapping[FormKey, LoadedForm]:
        """The form and its other kinds. Raises CatalogueError, KeyError."""
        row = self._rows[key]
        loaded = self._load(row)
        self.check()
        return loaded

    def load_all(self) -> Mapping[FormKey, LoadedForm]:
        """Every form. Raises CatalogueError."""
        found: dict[FormKey, LoadedForm] = {}
        for row in dict.fromkeys(self._rows.values()):
            found |= self._load(row)
        self.check()
        return found

    def check(self) -> None:
        """Raises CatalogueError."""
        if self._reader.faults:
            raise CatalogueError(tuple(self._reader.faults))

    def _settings_of(self, row: Row) -> FormFile | None:
        """Its form.toml, read once; None, and a fault, where there is none that can be used."""
        if row.folder not in self._settings:
            self._settings[row.folder] = self._reader.toml(f"{row.folder}/form.toml", FormFile)
        return self._settings[row.folder]

    def _load(self, row: Row) -> dict[FormKey, LoadedForm]:
        family, shared = self.families[row.family], self._shared[row.family]
        loaded = load_form(self._reader, row, self._settings_of(row), family, shared)
        return {(row.family, row.code, row.version, one.form.kind): one for one in loaded}
