"""Forms: what the catalogue says of one, and what loading makes of its folder."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from lxml import etree

from schemas.codes import CodeList
from schemas.declaration import Declaration
from schemas.dossier import Attachment, Paper
from schemas.families import Family
from schemas.faults import Fault, Place, Severity, Words, make_fault
from schemas.fields import Field, FieldOperand, Fields
from schemas.period import Period, vietnam_day
from schemas.reading import Labelling, Reading
from schemas.rules import Arithmetic
from schemas.signers import Signers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Form:
    """One version and kind of a form, as the catalogue's row and its form.toml give it."""

    family: str
    code: str
    version: str
    kind: str
    label: str
    name_vi: str
    name_en: str
    tax_vi: str
    tax_en: str
    legal_basis: str
    in_force_from: date
    in_force_until: date
    period_kinds: tuple[str, ...]
    financial_year: bool
    """A year Y may be the taxpayer's own: kyKKhaiTuNgay to kyKKhaiDenNgay, not the calendar's."""
    folder: Path
    signers: Signers
    signature_policy: str | None
    """The name of a policy that asks for more than the reader's own; None: the reader's own."""

    def covers(self, period: Period) -> bool:
        return self.in_force_from <= period.start and period.end <= self.in_force_until


class Due(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Day `day` of the month `months` after the period's last month, and `days` after that.

    Without a month, `days` after the period's end.
    """

    months: int | None = None
    day: int = 31
    days: int = 0


class AttachmentRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A paper that a dossier may or must bring. `required`: for every purpose; `required_for_kinds`: for some.

    `signed`: a file of this kind must be a PDF with sound signatures.
    """

    MOST_BYTES: ClassVar[int] = 20_000_000
    MOST_BYTES_INSIDE: ClassVar[int] = 5_000_000
    """In base64 within the dossier, whatever the form takes: a parser's text ends at 10 MB."""

    kind: str
    name_vi: str
    name_en: str
    required: bool = False
    required_for_kinds: tuple[str, ...] = ()
    media: tuple[str, ...] = ("application/pdf", "image/jpeg", "image/png")
    most_bytes: Annotated[int, msgspec.Meta(ge=1)] = MOST_BYTES
    signed: bool = False

    @property
    def name(self) -> Words:
        return Words(self.name_vi, self.name_en)

    def required_for(self, kind: str) -> bool:
        return self.required or kind in self.required_for_kinds


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of rules.toml; `message` and `remedy` only where the made ones would not read well."""

    code: str
    severity: Severity
    arithmetic: Arithmetic
    message: Words | None
    remedy: Words | None


class ThreadSchema:
    """A compiled schema for lxml, one object a thread: a shared one mixes the error logs of its callers."""

    def __init__(self, build: Callable[[], etree.XMLSchema]) -> None:
        self._build = build
        self._local = threading.local()

    def get(self) -> etree.XMLSchema:
        schema: etree.XMLSchema | None = getattr(self._local, "schema", None)
        if schema is None:
            schema = self._local.schema = self._build()
        return schema


def log_of(schema: etree.XMLSchema) -> list[Any]:
    """The errors of the schema's last validation, copied: the next one replaces them."""
    log: Any = schema.error_log
    return list(log)


HeaderRule = Callable[["Case"], "Iterator[Fault]"]


@dataclass(frozen=True, slots=True)
class LoadedForm:
    """A form ready to judge: everything its folder holds, compiled."""

    family: Family
    form: Form
    fields: Fields
    one_place: tuple[FieldOperand, ...]
    """Indicators that may stand in one of several places, and must in exactly one."""
    rules: tuple[Rule, ...]
    codes: tuple[tuple[Field, CodeList], ...]
    """Fields that hold a code, and the list of its codes."""
    header_rules: tuple[HeaderRule, ...]
    due: Mapping[str, Due]
    annexes: tuple[str, ...]
    attachments: tuple[AttachmentRule, ...]
    max_elements: int
    payable: FieldOperand | None
    carried_forward: FieldOperand | None
    schema: ThreadSchema
    explaining: Any  # xmlschema.XMLSchema10: untyped library
    explaining_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def labelling(self) -> Labelling:
        return self.fields.labels


@dataclass(frozen=True, slots=True)
class Case:
    """One declaration before one form: what a header rule may look at."""

    reading: Reading
    loaded: LoadedForm
    received_at: datetime
    period: Period | None
    declaration: Declaration | None
    files: tuple[Attachment, ...]
    """Those that the dossier lists, at most MOST_ATTACHMENTS and one more."""
    papers: tuple[Paper, ...]
    """What came beside the document."""

    @property
    def day(self) -> date | None:
        """By which a form and its codes are dated: the period's last, or that of filing. None: no period that reads."""
        if self.loaded.form.period_kinds:
            return self.period.end if self.period is not None else None
        return vietnam_day(self.received_at)

    def text(self, path: str) -> str:
        return self.reading.text(path)

    def place(self, path: str) -> Place:
        return self.reading.place_of(path, self.loaded.labelling)

    def fault(self, code: str, path: str, /, **words: str | Words) -> Fault:
        return make_fault(code, self.place(path), value=self.text(path), **words)
