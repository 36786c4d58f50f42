"""Loading the catalogue's files.

Everything is checked, every fault is named, and nothing half-loaded is ever handed out.
"""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal, TypeVar

import msgspec
import xmlschema
from lxml import etree

from schemas.faults import Severity, Words, fault_texts, text_faults
from schemas.forms import Due, Form, Label, LoadedForm, Rule, ThreadSchema
from schemas.header_rules import HEADER_RULES
from schemas.period import is_period_kind
from schemas.reading import TAX_NAMESPACE, TAX_ROOT
from schemas.rules import RuleSyntaxError, compile_rule
from schemas.sources import SchemaSourceError, flatten

_T = TypeVar("_T")
_SAFE_FOLDER = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+){0,4}")
_AMOUNT_TYPE = "SoTien"


class CatalogueError(Exception):
    """The catalogue cannot be used. `faults` name the file and what is wrong in it, all at once."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("the catalogue of forms is faulty:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.faults = faults


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    family: Literal["tax-declaration"]
    code: str
    version: str
    kind: str
    folder: str
    periods_from: date
    periods_until: date


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    form: tuple[_Row, ...]


class _Summary(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    payable: str | None = None
    carried_forward: str | None = None


class _FormFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    label: str
    name_vi: str
    name_en: str
    tax_vi: str
    tax_en: str
    legal_basis: str
    period_kinds: tuple[str, ...]
    annexes: tuple[str, ...]
    max_elements: int
    header_rules: tuple[str, ...]
    due: dict[str, Due]
    summary: _Summary = _Summary()


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


def load_all(directory: Path) -> tuple[tuple[LoadedForm, ...], Mapping[str, Label]]:
    """Every form of the catalogue in `directory`, and the labels of the shared header. Raises CatalogueError."""
    reader = _Reader(directory)
    reader.faults.extend(text_faults(fault_texts()))
    labels = reader.toml("tax/labels.toml", dict[str, Label]) or {}
    table = reader.toml("catalogue.toml", _Table)
    rows = table.form if table else ()
    if table is not None and not rows:
        reader.faults.append("catalogue.toml: no form at all")
    seen: set[tuple[str, str, str]] = set()
    loaded = []
    for row in rows:
        key = (row.code, row.version, row.kind)
        if key in seen:
            reader.faults.append(f"catalogue.toml: form {' '.join(key)} is listed twice")
            continue
        seen.add(key)
        one = _load_form(reader, row, labels)
        if one is not None:
            loaded.append(one)
    if reader.faults:
        raise CatalogueError(tuple(reader.faults))
    return tuple(loaded), labels


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


def _load_form(reader: _Reader, row: _Row, header_labels: Mapping[str, Label]) -> LoadedForm | None:
    if not _SAFE_FOLDER.fullmatch(row.folder) or ".." in row.folder.split("/"):
        reader.faults.append(
            f"catalogue.toml: the folder {row.folder!r} is not a plain path below the catalogue"
        )
        return None
    settings = reader.toml(f"{row.folder}/form.toml", _FormFile)
    own_labels = reader.toml(f"{row.folder}/labels.toml", dict[str, Label])
    rule_file = reader.toml(f"{row.folder}/rules.toml", _RuleFile)
    schema = _load_schema(reader, row.folder)
    if settings is None or own_labels is None or rule_file is None or schema is None:
        return None
    labels = {**header_labels, **own_labels}
    source, explaining = schema
    found = _Walk(explaining.elements[TAX_ROOT], labels)
    add = _adder(reader, row.folder)
    _check_row(row, add)
    _check_settings(settings, found, add)
    for fault in (*found.faults, *_label_faults(own_labels, found)):
        add("labels.toml", fault)
    return LoadedForm(
        form=_form(row, settings, reader.directory),
        labels=labels,
        indicators={name: tuple(paths) for name, paths in found.indicators.items()},
        amounts=frozenset(found.amounts),
        types=found.types,
        rules=tuple(_rules(rule_file, found, add)),
        header_rules=tuple(HEADER_RULES[name] for name in settings.header_rules if name in HEADER_RULES),
        due=settings.due,
        annexes=frozenset(settings.annexes),
        max_elements=settings.max_elements,
        payable=settings.summary.payable,
        carried_forward=settings.summary.carried_forward,
        schema=ThreadSchema(lambda: etree.XMLSchema(etree.fromstring(source))),
        explaining=explaining,
    )


_Add = Callable[[str, str], None]


def _adder(reader: _Reader, folder: str) -> _Add:
    return lambda file, fault: reader.faults.append(f"{folder}/{file}: {fault}")


def _form(row: _Row, settings: _FormFile, directory: Path) -> Form:
    return Form(
        family=row.family,
        code=row.code,
        version=row.version,
        kind=row.kind,
        label=settings.label,
        name_vi=settings.name_vi,
        name_en=settings.name_en,
        tax_vi=settings.tax_vi,
        tax_en=settings.tax_en,
        legal_basis=settings.legal_basis,
        periods_from=row.periods_from,
        periods_until=row.periods_until,
        period_kinds=settings.period_kinds,
        folder=directory / row.folder,
    )


def _load_schema(reader: _Reader, folder: str) -> tuple[bytes, Any] | None:
    name = f"{folder}/form.xsd"
    try:
        source = flatten(reader.directory, name)
        etree.XMLSchema(etree.fromstring(source))
        explaining = xmlschema.XMLSchema10(source.decode("utf-8"), allow="none", defuse="always")
    except SchemaSourceError as error:
        reader.faults.append(str(error))
        return None
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError, xmlschema.XMLSchemaException) as error:
        reader.faults.append(f"{name}: {str(error).strip().splitlines()[0]}")
        return None
    if explaining.target_namespace != TAX_NAMESPACE or TAX_ROOT not in explaining.elements:
        reader.faults.append(f"{name}: it declares no element {TAX_ROOT} of {TAX_NAMESPACE}")
        return None
    return source, explaining


class _Walk:
    """What a form's schema holds: elements, indicators and what the types ask for, by path below the root."""

    def __init__(self, root: Any, labels: Mapping[str, Label]) -> None:
        self.labels = labels
        self.names: set[str] = set()
        self.types: dict[str, Words] = {}
        self.indicators: defaultdict[str, list[str]] = defaultdict(list)
        self.amounts: set[str] = set()
        self.faults: list[str] = []
        self.element(root, "", 0)

    def element(self, element: Any, path: str, depth: int) -> None:
        name = str(element.local_name)
        self.names.add(name)
        label = self.labels.get(name)
        if label is None:
            self.faults.append(f"no label for the element {name}")
        if depth > 20:
            self.faults.append(f"elements nested deeper than 20 at {path}")
            return
        if element.type.is_simple():
            self.simple(element.type, name, path, label)
            return
        for child in element.type.content.iter_elements():
            if type(child).__name__ == "XsdElement":
                self.element(
                    child, f"{path}/{child.local_name}" if path else str(child.local_name), depth + 1
                )

    def simple(self, kind: Any, name: str, path: str, label: Label | None) -> None:
        words = _documentation(kind)
        if words is None:
            self.faults.append(f"form.xsd: the type of {name} lacks documentation in vi and en")
        else:
            self.types[path] = words
        if label is not None and label.indicator is not None:
            self.indicators[label.indicator].append(path)
            if kind.local_name == _AMOUNT_TYPE:
                self.amounts.add(label.indicator)


def _documentation(kind: Any) -> Words | None:
    if kind.annotation is None:
        return None
    lang = "{http://www.w3.org/XML/1998/namespace}lang"
    said = {node.get(lang): (node.text or "").strip() for node in kind.annotation.documentation}
    return Words(said["vi"], said["en"]) if said.get("vi") and said.get("en") else None


def _label_faults(own: Mapping[str, Label], found: _Walk) -> Iterator[str]:
    for name, label in own.items():
        if name not in found.names:
            yield f"{name} is no element of the form"
        if not label.vi.strip() or not label.en.strip():
            yield f"{name}: an empty label"


def _check_row(row: _Row, add: _Add) -> None:
    if row.periods_until < row.periods_from:
        add("../catalogue.toml", "periods_until lies before periods_from")


def _check_settings(settings: _FormFile, found: _Walk, add: _Add) -> None:
    for name in settings.header_rules:
        if name not in HEADER_RULES:
            add("form.toml", f"no header rule is called {name!r}")
    for kind in (*settings.period_kinds, *settings.due):
        if not is_period_kind(kind):
            add("form.toml", f"{kind!r} is no kind of period")
    for indicator in (settings.summary.payable, settings.summary.carried_forward):
        if indicator is not None and indicator not in found.amounts:
            add("form.toml", f"[{indicator}] in the summary is no amount of the form")
    if not settings.period_kinds:
        add("form.toml", "no kind of period: nothing could be filed")
    if settings.max_elements < 1:
        add("form.toml", "max_elements must be at least 1")


def _rules(file: _RuleFile, found: _Walk, add: _Add) -> Iterator[Rule]:
    codes: set[str] = set()
    for row in file.rule:
        if row.code in codes:
            add("rules.toml", f"the code {row.code} is used twice")
        codes.add(row.code)
        try:
            arithmetic = compile_rule(row.rule)
        except RuleSyntaxError as error:
            add("rules.toml", f"{row.code}: {error}")
            continue
        for indicator in arithmetic.indicators:
            if indicator not in found.indicators:
                add("rules.toml", f"{row.code}: the form has no indicator [{indicator}]")
        texts = []
        for vi, en in ((row.message_vi, row.message_en), (row.remedy_vi, row.remedy_en)):
            if (vi is None) != (en is None):
                add("rules.toml", f"{row.code}: a text in one language only")
            texts.append(Words(vi, en) if vi is not None and en is not None else None)
        yield Rule(row.code, row.severity, arithmetic, *texts)
