"""Loading the catalogue's files.

Everything is checked, every fault is named, and nothing half-loaded is ever handed out.
"""

from __future__ import annotations

import csv
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

import msgspec
import xmlschema
from lxml import etree
from msgspec import Meta

from schemas.codes import CodeList, CodeListError, read_codes
from schemas.document import DOCUMENT_RULES
from schemas.dossier_rules import DOSSIER_RULES
from schemas.families import Families, Family, SummaryKind, Term, read_family
from schemas.faults import Severity, Words, fault_texts, text_faults
from schemas.fields import Field, FieldOperand, Fields, Label, Labels
from schemas.file_types import PDF
from schemas.forms import AttachmentRule, Due, Form, HeaderRule, LoadedForm, Rule, ThreadSchema
from schemas.header_rules import DECLARATION_RULES
from schemas.period import is_period_kind
from schemas.rule_parser import RuleSyntaxError, compile_rule
from schemas.signers import DEFAULT_SIGNERS, Signers, signer_faults
from schemas.sources import SchemaSource, SchemaSourceError, read_schema

_T = TypeVar("_T")
_SAFE_FOLDER = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,4}")

FormKey = tuple[str, str, str, str]
"""Family, code, version and kind of a form."""


HEADER_RULES: Mapping[SummaryKind, Mapping[str, HeaderRule]] = {
    "declaration": DECLARATION_RULES,
    "dossier": DOSSIER_RULES,
    "document": DOCUMENT_RULES,
}
"""By the family's heading and by name: the rules that a form may ask for in form.toml."""


class CatalogueError(Exception):
    """The catalogue cannot be used. `faults` name the file and what is wrong in it, all at once."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the catalogue of forms is faulty:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults


class KnownForm(NamedTuple):
    """A form that exists, whether or not it is taken here."""

    versions: frozenset[str]
    name: str


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: str
    code: str
    version: str
    kinds: Annotated[tuple[str, ...], Meta(min_length=1)]
    folder: str
    in_force_from: date
    in_force_until: date


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    families: Annotated[tuple[str, ...], Meta(min_length=1)]
    form: tuple[_Row, ...]


class _Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payable: str | None = None
    carried_forward: str | None = None


class _FormFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    name_vi: str
    name_en: str
    legal_basis: str
    max_elements: int
    header_rules: tuple[str, ...] = ()
    schema: str = "form.xsd"
    schema_locations: dict[str, str] = {}
    unlabelled: Literal["refused", "by-name"] = "refused"
    tax_vi: str = ""
    tax_en: str = ""
    period_kinds: tuple[str, ...] = ()
    financial_year: bool = False
    annexes: dict[str, tuple[str, ...]] = {}
    due: dict[str, Due] = {}
    attachments: tuple[AttachmentRule, ...] = ()
    summary: _Summary = _Summary()
    one_place: tuple[str, ...] = ()
    codes: dict[str, str] = {}
    signers: Signers = DEFAULT_SIGNERS
    signature_policy: Annotated[str, Meta(pattern="^[a-z0-9-]+$")] | None = None


class _RuleRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    rule: str
    severity: Severity = "ERROR"
    message_vi: str | None = None
    message_en: str | None = None
    remedy_vi: str | None = None
    remedy_en: str | None = None


class _RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[_RuleRow, ...] = ()


class CatalogueFiles:
    """A catalogue's folder: its table read and checked at once, each form when it is asked for.

    Raises CatalogueError from `load` and `check`, with every fault found so far.
    """

    def __init__(self, directory: Path) -> None:
        reader = self._reader = _Reader(directory)
        reader.faults.extend(text_faults(fault_texts()))
        table = reader.toml("catalogue.toml", _Table)
        rows = table.form if table else ()
        if table is not None and not rows:
            reader.faults.append("catalogue.toml: no form at all")
        self.families = reader.families(table.families if table is not None else ())
        self._lists = reader.code_lists()
        self._shared = {name: reader.shared(folder, self._lists) for name, folder in self._folders}
        self.known = {name: reader.known_forms(folder) for name, folder in self._folders}
        self.header_labels = {name: Labels(shared.labels) for name, shared in self._shared.items()}
        self._rows: dict[FormKey, _Row] = {}
        for row in rows:
            if row.family not in self.families:
                reader.faults.append(f"catalogue.toml: {row.folder}: no family is called {row.family!r}")
                continue
            for key in ((row.family, row.code, row.version, kind) for kind in row.kinds):
                if key in self._rows:
                    reader.faults.append(f"catalogue.toml: form {' '.join(key[1:])} is listed twice")
                self._rows[key] = row

    @property
    def _folders(self) -> Iterator[tuple[str, str]]:
        yield from self.families.folders.items()

    @property
    def keys(self) -> tuple[FormKey, ...]:
        """The forms, in the table's order."""
        return tuple(self._rows)

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

    def _load(self, row: _Row) -> dict[FormKey, LoadedForm]:
        loaded = _load_form(self._reader, row, self.families[row.family], self._shared[row.family])
        return {(row.family, row.code, row.version, one.form.kind): one for one in loaded}


class _Reader:
    """Reads the catalogue's files and collects what is wrong with them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.faults: list[str] = []

    def toml(self, name: str, kind: type[_T]) -> _T | None:
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

    def shared(self, folder: str, lists: Mapping[str, CodeList]) -> _Shared:
        """What a family's forms have in common."""
        labels = self.there(f"{folder}/labels.toml", dict[str, Label], {}) or {}
        codes = self.there(f"{folder}/codes.toml", dict[str, str], {}) or {}
        return _Shared(folder, labels, codes, lists)

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


class _Shared(NamedTuple):
    """What a family's forms have in common: labels and codes of the heading; the lists are everybody's."""

    folder: str
    labels: Mapping[str, Label]
    codes: Mapping[str, str]
    lists: Mapping[str, CodeList]


def is_plain(folder: str) -> bool:
    """Whether it is a plain path below the catalogue."""
    return _SAFE_FOLDER.fullmatch(folder) is not None and ".." not in folder.split("/")


def _load_form(reader: _Reader, row: _Row, family: Family, shared: _Shared) -> list[LoadedForm]:
    """One a kind; what is wrong goes to the reader's faults."""
    if not is_plain(row.folder):
        reader.faults.append(
            f"catalogue.toml: the folder {row.folder!r} is not a plain path below the catalogue"
        )
        return []
    settings = reader.toml(f"{row.folder}/form.toml", _FormFile)
    own_labels = reader.there(f"{row.folder}/labels.toml", dict[str, Label], {})
    rule_file = reader.there(f"{row.folder}/rules.toml", _RuleFile, _RuleFile())
    schema = _load_schema(reader, row.folder, family, settings) if settings is not None else None
    if settings is None or own_labels is None or rule_file is None or schema is None:
        return []
    source, explaining = schema
    add = _adder(reader, row.folder)
    annexes = [name for names in settings.annexes.values() for name in names]
    labels, rules = dict(shared.labels), list(rule_file.rule)
    for name in dict.fromkeys(annexes):
        labels |= reader.toml(f"{shared.folder}/annexes/{name}/labels.toml", dict[str, Label]) or {}
        annex_rules = reader.toml(f"{shared.folder}/annexes/{name}/rules.toml", _RuleFile)
        rules.extend(annex_rules.rule if annex_rules is not None else ())
        if name not in explaining.elements:
            add("form.xsd", f"it declares no annex {name}")
    fields = Fields(
        explaining.maps.elements[family.body_tag],
        Labels(labels | own_labels),
        frozenset(settings.one_place),
        [explaining.elements[name] for name in dict.fromkeys(annexes) if name in explaining.elements],
        naming=family.naming,
        heading=family.heading,
        foreign=settings.unlabelled == "by-name",
    )
    reader.faults.extend(f"{row.folder}/{fault}" for fault in fields.faults)
    _check_row(row, family, add)
    _check_settings(settings, row, family, add)
    for fault in _label_faults(own_labels, fields):
        add("labels.toml", fault)
    rules_of = HEADER_RULES[family.summary]
    common = LoadedForm(
        family=family,
        form=_form(row, row.kinds[0], settings, reader.directory),
        fields=fields,
        one_place=tuple(_one_place(settings, fields, add)),
        rules=tuple(_rules(rules, fields, add)),
        codes=tuple(_codes(settings, shared, fields, add)),
        header_rules=tuple(rules_of[name] for name in settings.header_rules if name in rules_of),
        due=settings.due,
        annexes=(),
        attachments=settings.attachments,
        max_elements=settings.max_elements,
        payable=_amount(settings.summary.payable, fields, add),
        carried_forward=_amount(settings.summary.carried_forward, fields, add),
        schema=ThreadSchema(source.compile),
        explaining=explaining,
    )
    return [
        replace(common, form=replace(common.form, kind=kind), annexes=settings.annexes.get(kind, ()))
        for kind in row.kinds
    ]


_Add = Callable[[str, str], None]


def _adder(reader: _Reader, folder: str) -> _Add:
    return lambda file, fault: reader.faults.append(f"{folder}/{file}: {fault}")


def _form(row: _Row, kind: str, settings: _FormFile, directory: Path) -> Form:
    return Form(
        family=row.family,
        code=row.code,
        version=row.version,
        kind=kind,
        label=settings.label,
        name_vi=settings.name_vi,
        name_en=settings.name_en,
        tax_vi=settings.tax_vi,
        tax_en=settings.tax_en,
        legal_basis=settings.legal_basis,
        in_force_from=row.in_force_from,
        in_force_until=row.in_force_until,
        period_kinds=settings.period_kinds,
        financial_year=settings.financial_year,
        folder=directory / row.folder,
        signers=settings.signers,
        signature_policy=settings.signature_policy,
    )


def _load_schema(
    reader: _Reader, folder: str, family: Family, settings: _FormFile
) -> tuple[SchemaSource, Any] | None:
    name = f"{folder}/{settings.schema}"
    locations = {url: f"{folder}/{file}" for url, file in settings.schema_locations.items()}
    try:
        source = read_schema(reader.directory, name, family.body_name, locations)
        source.compile()  # the judge of documents judges the schema too
        explaining = source.explain()
    except SchemaSourceError as error:
        reader.faults.append(str(error))
        return None
    except (etree.LxmlError, xmlschema.XMLSchemaException, OSError, UserWarning) as error:
        reader.faults.append(f"{name}: {str(error).strip().splitlines()[0]}")
        return None
    if family.body_tag not in explaining.maps.elements:
        reader.faults.append(f"{name}: it declares no element {family.body_name} of {family.namespace}")
        return None
    return source, explaining


def _label_faults(own: Mapping[str, Label], fields: Fields) -> Iterator[str]:
    used = {fields.labels.key_of(path) for path in fields.elements}
    for name, label in own.items():
        if name not in used:
            yield f"{name} is no element of the form"
        if not label.vi.strip() or not label.en.strip():
            yield f"{name}: an empty label"


def _check_row(row: _Row, family: Family, add: _Add) -> None:
    said: Mapping[Term, Sequence[str]] = {"code": (row.code,), "version": (row.version,), "kind": row.kinds}
    for term, values in said.items():
        if term in family.fixed and tuple(values) != (family.fixed[term],):
            add("../catalogue.toml", f"every document of the family is of the {term} {family.fixed[term]!r}")
    if row.in_force_until < row.in_force_from:
        add("../catalogue.toml", "in_force_until lies before in_force_from")


def _check_settings(settings: _FormFile, row: _Row, family: Family, add: _Add) -> None:
    for name in settings.header_rules:
        if name not in HEADER_RULES[family.summary]:
            add("form.toml", f"no header rule is called {name!r}")
    for kind in (*settings.period_kinds, *settings.due):
        if not is_period_kind(kind):
            add("form.toml", f"{kind!r} is no kind of period")
    for attachment in settings.attachments:
        _check_attachment(attachment, row, add)
    for kind in settings.annexes:
        if kind not in row.kinds:
            add("form.toml", f"annexes of the kind {kind!r}, which is not taken")
    for fault in _family_faults(settings, family):
        add("form.toml", fault)
    for fault in signer_faults(settings.signers):
        add("form.toml", fault)
    if settings.max_elements < 1:
        add("form.toml", "max_elements must be at least 1")


def _family_faults(settings: _FormFile, family: Family) -> Iterator[str]:
    """What the documents of the family could not bear."""
    if family.summary == "declaration" and not settings.period_kinds:
        yield "no kind of period: nothing could be filed"
    if family.summary != "declaration" and (settings.period_kinds or settings.due):
        yield "kinds of period, in a family whose heading names no period"
    if family.summary != "dossier" and settings.attachments:
        yield "attachments, in a family whose documents list none"


def _check_attachment(rule: AttachmentRule, row: _Row, add: _Add) -> None:
    for kind in rule.required_for_kinds:
        if kind not in row.kinds:
            add("form.toml", f"attachment {rule.kind}: the kind {kind!r} is not taken")
    if rule.signed and PDF not in rule.media:
        add("form.toml", f"attachment {rule.kind}: signed, but no PDF is taken")


def _amount(indicator: str | None, fields: Fields, add: _Add) -> FieldOperand | None:
    if indicator is None:
        return None
    found = fields.operand(indicator)
    if found is None or found.fields[0].kind != "integer" or found.group is not None:
        add("form.toml", f"[{indicator}] in the summary is no amount of the form")
        return None
    return found


def _one_place(settings: _FormFile, fields: Fields, add: _Add) -> Iterator[FieldOperand]:
    for indicator in settings.one_place:
        found = fields.operand(indicator)
        if found is None or len(found.fields) < 2 or any(one.group is not None for one in found.fields):
            add("form.toml", f"one_place: [{indicator}] has not several places")
        else:
            yield found


def _codes(
    settings: _FormFile, shared: _Shared, fields: Fields, add: _Add
) -> Iterator[tuple[Field, CodeList]]:
    for name, wanted in {**shared.codes, **settings.codes}.items():
        found, codes = fields.operand(name), shared.lists.get(wanted)
        if found is None or found.sort != "text":
            add("form.toml", f"codes: [{name}] is no one field with a text")
        elif codes is None:
            add("form.toml", f"codes: there is no list codes/{wanted}.csv")
        else:
            yield from ((field, codes) for field in found.fields)


def _rules(rows: Sequence[_RuleRow], fields: Fields, add: _Add) -> Iterator[Rule]:
    codes: set[str] = set()
    for row in rows:
        if row.code in codes:
            add("rules.toml", f"the code {row.code} is used twice")
        codes.add(row.code)
        try:
            arithmetic = compile_rule(row.rule, lambda name: _operand(name, fields))
        except RuleSyntaxError as error:
            add("rules.toml", f"{row.code}: {error}")
            continue
        texts = []
        for vi, en in ((row.message_vi, row.message_en), (row.remedy_vi, row.remedy_en)):
            if (vi is None) != (en is None):
                add("rules.toml", f"{row.code}: a text in one language only")
            texts.append(Words(vi, en) if vi is not None and en is not None else None)
        if not arithmetic.tells and None in texts:
            add(
                "rules.toml",
                f"{row.code}: a claim with “and” or “or” needs a message and a remedy of its own",
            )
        yield Rule(row.code, row.severity, arithmetic, *texts)


def _operand(name: str, fields: Fields) -> FieldOperand:
    """Raises RuleSyntaxError."""
    found = fields.operand(name)
    if found is not None:
        return found
    candidates = fields.candidates(name)
    several = f"; there are {', '.join(candidates)}" if candidates else ""
    raise RuleSyntaxError(f"the form has no one field [{name}]{several}")
