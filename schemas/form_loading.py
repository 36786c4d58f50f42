"""A form's folder, made ready to judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lxml import etree

from schemas.codes import CodeList
from schemas.families import Family
from schemas.faults import Words
from schemas.fields import Field, FieldOperand, Fields, Label, Labels
from schemas.folder import Folder, Shared
from schemas.form_files import HEADER_RULES, Add, FormFile, Row, RuleFile, RuleRow, check_row, check_settings
from schemas.forms import Form, LoadedForm, Rule, ThreadSchema
from schemas.rule_parser import RuleSyntaxError, compile_rule
from schemas.sources import SchemaSource, SchemaSourceError, UnfitSchemaError, read_schema


def load_form(
    reader: Folder, row: Row, settings: FormFile | None, family: Family, shared: Shared
) -> list[LoadedForm]:
    """One a kind; what is wrong goes to the reader's faults. `settings`: its form.toml, where that can be used."""
    own_labels = reader.there(f"{row.folder}/labels.toml", dict[str, Label], {})
    rule_file = reader.there(f"{row.folder}/rules.toml", RuleFile, RuleFile())
    schema = _load_schema(reader, row.folder, family, settings) if settings is not None else None
    if settings is None or own_labels is None or rule_file is None or schema is None:
        return []
    source, explaining = schema
    add = _adder(reader, row.folder)
    annexes = [name for names in settings.annexes.values() for name in names]
    labels, rules = dict(shared.labels), list(rule_file.rule)
    for name in dict.fromkeys(annexes):
        labels |= reader.toml(f"{shared.folder}/annexes/{name}/labels.toml", dict[str, Label]) or {}
        annex_rules = reader.toml(f"{shared.folder}/annexes/{name}/rules.toml", RuleFile)
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
    check_row(row, family, add)
    check_settings(settings, row, family, add)
    for fault in _label_faults(own_labels, fields):
        add("labels.toml", fault)
    rules_of = HEADER_RULES[family.summary]
    common = LoadedForm(
        family=family,
        form=form_of(row, row.kinds[0], settings, reader.directory),
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


def _adder(reader: Folder, folder: str) -> Add:
    return lambda file, fault: reader.faults.append(f"{folder}/{file}: {fault}")


def form_of(row: Row, kind: str, settings: FormFile, directory: Path) -> Form:
    """What the table's row and form.toml say of one kind, without the rest of the folder."""
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
    reader: Folder, folder: str, family: Family, settings: FormFile
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
    except (etree.LxmlError, UnfitSchemaError, OSError) as error:
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


def _amount(indicator: str | None, fields: Fields, add: Add) -> FieldOperand | None:
    if indicator is None:
        return None
    found = fields.operand(indicator)
    if found is None or found.fields[0].kind != "integer" or found.group is not None:
        add("form.toml", f"[{indicator}] in the summary is no amount of the form")
        return None
    return found


def _one_place(settings: FormFile, fields: Fields, add: Add) -> Iterator[FieldOperand]:
    for indicator in settings.one_place:
        found = fields.operand(indicator)
        if found is None or len(found.fields) < 2 or any(one.group is not None for one in found.fields):
            add("form.toml", f"one_place: [{indicator}] has not several places")
        else:
            yield found


def _codes(settings: FormFile, shared: Shared, fields: Fields, add: Add) -> Iterator[tuple[Field, CodeList]]:
    for name, wanted in {**shared.codes, **settings.codes}.items():
        found, codes = fields.operand(name), shared.lists.get(wanted)
        if found is None or found.sort != "text":
            add("form.toml", f"codes: [{name}] is no one field with a text")
        elif codes is None:
            add("form.toml", f"codes: there is no list codes/{wanted}.csv")
        else:
            yield from ((field, codes) for field in found.fields)


def _rules(rows: Sequence[RuleRow], fields: Fields, add: Add) -> Iterator[Rule]:
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
