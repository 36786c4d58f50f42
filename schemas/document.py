"""The summary of a document whose family says in `paths` where everything stands, and the rules of such headings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.declaration import Declaration, Party
from schemas.families import Family, Term
from schemas.faults import Fault, Place, make_fault
from schemas.forms import Case, HeaderRule
from schemas.header_rules import unicode
from schemas.lexical import is_no_day, read_date
from schemas.period import show_day, vietnam_day
from schemas.reading import Reading
from schemas.taxcode import judge_tax_code


def said(reading: Reading, family: Family, term: Term) -> str:
    """What the document says, or its family for all of them; "" for nothing."""
    if (fixed := family.fixed.get(term)) is not None:
        return fixed
    path = family.paths.get(term)
    return reading.text(path) if path is not None else ""


def document_of(reading: Reading, family: Family) -> Declaration | None:
    """None where the form, its version, its kind or who files does not read: there is nothing to file under."""

    def text(term: Term) -> str:
        return " ".join(said(reading, family, term).split())

    vital = [text(term) for term in ("code", "version", "kind", "filer")]
    if not all(vital):
        return None
    agent = text("agent")
    return Declaration(
        form_code=vital[0],
        form_version=vital[1],
        kind=vital[2],
        submission_no=0,
        form_name=text("form_name"),
        period=None,
        taxpayer=Party(vital[3], text("filer_name"), text("filer_address")),
        agent=Party(agent, text("agent_name")) if agent else None,
        tax_office_code=text("office_code"),
        tax_office_name=text("office_name"),
        signer_name=text("signer_name"),
        signed_on=read_date(text("signed_on")),
        element_id=element_id(reading),
        family=family.name,
    )


def element_id(reading: Reading) -> str:
    """The id of the signed element, "" where it bears none."""
    return next((value for name in ("id", "Id", "ID") if (value := reading.root.get(name))), "")


def _place_of(case: Case, term: Term) -> Place:
    return case.place(case.loaded.family.paths.get(term, ""))


def in_force(case: Case) -> Iterator[Fault]:
    """What has no tax period goes by the day of filing."""
    form, today = case.loaded.form, vietnam_day(case.received_at)
    if not form.in_force_from <= today <= form.in_force_until:
        words = {"first": show_day(form.in_force_from), "last": show_day(form.in_force_until)}
        words |= {"today": show_day(today), "version": form.version}
        value = said(case.reading, case.loaded.family, "version")
        yield make_fault(
            "form.not-in-force", _place_of(case, "version"), value=value, form=form.name_vi, **words
        )


def tax_codes(case: Case) -> Iterator[Fault]:
    """The check digits of who files, and of who files for them (Thông tư 86/2024/TT-BTC, article 5)."""
    terms: tuple[Term, ...] = ("filer", "agent")
    for term in terms:
        code = said(case.reading, case.loaded.family, term)
        if judge_tax_code(code) == "bad-check-digit":
            yield make_fault("header.tax-code.check-digit", _place_of(case, term), value=code)


def signed_on(case: Case) -> Iterator[Fault]:
    """The day of signing is on the calendar, and not to come."""
    text, today = said(case.reading, case.loaded.family, "signed_on"), vietnam_day(case.received_at)
    day, place = read_date(text), _place_of(case, "signed_on")
    if is_no_day(text) and not _told_as_a_day(case):
        yield make_fault("date.not-real", place, value=text)
    if day is not None and day > today:
        yield make_fault("header.date.in-future", place, value=day.isoformat(), today=show_day(today))


def _told_as_a_day(case: Case) -> bool:
    """Of a heading only the schemas of other houses say what is on the calendar; of the rest, `examine.py` does."""
    path = case.loaded.family.paths["signed_on"]
    known = case.loaded.fields.by_path.get(path)
    return not case.loaded.family.is_heading(path) or (known is not None and known.foreign)


DOCUMENT_RULES: Mapping[str, HeaderRule] = {
    "in-force": in_force,
    "tax-codes": tax_codes,
    "signed-on": signed_on,
    "unicode": unicode,
}
