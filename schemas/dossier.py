"""The summary of a permit dossier (HoSo), the files attached to it, and those of them that bear signatures."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import unquote

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


_FILE_NAME = re.compile(r"[^/\\\x00-\x1f\x7f:*?\"<>|]{1,200}")


def is_file_name(name: str) -> bool:
    """Whether a paper may be called so anywhere: at most 200 characters, no path, no controls, no dot at an end."""
    return _FILE_NAME.fullmatch(name) is not None and name.strip(". ") == name


@dataclass(frozen=True, slots=True)
class Paper:
    """A file that came beside its dossier: its name as sent, its octets, and their SHA-256 in lower-case hex."""

    name: str
    content: bytes = field(repr=False)
    sha256: str

    @classmethod
    def of(cls, name: str, content: bytes) -> Paper:
        return cls(name, content, hashlib.sha256(content).hexdigest())

    @property
    def key(self) -> str:
        return name_key(self.name)


def name_key(name: str) -> str:
    """By what a paper is found in the list: composed letters (NFC), octets written with `%` read (RFC 7578, 2)."""
    return unicodedata.normalize("NFC", unquote(name))


@dataclass(frozen=True)
class Attachment:
    """One TepDinhKem as it stands. `element` for its place; texts as filed, "" where absent.

    `number`: its place in the list, from 1. `paper`: what came beside the dossier under its name.
    """

    number: int
    element: etree._Element
    kind: str
    file_name: str
    media_type: str
    size: str
    sha256: str
    base64_text: str | None
    paper: Paper | None = None

    @cached_property
    def content(self) -> bytes | None:
        """Its octets, in the dossier itself or beside it; None where there are none, or they are not base64."""
        if self.base64_text is None:
            return self.paper.content if self.paper is not None else None
        try:
            return base64.b64decode("".join(self.base64_text.split()), validate=True)
        except (binascii.Error, ValueError):
            return None

    @cached_property
    def content_sha256(self) -> str:
        """Of the octets, in lower-case hex, whatever the list says; "" where there are none."""
        if self.base64_text is None and self.paper is not None:
            return self.paper.sha256
        return "" if self.content is None else hashlib.sha256(self.content).hexdigest()

    @cached_property
    def may_be_signed(self) -> bool:
        """Whether it is a PDF that may bear a signature."""
        content = self.content
        return content is not None and media_type_of(content) == PDF and bears_signature(content)


def attachments_of(body: etree._Element, papers: Sequence[Paper] = ()) -> Iterator[Attachment]:
    """Every file that the dossier `body` lists, at most MOST_ATTACHMENTS and one more, each with its paper."""
    namespace = f"{{{etree.QName(body).namespace}}}"
    beside = {paper.key: paper for paper in reversed(papers)}
    holder = body.find(f"{namespace}{ATTACHMENTS}")
    files = holder.iterchildren(f"{namespace}TepDinhKem") if holder is not None else iter(())
    for number, element in enumerate(files, 1):
        if number > MOST_ATTACHMENTS + 1:
            return

        def text(name: str, element: etree._Element = element) -> str | None:
            found = element.find(f"{namespace}{name}")
            return (found.text or "") if found is not None else None

        name = text("tenTep") or ""
        yield Attachment(
            number=number,
            element=element,
            kind=text("loaiGiayTo") or "",
            file_name=name,
            media_type=text("kieuNoiDung") or "",
            size=text("dungLuong") or "",
            sha256=text("sha256") or "",
            base64_text=text("noiDung"),
            paper=beside.get(name_key(name)),
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
