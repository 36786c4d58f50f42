"""Rules of the header: what a schema cannot say. A form names in form.toml those that hold for it.

Each rule judges only what it can read: a value of the wrong shape is the schema's fault to report, once.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date

from schemas.declaration import AGENT, FORM, PERIOD, TAXPAYER
from schemas.faults import Fault, make_fault
from schemas.forms import Case, HeaderRule
from schemas.period import (
    MOST_MONTHS,
    PERIOD_EXAMPLES,
    due_date,
    is_period_kind,
    read_day,
    read_iso_day,
    show_day,
    vietnam_day,
)
from schemas.reading import local_name
from schemas.taxcode import judge_tax_code

_DAY_SHAPE = re.compile(r"[0-9]{2}/[0-9]{2}/[0-9]{4}")
_ISO_SHAPE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_PERIOD_SHAPE = re.compile(r"[0-9/]{4,10}")
_MONTH_SHAPE = re.compile(r"[0-9]{2}/[0-9]{4}")
_SUBMISSION_NO = re.compile(r"0|[1-9][0-9]{0,2}")


def submission_number(case: Case) -> Iterator[Fault]:
    number = case.text(f"{FORM}/soLan")
    if not _SUBMISSION_NO.fullmatch(number):
        return
    if case.loaded.form.kind == "C" and number != "0":
        yield case.fault("header.submission-number", f"{FORM}/soLan")
    if case.loaded.form.kind == "B" and number == "0":
        yield case.fault("header.supplement-number", f"{FORM}/soLan")


def period_kind(case: Case) -> Iterator[Fault]:
    kind, form = case.text(f"{PERIOD}/kieuKy"), case.loaded.form
    if is_period_kind(kind) and kind not in form.period_kinds:
        accepted = ", ".join(form.period_kinds)
        yield case.fault("header.period.kind", f"{PERIOD}/kieuKy", form=form.label, accepted=accepted)


def period_format(case: Case) -> Iterator[Fault]:
    kind = case.text(f"{PERIOD}/kieuKy")
    if (
        case.period is None
        and is_period_kind(kind)
        and _PERIOD_SHAPE.fullmatch(case.text(f"{PERIOD}/kyKKhai"))
    ):
        example = next(text for name, text in PERIOD_EXAMPLES.items() if name == kind)
        yield case.fault("header.period.format", f"{PERIOD}/kyKKhai", kind=kind, example=example)


def period_dates(case: Case) -> Iterator[Fault]:
    for name, end in (("kyKKhaiTuNgay", False), ("kyKKhaiDenNgay", True)):
        path = f"{PERIOD}/{name}"
        if not _DAY_SHAPE.fullmatch(case.text(path)):
            continue
        day = read_day(case.text(path))
        if day is None:
            yield case.fault("date.not-real", path)
        elif case.period is not None and case.period.kind == "Y" and case.loaded.form.financial_year:
            if day != (case.period.end if end else case.period.start):
                words = {"period": case.period.label, "most": str(MOST_MONTHS)}
                yield case.fault("header.period.financial-year", path, **words)
        elif case.period is not None and day != (expected := case.period.end if end else case.period.start):
            period, wanted = case.period.label, show_day(expected)
            yield case.fault("header.period.day", path, expected=wanted, period=period)


def period_months(case: Case) -> Iterator[Fault]:
    if case.period is None:
        return
    for name, day in (("kyKKhaiTuThang", case.period.start), ("kyKKhaiDenThang", case.period.end)):
        path, expected = f"{PERIOD}/{name}", f"{day:%m}/{day.year}"
        filed = case.text(path)
        if _MONTH_SHAPE.fullmatch(filed) and filed != expected:
            yield case.fault("header.period.month", path, expected=expected, period=case.period.label)


def period_covered(case: Case) -> Iterator[Fault]:
    form = case.loaded.form
    if case.period is not None and not form.covers(case.period):
        yield case.fault(
            "form.period-not-covered",
            f"{PERIOD}/kyKKhai",
            form=form.label,
            version=form.version,
            first=show_day(form.in_force_from),
            last=show_day(form.in_force_until),
            period=case.period.label,
        )


def period_future(case: Case) -> Iterator[Fault]:
    today = vietnam_day(case.received_at)
    if case.period is not None and case.period.start > today:
        words = {"period": case.period.label, "today": show_day(today)}
        yield case.fault("header.period.in-future", f"{PERIOD}/kyKKhai", **words)


def period_ended(case: Case) -> Iterator[Fault]:
    today = vietnam_day(case.received_at)
    if case.period is None or case.period.kind == "D":  # an occurrence may be declared on its day
        return
    if case.period.start <= today <= case.period.end:
        words = {"period": case.period.label, "today": show_day(today)}
        yield case.fault("header.period.not-ended", f"{PERIOD}/kyKKhai", **words)


def due_day(case: Case) -> date | None:
    """The last day of the legal term; None where the form, or its period, has none that we know."""
    due = case.loaded.due.get(case.period.kind) if case.period is not None else None
    if case.period is None or due is None:
        return None
    return due_date(case.period, months=due.months, day=due.day, days=due.days)


def filed_late(case: Case) -> Iterator[Fault]:
    """Lateness is the tax office's to judge: days off, extensions and outages move the date."""
    last, today = due_day(case), vietnam_day(case.received_at)
    if last is not None and case.period is not None and today > last:
        words = {"period": case.period.label, "today": show_day(today), "due": show_day(last)}
        yield case.fault("header.filed-late", f"{PERIOD}/kyKKhai", **words)


def dates(case: Case) -> Iterator[Fault]:
    """Whether ngayLapTKhai precedes ngayKy is not checked: genuine files break it, by a ngayLapTKhai to come too."""
    yield from past_day(case, f"{FORM}/ngayLapTKhai", "header.drawn-up-in-future")
    yield from past_day(case, f"{FORM}/ngayKy")
    yield from past_day(case, f"{AGENT}/ngayKyHDDLyThue")


def past_day(case: Case, path: str, to_come: str = "header.date.in-future") -> Iterator[Fault]:
    """A day written yyyy-MM-dd is on the calendar, and not to come (fault `to_come`)."""
    if not _ISO_SHAPE.fullmatch(case.text(path)):
        return
    day, today = read_iso_day(case.text(path)), vietnam_day(case.received_at)
    if day is None:
        yield case.fault("date.not-real", path)
    elif day > today:
        yield case.fault(to_come, path, today=show_day(today))


def taxpayer_code(case: Case) -> Iterator[Fault]:
    path = f"{TAXPAYER}/mst"
    if judge_tax_code(case.text(path)) == "bad-check-digit":
        yield case.fault("header.tax-code.check-digit", path)


def agent_code(case: Case) -> Iterator[Fault]:
    path = f"{AGENT}/mstDLyThue"
    code = case.text(path)
    if code and judge_tax_code(code) == "bad-check-digit":
        yield case.fault("header.tax-code.check-digit", path)
    agent = case.reading.elements.get(AGENT)
    if not code and agent is not None and any(text.strip() for text in agent.itertext()):
        yield make_fault("header.agent.tax-code-missing", case.place(path))


def annexes(case: Case) -> Iterator[Fault]:
    form, holder = case.loaded.form, case.reading.elements.get("PLuc")
    for annex in holder.iterchildren("*") if holder is not None else ():
        name = local_name(annex)
        if name not in case.loaded.annexes:
            place = case.reading.place(annex, case.loaded.labelling)
            yield make_fault(
                "form.annex-not-accepted", place, annex=name, form=form.label, version=form.version
            )


def supplement(case: Case) -> Iterator[Fault]:
    """A supplementary declaration says what it changes, or explains it (01/KHBS, 01-1/KHBS: TT 80/2021/TT-BTC)."""
    if case.loaded.form.kind != "B" or any(
        f"PLuc/{name}" in case.reading.elements for name in case.loaded.annexes
    ):
        return
    yield case.fault("form.annex-missing", "PLuc", annexes=", ".join(case.loaded.annexes))


def unicode(case: Case) -> Iterator[Fault]:
    """Precomposed letters (NFC), as TCVN 6909:2001 has them: names in NFD do not match those in registers."""
    for element in case.reading.root.iter("{*}*"):
        text = element.text
        if text and not text.isascii() and not unicodedata.is_normalized("NFC", text):
            yield make_fault("header.unicode", case.reading.place(element, case.loaded.labelling), value=text)


DECLARATION_RULES: Mapping[str, HeaderRule] = {
    "submission-number": submission_number,
    "period-kind": period_kind,
    "period-format": period_format,
    "period-dates": period_dates,
    "period-months": period_months,
    "period-covered": period_covered,
    "period-future": period_future,
    "period-ended": period_ended,
    "filed-late": filed_late,
    "dates": dates,
    "taxpayer-code": taxpayer_code,
    "agent-code": agent_code,
    "annexes": annexes,
    "supplement": supplement,
    "unicode": unicode,
}
