"""Which kind of document it is, and what the head of its page says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain

import msgspec
from lxml import etree

from schemas.catalogue import Catalogue, Recognised
from schemas.declaration import Declaration, Party
from schemas.families import Family
from schemas.faults import Words, shown
from schemas.fields import Label, Labels
from schemas.naming import Naming
from schemas.notice_build import EX
from schemas.notice_read import form_of_notice
from schemas.notices import DOSSIER_NOTICE, NOTICE_FORMS, TAX_NOTICE, Envelope, envelope_of_root
from schemas.period import show_day
from schemas.view.blocks import Builder, Vocabulary
from schemas.view.page import About, Block, Fact, Language, Page, Section
from schemas.view.render import ViewPage, page_words, render
from schemas.view.values import clean, show_time

_TITLE_LENGTH = 300


class NotShownError(Exception):
    """The root is of no document that can be shown: no declaration, dossier or notice."""


def view_page(root: etree._Element, catalogue: Catalogue, about: About, language: Language) -> ViewPage:
    """The page of a declaration or dossier (signed or not, of a known form or not), or of a notice.

    Who signed is the caller's word (`about`); the caller also answers for how the document was parsed. Takes time and
    gives octets in proportion to what is shown, whatever the document's size: some 20,000 values at most. Raises
    NotShownError.
    """
    envelope = envelope_of_root(str(root.tag))
    if envelope is not None and (body := root.find(envelope.body_tag)) is not None:
        return render(_notice(body, envelope, about, language), language)
    family = catalogue.families.of_root(str(root.tag))
    body = family.body_of(root) if family is not None else root
    if body is None or catalogue.families.of_body(str(body.tag)) is None:
        raise NotShownError(shown(str(root.tag)))
    return render(_filing(body, catalogue.recognise(body), about, language), language)


def _filing(body: etree._Element, found: Recognised, about: About, language: Language) -> Page:
    form, declaration, says = found.form, found.declaration, _Says(language)
    if form is not None:
        title = form.name_vi if language == "vi" else form.name_en
        subtitle = f"{form.label} · {form.legal_basis}"
        notes: tuple[str, ...] = ()
    else:
        title = (declaration.form_name if declaration else "") or says("untitled")
        subtitle = found.described
        notes = (says("unknown-form"),)
    fields = found.fields
    vocabulary = Vocabulary(
        label=found.labels.of,
        kind=lambda path: fields.get(path, "text"),
        order={path: place for place, path in enumerate(fields)},
        repeated=found.repeated,
    )
    builder = Builder(vocabulary, found.family.naming)
    facts = chain(_filed(about, says), _declared(declaration, found.family, says) if declaration else ())
    return Page(
        title=_line(title),
        subtitle=_line(subtitle),
        facts=tuple(facts),
        blocks=_contents(builder, body, found.family),
        left_out=builder.left_out,
        about=about,
        notes=notes,
    )


def _contents(builder: Builder, body: etree._Element, family: Family) -> tuple[Block, ...]:
    """The heading that all documents share comes last: what matters of it stands at the top of the page."""

    def is_heading(block: Block) -> bool:
        return isinstance(block, Section) and block.name.element in family.heading

    return tuple(sorted(builder.blocks(body), key=is_heading))


class _Says:
    """The page's own words in one language."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def __call__(self, name: str) -> str:
        return self.of(page_words()[name])

    def of(self, words: Words) -> str:
        return words.vi if self._language == "vi" else words.en

    def fact(self, name: str, value: str) -> Iterator[Fact]:
        """Nothing where there is no value."""
        if value.strip():
            yield Fact(self(name), _line(value))


def _filed(about: About, says: _Says) -> Iterator[Fact]:
    yield from says.fact("filing-number", about.number or "")
    yield from says.fact("dossier-code", about.dossier_code or "")
    yield from says.fact("received-at", show_time(about.received_at) if about.received_at else "")
    yield from says.fact("status", says.of(about.status) if about.status else "")


def _declared(declaration: Declaration, family: Family, says: _Says) -> Iterator[Fact]:
    permit = family.dossiers
    yield from says.fact("applicant" if permit else "taxpayer", _party(declaration.taxpayer))
    yield from says.fact("address", declaration.taxpayer.address)
    if declaration.agent is not None:
        yield from says.fact("permit-agent" if permit else "agent", _party(declaration.agent))
    office = " – ".join(filter(None, (declaration.tax_office_code, declaration.tax_office_name)))
    yield from says.fact("agency" if permit else "office", office)
    if (period := declaration.period) is not None:
        days = f"{show_day(period.start)} – {show_day(period.end)}"
        yield from says.fact("period", f"{period.label} ({days})" if period.kind != "D" else period.label)
    if permit:
        yield from says.fact("purpose", declaration.kind)
    elif declaration.period is not None:
        name = says("supplementary" if declaration.kind == "B" else "first")
        times = f" ({says('time-number')} {declaration.submission_no})" if declaration.kind == "B" else ""
        yield from says.fact("kind", f"{declaration.kind} – {name}{times}")
    yield from says.fact("signed-by", declaration.signer_name)
    yield from says.fact("dated", show_day(declaration.signed_on) if declaration.signed_on else "")


def _party(party: Party) -> str:
    return f"{party.name} ({party.tax_code})" if party.name else party.tax_code


@cache
def _notice_labels() -> Labels:
    raw = tomllib.loads((NOTICE_FORMS / "labels.toml").read_text("utf-8"))
    return Labels(msgspec.convert(raw, dict[str, Label]))


_EXTENSION = f"{EX}TTinBoSung"
_NOTICE_REPEATED = (
    "LyDo/CTietLyDo",
    "IDKhoanNop/CTietIDKhoanNop",
    f"{_EXTENSION}/{EX}maLoi",
    "ThanhPhanHoSo/giayTo",
)
_NOTICE_AMOUNT = "IDKhoanNop/CTietIDKhoanNop/soTienPNop"
_NOTICE_TITLES: Mapping[Envelope, str] = {
    TAX_NOTICE: "TTinChung/TTinTBaoThue/tenTBao",
    DOSSIER_NOTICE: "ThongTinChung/MauThongBao/tenMau",
}
_NOTICE_FACTS: Mapping[Envelope, Mapping[str, tuple[str, ...]]] = {
    TAX_NOTICE: {
        "notice-number": ("TTinChung/TTinTBaoThue/soTBao",),
        "notice-date": ("TTinChung/TTinTBaoThue/ngayTBao",),
        "issued-by": ("TTinChung/CQT/maCQT", "TTinChung/CQT/tenCQT"),
        "recipient": ("TTinChung/NNhanTBaoThue/maNNhan", "TTinChung/NNhanTBaoThue/tenNNhan"),
        "filing-number": ("NDungTBao/maGiaoDichDTu",),
        "received-at": ("NDungTBao/ngayHoSo", "NDungTBao/ngayNopThucTe"),
        "completed-at": ("NDungTBao/ngayHoanThanh",),
    },
    DOSSIER_NOTICE: {
        "notice-number": ("ThongTinChung/MauThongBao/soThongBao",),
        "notice-date": ("ThongTinChung/MauThongBao/ngayThongBao",),
        "issued-by": ("ThongTinChung/CoQuanThongBao/maCoQuan", "ThongTinChung/CoQuanThongBao/tenCoQuan"),
        "applicant": ("ThongTinChung/NguoiNop/soDinhDanh", "ThongTinChung/NguoiNop/hoTen"),
        "dossier-code": ("NoiDung/maHoSo",),
        "filing-number": (f"NoiDung/{_EXTENSION}/{EX}soHoSo",),
        "received-at": ("NoiDung/ngayTiepNhan",),
        "completed-at": ("NoiDung/ngayHoanThanh",),
    },
}
"""What stands at the head of the page: by our word for it, the paths of its parts."""


def _notice(body: etree._Element, envelope: Envelope, about: About, language: Language) -> Page:
    says = _Says(language)

    def text(path: str) -> str:
        steps = (step if step.startswith("{") else envelope.tag(step) for step in path.split("/"))
        return body.findtext("/".join(steps)) or ""

    form = form_of_notice(body, envelope)
    vocabulary = Vocabulary(
        label=_notice_labels().of,
        kind=lambda path: "integer" if path == f"{envelope.content}/{_NOTICE_AMOUNT}" else "text",
        order={},
        repeated=frozenset(f"{envelope.content}/{path}" for path in _NOTICE_REPEATED),
    )
    builder = Builder(vocabulary, Naming(envelope.namespace))
    blocks = builder.blocks(body)
    facts: list[Fact] = []
    for name, paths in _NOTICE_FACTS[envelope].items():
        parts = [text(path) for path in paths]
        said = (
            _party(Party(*parts)) if name in ("recipient", "applicant") else " – ".join(filter(None, parts))
        )
        facts += says.fact(name, said)
    return Page(
        title=_line(_notice_title(text(_NOTICE_TITLES[envelope]), says)),
        subtitle=f"{form.label} · {form.law}" if form else "",
        facts=(*facts, *says.fact("status", says.of(about.status) if about.status else "")),
        blocks=blocks,
        left_out=builder.left_out,
        about=about,
    )


def _notice_title(name: str, says: _Says) -> str:
    return f"{says('notice')}: {name}" if name else says("notice")


def _line(text: str) -> str:
    """One line, of bounded length."""
    return clean(" ".join(text.split())[:_TITLE_LENGTH])
