"""The catalogue: which forms can be filed.

Loading checks everything there is and refuses the whole with every fault named.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lxml import etree

from schemas.declaration import Declaration, declaration_of
from schemas.describe import Description
from schemas.document import document_of, said
from schemas.dossier import Paper, dossier_of
from schemas.examine import Examination, bounded, hygiene, judge
from schemas.example_checks import example_faults
from schemas.families import IDENTIFYING, OWN_CATALOGUE, TAX, Families, Family, SummaryKind, Term
from schemas.faults import Fault, Place, make_fault
from schemas.fields import Labels
from schemas.folder import KnownForm
from schemas.forms import Form, LoadedForm
from schemas.lexical import Kind
from schemas.loading import CatalogueError, CatalogueFiles, FormKey
from schemas.period import vietnam_day
from schemas.reading import Reading, UnreadableError, parse, read, read_children, too_many_elements

__all__ = [
    "OWN_CATALOGUE",
    "Catalogue",
    "CatalogueError",
    "load_catalogue",
    "open_catalogue",
    "serving_catalogue",
]

_SUFFIXES = frozenset({".toml", ".csv", ".xsd", ".xml"})
_MAX_ELEMENTS_UNKNOWN_FORM = 100_000
SUMMARIES: Mapping[SummaryKind, Callable[[Reading, Family], Declaration | None]] = {
    "declaration": declaration_of,
    "dossier": dossier_of,
    "document": document_of,
}
"""By the family's heading: what a document says of itself."""


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a document is, without judging it.

    `fields`: the kind of each field by its path, in the form's order, `repeated`: paths of elements that may be
    repeated; both empty where the catalogue has no form for it: then `labels` are those of the heading alone.
    `described`: the form in the document's own words.
    """

    family: Family
    declaration: Declaration | None
    form: Form | None
    labels: Labels
    fields: Mapping[str, Kind]
    repeated: frozenset[str]
    described: str


def load_catalogue(directory: Path = OWN_CATALOGUE) -> Catalogue:
    """Load catalogue.toml and every form's folder below `directory` (the library's own by default).

    Raises CatalogueError, whose `faults` name every file and what is wrong in it. Takes some 30 ms a form; files that
    this process has loaded already are only read and compared.
    """
    return _once(directory, _loaded)


def open_catalogue(directory: Path = OWN_CATALOGUE) -> Catalogue:
    """The same for who judges few documents: each form is read and checked when it is first asked for.

    Raises CatalogueError, and so does what asks for a faulty form. The examples of the library's own forms are not
    judged again: its tests do that.
    """
    files = CatalogueFiles(directory)
    files.check()
    return Catalogue(_OpenForms(files, judged=directory != OWN_CATALOGUE), files, files)


def serving_catalogue(directory: Path = OWN_CATALOGUE) -> Catalogue:
    """For who serves: a folder of others is loaded whole, the library's own is opened (`Catalogue.prepare_one`).

    Raises CatalogueError.
    """
    return load_catalogue(directory) if directory != OWN_CATALOGUE else _once(directory, open_catalogue)


def _loaded(directory: Path) -> Catalogue:
    files = CatalogueFiles(directory)
    catalogue = Catalogue(files.load_all(), files)
    catalogue.check_examples()
    return catalogue


class _OpenForms(Mapping[FormKey, LoadedForm]):
    """Forms that are loaded when they are asked for, one at a time. `judged`: with their examples."""

    def __init__(self, files: CatalogueFiles, *, judged: bool) -> None:
        self._files = files
        self._judged = judged
        self._loading = threading.Lock()
        self._loaded: dict[FormKey, LoadedForm] = {}

    def __getitem__(self, key: FormKey) -> LoadedForm:
        if (found := self._loaded.get(key)) is not None:
            return found
        if key not in self._files:
            raise KeyError(key)
        with self._loading:
            if key not in self._loaded:
                loaded = self._files.load(key)
                if self._judged:
                    Catalogue(loaded, self._files).check_examples()
                self._loaded |= loaded
            return self._loaded[key]

    def __iter__(self) -> Iterator[FormKey]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    @property
    def complete(self) -> bool:
        return len(self._loaded) == len(self._files)

    def load_one(self) -> bool:
        """Load the first form that nobody has asked for; whether there was one. Raises CatalogueError."""
        key = next((key for key in self._files if key not in self._loaded), None)
        return key is not None and self[key] is not None


_kept: dict[tuple[Path, Callable[[Path], Catalogue]], tuple[bytes, Catalogue]] = {}


def _once(directory: Path, make: Callable[[Path], Catalogue]) -> Catalogue:
    """What this process has made already of the same files, or made anew."""
    before = _content(directory)
    known = _kept.get((directory, make))
    if known is not None and before is not None and known[0] == before:
        return known[1]
    catalogue = make(directory)
    if before is not None and _content(directory) == before:  # else they were changing while they were read
        _kept[directory, make] = before, catalogue
    return catalogue


def _content(directory: Path) -> bytes | None:
    """A digest of what the catalogue's files are called and hold; None where one cannot be read."""
    digest = hashlib.sha256()
    try:
        for path in sorted(directory.rglob("*")):
            if path.suffix in _SUFFIXES and path.is_file():
                octets = path.read_bytes()
                digest.update(f"{path.relative_to(directory)}\0{len(octets)}\0".encode() + octets)
    except OSError:
        return None
    return digest.digest()


class Catalogue:
    """The forms in force, immutable; any number of threads may examine at once."""

    def __init__(
        self,
        loaded: Mapping[FormKey, LoadedForm],
        files: CatalogueFiles,
        forms: Mapping[FormKey, Form] | None = None,
    ) -> None:
        """`files`: of the same folder, for what does not belong to one form. `forms`: of those that are loaded when
        they are asked for, what is known without."""
        self.families: Families = files.families
        self._loaded = loaded
        self._forms = {key: one.form for key, one in loaded.items()} if forms is None else forms
        self._header_labels: Mapping[str, Labels] = files.header_labels
        self._known: Mapping[str, Mapping[str, KnownForm]] = files.known

    @property
    def forms(self) -> tuple[Form, ...]:
        return tuple(self._forms.values())

    def form(self, code: str, version: str, kind: str, *, family: Family = TAX) -> Form | None:
        return self._forms.get((family.name, code, version, kind))

    def form_of(self, body: etree._Element) -> Form | None:
        """The form that a body (HSoKhaiThue, HoSo) names, without judging it; None where the catalogue has none."""
        family = self.families.of_body(str(body.tag))
        if family is None:
            return None
        code, version, kind = (family.value(body, term) for term in IDENTIFYING)
        return self.form(code, version, kind, family=family)

    def descriptions(self) -> tuple[Description, ...]:
        """Every form, its kinds together, in the catalogue's order."""
        return _described(self._loaded.values())

    def named(self, text: str) -> tuple[Description, ...]:
        """The forms that `text` names: 842, 842-2.8.3 or 01/GTGT. Only those are loaded."""
        keys = [key for key in self._forms if text in (key[1], f"{key[1]}-{key[2]}")]
        keys = keys or [key for key, form in self._forms.items() if form.label == text]
        return _described([self._loaded[key] for key in keys])

    @property
    def prepared(self) -> bool:
        """Whether every form is loaded: nobody has to wait for one."""
        return not isinstance(self._loaded, _OpenForms) or self._loaded.complete

    def prepare_one(self) -> bool:
        """Of an open catalogue: load one form more that nobody has asked for; whether there was one left.

        Raises CatalogueError.
        """
        return isinstance(self._loaded, _OpenForms) and self._loaded.load_one()

    def check_examples(self) -> None:
        """Raises CatalogueError where an example of a form's folder surprises: file, and what it shows."""

        def faults_of(body: etree._Element, received_at: datetime) -> tuple[Fault, ...]:
            return self.examine_element(body, received_at).faults

        faults = tuple(
            f"{folder.name}/examples/{fault}"
            for folder in dict.fromkeys(form.folder for form in self.forms)
            for fault in example_faults(folder / "examples", self.families, faults_of)
        )
        if faults:
            raise CatalogueError(faults)

    def examine(self, octets: bytes, *, received_at: datetime) -> Examination:
        """Examine the signed element (HSoKhaiThue, HoSo), given as the octets that its signature covers.

        Never raises for a bad document: everything wrong with it is a fault. `received_at` must be aware
        (ValueError); days are Vietnam days. Signatures, certificates and who may sign are not looked at here.
        """
        vietnam_day(received_at)
        try:
            root = parse(octets)
        except UnreadableError as error:
            return Examination(None, None, (error.fault,))
        return self._examine(root, received_at)

    def examine_element(
        self, element: etree._Element, received_at: datetime, papers: Sequence[Paper] = ()
    ) -> Examination:
        """The same for an element already parsed; places count from it. The caller answers for how it was parsed.

        `papers`: the files that came beside a dossier, which its signed list must name.
        """
        vietnam_day(received_at)
        return self._examine(element, received_at, tuple(papers))

    def recognise(self, body: etree._Element) -> Recognised:
        """What the body (HSoKhaiThue, HoSo) of a document is, whatever its faults: its heading alone is read.

        Raises KeyError where it is of no family.
        """
        family = self.families.of_body(str(body.tag))
        if family is None:
            raise KeyError(str(body.tag))
        told = dict.fromkeys(path.partition("/")[0] for path in (*family.heading, *family.paths.values()))
        try:
            reading = read_children(body, family.naming, tuple(told), max_elements=_MAX_ELEMENTS_UNKNOWN_FORM)
        except UnreadableError:
            reading = Reading(body, family.naming)
        loaded = self._loaded.get(_key(reading, family))
        fields = loaded.fields if loaded else None
        return Recognised(
            family=family,
            declaration=SUMMARIES[family.summary](reading, family),
            form=loaded.form if loaded else None,
            labels=fields.labels if fields else self._header_labels[family.name],
            fields={path: one.kind for path, one in fields.by_path.items()} if fields else {},
            repeated=frozenset(fields.groups) if fields else frozenset(),
            described=said(reading, family, "description"),
        )

    def _examine(
        self, root: etree._Element, received_at: datetime, papers: tuple[Paper, ...] = ()
    ) -> Examination:
        family = self.families.of_body(str(root.tag))
        if family is None:
            name = str(root.tag)
            place = Place(line=1, path=etree.QName(root).localname)
            return Examination(None, None, (make_fault("form.root", place, value=name),))
        try:
            reading = read(root, family.naming, max_elements=_MAX_ELEMENTS_UNKNOWN_FORM)
        except UnreadableError as error:
            return Examination(None, None, (error.fault,))
        loaded = self._loaded.get(_key(reading, family))
        if loaded is not None and reading.count > loaded.max_elements:
            return Examination(None, loaded.form, (too_many_elements(loaded.max_elements),))
        declaration = SUMMARIES[family.summary](reading, family)
        if loaded is None:
            faults = [*hygiene(reading, self._header_labels[family.name]), self._unknown(reading, family)]
            return Examination(declaration, None, bounded(faults))
        return judge(reading, loaded, declaration, received_at, papers=papers)

    def _unknown(self, reading: Reading, family: Family) -> Fault:
        _, code, version, kind = _key(reading, family)
        family_forms = [form for form in self.forms if form.family == family.name]
        forms = [form for form in family_forms if form.code == code]
        same_version = [form for form in forms if form.version == version]
        words = {"code": code, "version": version, "kind": kind}
        term: Term
        if same_version:
            found, term = "form.kind-not-accepted", "kind"
            words["accepted"] = ", ".join(form.kind for form in same_version)
        elif forms:
            found, term = "form.unknown-version", "version"
            words["accepted"] = ", ".join(sorted({form.version for form in forms}))
        else:
            known = self._known.get(family.name, {}).get(code)
            found, term = "form.unknown", "code"
            if known is not None and version in known.versions:
                found, words["name"] = "form.not-accepted-here", known.name
            words["accepted"] = ", ".join(sorted({f"{form.code} ({form.label})" for form in family_forms}))
        place = reading.place_of(family.paths.get(term, ""), self._header_labels[family.name])
        return make_fault(found, place, value=said(reading, family, term), **words)


def _described(loaded: Iterable[LoadedForm]) -> tuple[Description, ...]:
    """The kinds of a form together."""
    folders: dict[Path, list[LoadedForm]] = {}
    for one in loaded:
        folders.setdefault(one.form.folder, []).append(one)
    return tuple(
        Description(
            family=kinds[0].family,
            form=kinds[0].form,
            kinds=tuple(one.form.kind for one in kinds),
            annexes={one.form.kind: one.annexes for one in kinds if one.annexes},
            fields=tuple(kinds[0].fields.by_path.values()),
            rules=kinds[0].rules,
            codes={field.path: codes for field, codes in kinds[0].codes},
        )
        for kinds in folders.values()
    )


def _key(reading: Reading, family: Family) -> FormKey:
    code, version, kind = (said(reading, family, term) for term in IDENTIFYING)
    return family.name, code, version, kind
