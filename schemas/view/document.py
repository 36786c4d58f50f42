"""Which kind of document it is, and what the head of its page says."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import chain

import msgspec
from lxml import etree

from schemas.catalogue import Catalogue, Recognised
from schemas.declaration import Declaration, Party
from schemas.families import HEADER_PATHS, PERMIT, family_of_body, family_of_root
from schemas.faults import Words, shown
from schemas.fields import Label, Labels
from schemas.notice_build import EX, NOTICE_NAMESPACE, TB
from schemas.notices import NOTICE_FORMS, notice_forms
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
    if root.tag == f"{TB}TBaoThueDTu" and (body := root.find(f"{TB}TBaoThue")) is not None:
        return render(_notice(body, about, language), language)
    family = family_of_root(str(root.tag))
    body = root.find(family.body_tag) if family is not None else root
    if body is None or family_of_body(str(body.tag)) is None:
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
    builder = Builder(vocabulary, etree.QName(body).namespace or "")
    facts = chain(_filed(about, says), _declared(declaration, says) if declaration else ())
    return Page(
        title=_line(title),
        subtitle=_line(subtitle),
        facts=tuple(facts),
        blocks=_contents(builder, body),
        left_out=builder.left_out,
        about=about,
        notes=notes,
    )


def _contents(builder: Builder, body: etree._Element) -> tuple[Block, ...]:
    """The heading that all documents share comes last: what matters of it stands at the top of the page."""
    return tuple(sorted(builder.blocks(body), key=_is_heading))


def _is_heading(block: Block) -> bool:
    return isinstance(block, Section) and f"{block.name.element}/" in HEADER_PATHS


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
    yield from says.fact("received-at", show_time(about.received_at) if about.received_at else "")
    yield from says.fact("status", says.of(about.status) if about.status else "")


def _declared(declaration: Declaration, says: _Says) -> Iterator[Fact]:
    permit = declaration.family == PERMIT.name
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
    else:
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


_NOTICE_AMOUNTS = frozenset({"NDungTBao/IDKhoanNop/CTietIDKhoanNop/soTienPNop"})
_NOTICE_REPEATED = frozenset(
    {
        "NDungTBao/LyDo/CTietLyDo",
        "NDungTBao/IDKhoanNop/CTietIDKhoanNop",
        f"NDungTBao/{EX}TTinBoSung/{EX}maLoi",
    }
)


def _notice(body: etree._Element, about: About, language: Language) -> Page:
    says = _Says(language)

    def text(path: str) -> str:
        return body.findtext("/".join(f"{TB}{step}" for step in path.split("/"))) or ""

    form = next((one for one in notice_forms() if one.code == text("TTinChung/TTinTBaoThue/maTBao")), None)
    vocabulary = Vocabulary(
        label=_notice_labels().of,
        kind=lambda path: "integer" if path in _NOTICE_AMOUNTS else "text",
        order={},
        repeated=_NOTICE_REPEATED,
    )
    builder = Builder(vocabulary, NOTICE_NAMESPACE)
    blocks = builder.blocks(body)
    office = " – ".join(filter(None, (text("TTinChung/CQT/maCQT"), text("TTinChung/CQT/tenCQT"))))
    recipient = Party(text("TTinChung/NNhanTBaoThue/maNNhan"), text("TTinChung/NNhanTBaoThue/tenNNhan"))
    facts = chain(
        says.fact("notice-number", text("TTinChung/TTinTBaoThue/soTBao")),
        says.fact("notice-date", text("TTinChung/TTinTBaoThue/ngayTBao")),
        says.fact("issued-by", office),
        says.fact("recipient", _party(recipient)),
        says.fact("filing-number", text("NDungTBao/maGiaoDichDTu")),
        says.fact("received-at", text("NDungTBao/ngayHoSo") or text("NDungTBao/ngayNopThucTe")),
        says.fact("completed-at", text("NDungTBao/ngayHoanThanh")),
        says.fact("status", says.of(about.status) if about.status else ""),
    )
    return Page(
        title=_line(_notice_title(text("TTinChung/TTinTBaoThue/tenTBao"), says)),
        subtitle=f"{form.label} · {form.law}" if form else "",
        facts=tuple(facts),
        blocks=blocks,
        left_out=builder.left_out,
        about=about,
    )


def _notice_title(name: str, says: _Says) -> str:
    return f"{says('notice')}: {name}" if name else says("notice")


def _line(text: str) -> str:
    """One line, of bounded length."""
    return clean(" ".join(text.split())[:_TITLE_LENGTH])
