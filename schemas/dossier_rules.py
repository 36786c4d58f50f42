"""Rules of a permit dossier's envelope: what a schema cannot say. A form names in form.toml those that hold for it.

Each rule judges only what it can read: a value of the wrong shape is the schema's fault to report, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from schemas.dossier import (
    AGENT,
    APPLICANT,
    ATTACHMENTS,
    GENERAL,
    MOST_ATTACHMENTS,
    PLACE,
    PROCEDURE,
    Attachment,
    is_file_name,
)
from schemas.faults import Fault, make_fault
from schemas.forms import AttachmentRule, Case, HeaderRule
from schemas.header_rules import past_day, unicode
from schemas.period import show_day, vietnam_day
from schemas.taxcode import judge_tax_code

DISTRICTS_UNTIL = date(2025, 6, 30)
"""The last day of the district level (Nghị quyết 203/2025/QH15): after it, a place is a province and a commune."""

_ORGANISATIONS = frozenset({"doanh-nghiep", "to-chuc", "ho-kinh-doanh"})
_LATER = frozenset({"cap-lai", "cap-doi", "thay-doi", "gia-han", "bo-sung"})


def in_force(case: Case) -> Iterator[Fault]:
    """Procedures go by the day of filing."""
    form, today = case.loaded.form, vietnam_day(case.received_at)
    if not form.in_force_from <= today <= form.in_force_until:
        words = {"first": show_day(form.in_force_from), "last": show_day(form.in_force_until)}
        words |= {"today": show_day(today), "version": form.version}
        yield case.fault("form.not-in-force", f"{PROCEDURE}/phienBan", form=form.name_vi, **words)


def identity(case: Case) -> Iterator[Fault]:
    for path in (f"{APPLICANT}/soDinhDanh", f"{AGENT}/soDinhDanh"):
        if judge_tax_code(case.text(path)) == "bad-check-digit":
            yield case.fault("header.tax-code.check-digit", path)


def representative(case: Case) -> Iterator[Fault]:
    """An organisation acts through a person (Bộ luật Dân sự 2015, art. 137)."""
    path = f"{APPLICANT}/NguoiDaiDien"
    if case.text(f"{APPLICANT}/loai") in _ORGANISATIONS and path not in case.reading.elements:
        yield make_fault("dossier.representative-missing", case.place(path))


def dates(case: Case) -> Iterator[Fault]:
    yield from past_day(case, f"{GENERAL}/ngayLap")
    yield from past_day(case, f"{PROCEDURE}/HoSoTruoc/ngayCap")


def earlier_dossier(case: Case) -> Iterator[Fault]:
    """What is granted again, changed, extended or supplemented has been granted before."""
    path = f"{PROCEDURE}/HoSoTruoc"
    if case.text(f"{PROCEDURE}/mucDich") in _LATER and path not in case.reading.elements:
        yield make_fault("dossier.earlier-missing", case.place(path))


def place(case: Case) -> Iterator[Fault]:
    """Until 30 June 2025 a place has a district; after, it has none."""
    path, old = f"{PLACE}/maHuyen", vietnam_day(case.received_at) <= DISTRICTS_UNTIL
    if PLACE not in case.reading.elements:
        return
    if old and not case.text(path):
        yield case.fault("dossier.district-missing", path)
    elif not old and case.text(path):
        yield case.fault("dossier.district-abolished", path, last=show_day(DISTRICTS_UNTIL))


def attachments(case: Case) -> Iterator[Fault]:
    """All that must be attached is listed, in the kinds, types and sizes that the form takes."""
    rules = {rule.kind: rule for rule in case.loaded.attachments}
    files = case.files
    if len(files) > MOST_ATTACHMENTS:
        yield make_fault("attachment.too-many", case.place(ATTACHMENTS), limit=str(MOST_ATTACHMENTS))
    there = {file.kind for file in files}
    for rule in rules.values():
        if rule.required_for(case.loaded.form.kind) and rule.kind not in there:
            yield make_fault("attachment.missing", case.place(ATTACHMENTS), name=rule.name, kind=rule.kind)
    for file in files[:MOST_ATTACHMENTS]:
        yield from _listed(case, file, rules)


def _listed(case: Case, file: Attachment, rules: Mapping[str, AttachmentRule]) -> Iterator[Fault]:
    place = case.reading.place(file.element, case.loaded.labelling)
    rule = rules.get(file.kind)
    name = file.file_name
    if rule is None:
        yield make_fault(
            "attachment.unknown-kind", place, value=file.kind, accepted=", ".join(rules), name=name
        )
    elif file.media_type not in rule.media:
        accepted = ", ".join(rule.media)
        yield make_fault("attachment.media-type", place, value=file.media_type, accepted=accepted, name=name)
    if not is_file_name(name):
        yield make_fault("attachment.file-name", place, value=name)
    most = rule.most_bytes if rule is not None else AttachmentRule.MOST_BYTES
    if file.base64_text is not None:
        most = min(most, AttachmentRule.MOST_BYTES_INSIDE)
    if file.size.isascii() and file.size.isdigit() and len(file.size) < 16 and int(file.size) > most:
        yield make_fault("attachment.too-large", place, value=file.size, limit=f"{most:,}", name=name)
    if rule is not None and rule.signed and not file.may_be_signed:
        yield make_fault("attachment.signature-required", place, name=name, paper=rule.name)


DOSSIER_RULES: Mapping[str, HeaderRule] = {
    "in-force": in_force,
    "identity": identity,
    "representative": representative,
    "dates": dates,
    "earlier-dossier": earlier_dossier,
    "place": place,
    "attachments": attachments,
    "unicode": unicode,
}
