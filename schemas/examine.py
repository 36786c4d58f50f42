"""Examine one declaration: schema, rules and header rules, all faults at once, in document order."""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import islice

from lxml import etree

from schemas.codes import CodeList
from schemas.declaration import PERIOD, Declaration
from schemas.dossier import MOST_ATTACHMENTS, Paper, SignedPaper, attachments_of
from schemas.explain import explain
from schemas.faults import Fault, Place, Words, make_fault, shown
from schemas.fields import FieldOperand
from schemas.forms import Case, Form, LoadedForm, Rule, log_of
from schemas.header_rules import due_day
from schemas.lexical import is_no_day
from schemas.papers import paper_faults
from schemas.period import Period, financial_year, read_day, read_period, show_day, vietnam_day
from schemas.reading import Labelling, Reading
from schemas.rules import Unjudged
from schemas.scope import DocumentScope

MAX_FAULTS = 200

_GRAVITY = {"ERROR": 0, "WARNING": 1, "INFO": 2}


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found.

    `declaration` is None where the header does not read, `form` where the catalogue has none for it. `signed_papers`
    have yet to be judged by the caller. `due`: the last day of the form's legal term, where it has one.
    """

    declaration: Declaration | None
    form: Form | None
    faults: tuple[Fault, ...]
    signed_papers: tuple[SignedPaper, ...] = ()
    due: date | None = None

    @property
    def accepted(self) -> bool:
        return not any(fault.severity == "ERROR" for fault in self.faults)


def _period(reading: Reading, form: Form) -> Period | None:
    period = read_period(reading.text(f"{PERIOD}/kieuKy"), reading.text(f"{PERIOD}/kyKKhai"))
    if period is None or period.kind != "Y" or not form.financial_year:
        return period
    first, last = (read_day(reading.text(f"{PERIOD}/{name}")) for name in ("kyKKhaiTuNgay", "kyKKhaiDenNgay"))
    return financial_year(period, first, last) or period


def judge(
    reading: Reading,
    loaded: LoadedForm,
    declaration: Declaration | None,
    received_at: datetime,
    *,
    papers: tuple[Paper, ...] = (),
) -> Examination:
    """Judge a declaration that has been read by the form that its header names. `papers`: what came beside it."""
    period = _period(reading, loaded.form)
    lists = loaded.family.summary == "dossier"
    files = tuple(attachments_of(reading.root, papers)) if lists else ()
    case = Case(reading, loaded, received_at, period, declaration, files, papers)
    scope = DocumentScope(reading.root, vietnam_day(received_at))
    by_schema = list(_schema(reading, loaded))
    faults = [
        *hygiene(reading, loaded.labelling),
        *by_schema,
        *_places(reading, loaded),
        *islice(_days(reading, loaded, scope), MAX_FAULTS + 1),
        *islice(_codes(case, scope, {fault.indexes for fault in by_schema}), MAX_FAULTS + 1),
    ]
    faults.extend(islice(_arithmetic(reading, loaded, scope), MAX_FAULTS + 1))
    for rule in loaded.header_rules:
        faults.extend(rule(case))
    faults.extend(paper_faults(case))
    if declaration is not None:
        declaration = replace(
            declaration,
            form_label=loaded.form.label,
            tax_name=loaded.form.tax_vi,
            papers=_papers(case),
            payable=_amount(loaded.payable, scope),
            carried_forward=_amount(loaded.carried_forward, scope),
        )
    signed = tuple(_signed_papers(case))
    return Examination(declaration, loaded.form, bounded(faults), signed, due_day(case))


def _papers(case: Case) -> tuple[str, ...]:
    names = {rule.kind: rule.name_vi for rule in case.loaded.attachments}
    files = case.files[:MOST_ATTACHMENTS]
    return tuple(f"{names.get(file.kind, file.kind)}: {file.file_name}" for file in files)


def _signed_papers(case: Case) -> Iterator[SignedPaper]:
    rules = {rule.kind: rule for rule in case.loaded.attachments}
    for number, file in enumerate(case.files[:MOST_ATTACHMENTS], 1):
        content, rule = file.content, rules.get(file.kind)
        if content is None or not file.may_be_signed:
            continue
        yield SignedPaper(
            number=number,
            name=file.file_name,
            label=rule.name if rule is not None else Words(file.kind, file.kind),
            required=rule is not None and rule.signed,
            place=case.reading.place(file.element, case.loaded.labelling),
            content=content,
        )


def bounded(faults: list[Fault]) -> tuple[Fault, ...]:
    """In document order, and at most 200 with one more that says so.

    Errors are never pushed out by lesser findings.
    """
    if len(faults) > MAX_FAULTS:
        faults = sorted(faults, key=lambda fault: _GRAVITY[fault.severity])[:MAX_FAULTS]
        return (*_in_document_order(faults), make_fault("fault.more", Place(), limit=str(MAX_FAULTS)))
    return _in_document_order(faults)


def _in_document_order(faults: list[Fault]) -> tuple[Fault, ...]:
    return tuple(sorted(faults, key=lambda fault: fault.indexes))


def hygiene(reading: Reading, labelling: Labelling) -> Iterator[Fault]:
    """What no form allows.

    A comment that cuts a value in two (some readers see only half), an attribute that steers a validator.
    """
    for element in reading.commented[: MAX_FAULTS + 1]:
        yield make_fault("xml.comment", reading.place(element, labelling))
    for element, attribute in reading.instance_attributes[: MAX_FAULTS + 1]:
        yield make_fault("xml.xsi-attribute", reading.place(element, labelling), attribute=attribute)


def _schema(reading: Reading, loaded: LoadedForm) -> Iterator[Fault]:
    schema = loaded.schema.get()
    try:
        if schema.validate(reading.root):
            return
    except etree.XMLSchemaValidateError as error:  # the validator gave up: a refusal, not a pass
        root = reading.place(reading.root, loaded.labelling)
        yield make_fault("xsd.other", root, reason=str(error))
        return
    yield from explain(reading, loaded, log_of(schema))


def _amount(operand: FieldOperand | None, scope: DocumentScope) -> int | None:
    try:
        value = scope.value(operand) if operand is not None else None
    except Unjudged:
        return None
    return value if isinstance(value, int) else None


def _places(reading: Reading, loaded: LoadedForm) -> Iterator[Fault]:
    """An indicator with several possible places must stand in exactly one.

    With a single place the schema sees to it.
    """
    for operand in loaded.one_place:
        paths = [one.path for one in operand.fields]
        there = [path for path in paths if path in reading.elements]
        if len(there) == 1:
            continue
        path = there[1] if there else paths[0]
        code = "form.indicator-repeated" if there else "form.indicator-missing"
        yield make_fault(code, reading.place_of(path, loaded.labelling), name=path.rpartition("/")[2])


def _days(reading: Reading, loaded: LoadedForm, scope: DocumentScope) -> Iterator[Fault]:
    """A day is on the calendar; the schema sees only how it is written."""
    for one in loaded.fields.days:
        for part in (scope,) if one.group is None else scope.rows(one.group):
            element = part.find(one)
            if element is not None and is_no_day(element.text or ""):
                place = reading.place(element, loaded.labelling)
                yield make_fault("date.not-real", place, value=element.text or "")


def _codes(case: Case, scope: DocumentScope, told: Container[tuple[int, ...]]) -> Iterator[Fault]:
    """A code is in its list, on the day that counts. `told`: where the schema has found fault already."""
    day = case.day
    for one, codes in case.loaded.codes:
        if not codes.whole or day is None:
            continue
        for part in (scope,) if one.group is None else scope.rows(one.group):
            element = part.find(one)
            value = (element.text or "") if element is not None else ""
            if element is None or not value or codes.on(value, day) is not None:
                continue
            place = case.reading.place(element, case.loaded.labelling)
            if place.indexes not in told:
                yield _wrong_code(value, codes, day, place)


def _wrong_code(value: str, codes: CodeList, day: date, place: Place) -> Fault:
    rows = codes.codes.get(value)
    if rows is None:
        return make_fault("code.unknown", place, value=value, list=codes.title)
    nearest = [one for one in rows if one.first <= day][-1:] or rows[:1]
    instead = codes.instead(value, day)
    use = f": {instead.code} ({instead.name_vi})" if instead is not None else ""
    words = {"name": nearest[0].name_vi, "day": show_day(day), "instead": use}
    return make_fault("code.not-in-force", place, value=value, list=codes.title, **words)


def _arithmetic(reading: Reading, loaded: LoadedForm, scope: DocumentScope) -> Iterator[Fault]:
    for rule in loaded.rules:
        group = rule.arithmetic.group
        for part in (scope,) if group is None else scope.rows(group):
            if rule.arithmetic.broken(part):
                yield _broken(rule, reading, loaded, part)


def _broken(rule: Rule, reading: Reading, loaded: LoadedForm, scope: DocumentScope) -> Fault:
    # a message of the rule's own may be about its condition; a made one says what the claimed field is
    about: FieldOperand = rule.arithmetic.operands[0] if rule.message else rule.arithmetic.claimed
    element = scope.element(about) if about.group in _around(scope) else None
    if element is not None:
        place = reading.place(element, loaded.labelling)
    else:
        place = reading.place(scope.root, loaded.labelling)
        label, indicator = loaded.labelling(about.fields[0].path)
        place = replace(place, label=label, indicator=indicator)
    message = rule.message or rule.arithmetic.message(scope)
    remedy = rule.remedy or rule.arithmetic.remedy()
    return Fault(
        code=rule.code,
        severity=rule.severity,
        line=place.line,
        path=place.path,
        indexes=place.indexes,
        indicator=place.indicator,
        value=shown(element.text or "") if element is not None else None,
        message_vi=message.vi,
        message_en=message.en,
        remedy_vi=remedy.vi,
        remedy_en=remedy.en,
        label_vi=place.label.vi if place.label else None,
        label_en=place.label.en if place.label else None,
    )


def _around(scope: DocumentScope | None) -> Iterator[object]:
    while scope is not None:
        yield scope.group
        scope = scope.around
