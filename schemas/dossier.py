"""The summary of a permit dossier (HoSo), the files attached to it, and those of them that bear signatures."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from lxml import etree

from schemas.declaration import Declaration, Party
from schemas.families import Family
from schemas.faults import UNPRINTABLE, Fault, Place, Words, make_fault
from schemas.file_types import PDF, bears_signature, media_type_of
from schemas.period import read_iso_day
from schemas.reading import Reading

GENERAL = "ThongTinChung"
PROCEDURE = f"{GENERAL}/ThuTuc"
APPLICANT = f"{GENERAL}/NguoiNop"
AGENT = f"{GENERAL}/NguoiDuocUyQuyen"
PLACE = f"{GENERAL}/DiaBan"
PLACE_CODES = ("maXa", "maHuyen", "maTinh")
ATTACHMENTS = "DinhKem"
MOST_ATTACHMENTS = 200
_MOST_SAID = 400


def dossier_of(reading: Reading, family: Family) -> Declaration | None:
    """None where the service, its version, the purpose or who files does not read: there is nothing to file under."""
    text = reading.text
    code, version, kind, identity = (
        text(family.paths[term]) for term in ("code", "version", "kind", "filer")
    )
    if not all((code, version, kind, identity)):
        return None
    return Declaration(
        form_code=code,
        form_version=version,
        kind=kind,
        submission_no=0,
        form_name=text(f"{PROCEDURE}/tenThuTuc"),
        period=None,
        taxpayer=Party(identity, text(f"{APPLICANT}/hoTen"), _address(reading)),
        agent=_agent(reading, family),
        tax_office_code="",
        tax_office_name=text(f"{PROCEDURE}/coQuanTiepNhan"),
        signer_name=text(f"{GENERAL}/nguoiKy"),
        signed_on=read_iso_day(text(f"{GENERAL}/ngayLap")),
        element_id=reading.root.get("id") or "",
        family=family.name,
        places=tuple(code for name in PLACE_CODES if (code := text(f"{PLACE}/{name}"))),
    )


def _address(reading: Reading) -> str:
    parts = (reading.text(f"{APPLICANT}/DiaChi/{name}") for name in ("soNha", "tenXa", "tenHuyen", "tenTinh"))
    return ", ".join(part for part in parts if part)


def _agent(reading: Reading, family: Family) -> Party | None:
    code = reading.text(family.paths["agent"])
    return Party(code, reading.text(f"{AGENT}/hoTen")) if code else None


@dataclass(frozen=True)
class Attachment:
    """One TepDinhKem as it stands. `element` for its place; texts as filed, "" where absent."""

    element: etree._Element
    kind: str
    file_name: str
    media_type: str
    size: str
    sha256: str
    base64_text: str | None

    @cached_property
    def content(self) -> bytes | None:
        """The octets that are in the dossier itself; None where there are none, or they are not base64."""
        if self.base64_text is None:
            return None
        try:
            return base64.b64decode("".join(self.base64_text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None

    @cached_property
    def may_be_signed(self) -> bool:
        """Whether it is a PDF that may bear a signature."""
        content = self.content
        return content is not None and media_type_of(content) == PDF and bears_signature(content)


def attachments_of(reading: Reading) -> Iterator[Attachment]:
    """Every file that the dossier lists, at most MOST_ATTACHMENTS and one more."""
    holder = reading.elements.get(ATTACHMENTS)
    files = holder.iterchildren(reading.naming.tag("TepDinhKem")) if holder is not None else iter(())
    for number, element in enumerate(files):
        if number > MOST_ATTACHMENTS:
            return

        def text(name: str, element: etree._Element = element) -> str | None:
            found = element.find(reading.naming.tag(name))
            return (found.text or "") if found is not None else None

        yield Attachment(
            element=element,
            kind=text("loaiGiayTo") or "",
            file_name=text("tenTep") or "",
            media_type=text("kieuNoiDung") or "",
            size=text("dungLuong") or "",
            sha256=text("sha256") or "",
            base64_text=text("noiDung"),
        )


@dataclass(frozen=True, slots=True)
class SignedPaper:
    """A PDF that may bear signatures; what they are worth is the caller's to judge: this library knows none.

    `number` counts the dossier's files from 1; `required`: the form wants a sound signature; `label`: what a paper of
    its kind is called.
    """

    number: int
    name: str
    label: Words
    required: bool
    place: Place
    content: bytes = field(repr=False)

    def fault(self, code: str, *, signers: str = "", reason: Words | None = None) -> Fault:
        """`attachment.pdf-…` and `attachment.signature-required` of faults.toml; names and reasons of any origin."""
        why = reason or Words("", "")
        return make_fault(
            code,
            self.place,
            name=self.name,
            paper=self.label,
            signers=Words(_said(signers), _said(signers)),
            reason=Words(_said(why.vi), _said(why.en)),
        )


def _said(text: str) -> str:
    return UNPRINTABLE.sub("\ufffd", text[:_MOST_SAID])
