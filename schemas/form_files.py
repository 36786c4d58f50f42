"""The files of a form as they are written, and what they may not say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from schemas.document import DOCUMENT_RULES
from schemas.dossier_rules import DOSSIER_RULES
from schemas.families import Family, SummaryKind, Term
from schemas.faults import Severity
from schemas.file_types import PDF
from schemas.forms import AttachmentRule, Due, HeaderRule
from schemas.header_rules import DECLARATION_RULES
from schemas.period import is_period_kind
from schemas.signers import DEFAULT_SIGNERS, Signers, signer_faults

Add = Callable[[str, str], None]
"""Takes the name of a file in the form's folder, and what is wrong in it."""

HEADER_RULES: Mapping[SummaryKind, Mapping[str, HeaderRule]] = {
    "declaration": DECLARATION_RULES,
    "dossier": DOSSIER_RULES,
    "document": DOCUMENT_RULES,
}
"""By the family's heading and by name: the rules that a form may ask for in form.toml."""


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of catalogue.toml: a form, its kinds, its folder, and the first and last day on which it holds."""

    family: str
    code: str
    version: str
    kinds: Annotated[tuple[str, ...], Meta(min_length=1)]
    folder: str
    in_force_from: date
    in_force_until: date


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """catalogue.toml."""

    families: Annotated[tuple[str, ...], Meta(min_length=1)]
    form: tuple[Row, ...]


class SummaryAmounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which amounts a summary shows, by indicator."""

    payable: str | None = None
    carried_forward: str | None = None


class FormFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """form.toml of a form."""

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
    summary: SummaryAmounts = SummaryAmounts()
    one_place: tuple[str, ...] = ()
    codes: dict[str, str] = {}
    signers: Signers = DEFAULT_SIGNERS
    signature_policy: Annotated[str, Meta(pattern="^[a-z0-9-]+$")] | None = None


class RuleRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One rule of rules.toml."""

    code: str
    rule: str
    severity: Severity = "ERROR"
    message_vi: str | None = None
    message_en: str | None = None
    remedy_vi: str | None = None
    remedy_en: str | None = None


class RuleFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rules.toml of a form or of an annex."""

    rule: tuple[RuleRow, ...] = ()


def check_row(row: Row, family: Family, add: Add) -> None:
    """What a row says against its family, or against itself."""
    said: Mapping[Term, Sequence[str]] = {"code": (row.code,), "version": (row.version,), "kind": row.kinds}
    for term, values in said.items():
        if term in family.fixed and tuple(values) != (family.fixed[term],):
            add("../catalogue.toml", f"every document of the family is of the {term} {family.fixed[term]!r}")
    if row.in_force_until < row.in_force_from:
        add("../catalogue.toml", "in_force_until lies before in_force_from")


def check_settings(settings: FormFile, row: Row, family: Family, add: Add) -> None:
    """What form.toml says against its row and family, or against itself."""
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


def _family_faults(settings: FormFile, family: Family) -> Iterator[str]:
    """What the documents of the family could not bear."""
    if family.summary == "declaration" and not settings.period_kinds:
        yield "no kind of period: nothing could be filed"
    if family.summary != "declaration" and (settings.period_kinds or settings.due):
        yield "kinds of period, in a family whose heading names no period"
    if family.summary != "dossier" and settings.attachments:
        yield "attachments, in a family whose documents list none"


def _check_attachment(rule: AttachmentRule, row: Row, add: Add) -> None:
    for kind in rule.required_for_kinds:
        if kind not in row.kinds:
            add("form.toml", f"attachment {rule.kind}: the kind {kind!r} is not taken")
    if rule.signed and PDF not in rule.media:
        add("form.toml", f"attachment {rule.kind}: signed, but no PDF is taken")
