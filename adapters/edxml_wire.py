"""edXML (QCVN 102:2016/BTTTT): documents and statuses between agencies, attachments as base64 of a ZIP within the XML.

Elements and their order are those of public senders; the regulation's schema is not at hand. Ours: `Code/CodeNumber` is
the idempotency key, the attachment is named by the filing's number and described by its SHA-256, and a decision is the
attachment `ket-qua.xml`.
"""

from __future__ import annotations

import base64
import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from uuid import UUID, uuid5

import msgspec
from lxml import etree

from adapters.base import Parcel
from adapters.told import Short
from adapters.xml import NotOfTheForm, add, encoded, parse, texts

NAMESPACE = "http://www.mic.gov.vn/TBT/QCVN_102_2016"
RESULT_FILE = "ket-qua.xml"
DIGEST = "SHA-256 "
VIETNAM = timezone(timedelta(hours=7))
DAY, MOMENT = "%Y/%m/%d", "%Y/%m/%d %H:%M:%S"
_PARTS = UUID("5f6a5d36-7f0f-5c39-a5d8-0a3c8e4f1b77")
_E = f"{{{NAMESPACE}}}"
_UNZIPPING = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,  # a method that zipfile does not know
    RuntimeError,  # encrypted
    EOFError,
    ValueError,
    OSError,
)


class Organ(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An agency on the exchange: its code (QCVN 102:2016 or QĐ 20/2020), name, and who is over it."""

    id: Short
    name: Short
    in_charge: Short = ""


@dataclass(frozen=True, slots=True)
class Part:
    """One attachment, unpacked."""

    name: str
    media_type: str
    description: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """What a message is about: its own number (`Code`), or the one it answers (`ResponseFor/Code`)."""

    sender: str
    receiver: str
    code: str
    answers: str
    answers_organ: str


@dataclass(frozen=True, slots=True)
class Status:
    """A status message about one of our documents. `at` is aware."""

    code: str
    description: str
    at: datetime


def document(parcel: Parcel, sender: Organ, receiver: Organ) -> bytes:
    """The edXML document that hands over a parcel: the same octets at each attempt."""
    at = parcel.received_at.astimezone(VIETNAM)
    root, header = _message()
    about = _head(header, sender, receiver, (parcel.key, parcel.form_code), at)
    words = (
        f"Hồ sơ {parcel.filing_number}, mẫu {parcel.form_code} ({parcel.kind}), kỳ {parcel.period or 'không'}"
    )
    add(about, "Subject", words)
    add(about, "Content", f"{words}, người nộp {parcel.taxpayer_code}, nơi nộp {parcel.tax_office_code}")
    _rest(about)
    _trace(header, sender, at)
    name = parcel.filing_number + (".xml" if parcel.media_type == "application/xml" else ".bin")
    papers = (
        Part(one.name, one.media_type, f"{DIGEST}{one.digest_hex} {one.kind}", one.content)
        for one in parcel.papers
    )
    return _attached(
        root, Part(name, parcel.media_type, DIGEST + parcel.digest_hex, parcel.document), *papers
    )


def answer(head: Head, at: datetime, *, status: Status | None = None, part: Part | None = None) -> bytes:
    """An agency's message about a document of ours: a status, or a document with `part` attached."""
    root, header = _message()
    day = at.astimezone(VIETNAM)
    organ = Organ(id=head.sender, name=head.sender)
    if status is not None:
        about = add(header, "Status")
        _response_for(about, head, day)
        _organ(about, "From", organ)
        add(about, "StatusCode", status.code)
        add(about, "Description", status.description)
        add(about, "Timestamp", status.at.astimezone(VIETNAM).strftime(MOMENT))
        return encoded(root)
    number, _, notation = head.code.partition("/")
    about = _head(header, organ, Organ(id=head.receiver, name=head.receiver), (number, notation), day)
    add(about, "Subject", "Kết quả giải quyết hồ sơ")
    add(about, "Content", "Kết quả giải quyết hồ sơ")
    _response_for(about, head, day)
    _rest(about)
    _trace(header, organ, day)
    assert part is not None, "an answer is a status or has a part"
    return _attached(root, part)


def read(octets: bytes, *, large: bool = False) -> etree._Element:
    """The root of an edXML message; `large` where it may bear a dossier. Raises NotOfTheForm."""
    root = parse(octets, large=large)
    if root.tag != f"{_E}edXML" or root.find(f"{_E}edXMLEnvelope/{_E}edXMLHeader") is None:
        raise NotOfTheForm("not an edXML message")
    return root


def read_head(root: etree._Element) -> Head:
    """Who writes to whom about which document; what is not there is "". `read` has looked at `root`."""
    about = _about(root)

    def text(*path: str) -> str:
        return (about.findtext("/".join(_E + name for name in path)) or "").strip()

    code = f"{text('Code', 'CodeNumber')}/{text('Code', 'CodeNotation')}"
    answers = text("ResponseFor", "Code")
    return Head(text("From", "OrganId"), text("To", "OrganId"), code, answers, text("ResponseFor", "OrganId"))


def read_status(root: etree._Element) -> Status | None:
    """The status that a message bears, None where it is a document. Raises NotOfTheForm for one of no time."""
    about = _about(root)
    if about.tag != f"{_E}Status":
        return None
    said = texts(about)
    try:
        at = datetime.strptime(said.get("Timestamp", ""), MOMENT).replace(tzinfo=VIETNAM)
    except ValueError:
        raise NotOfTheForm("a status of no time") from None
    return Status(said.get("StatusCode", ""), said.get("Description", ""), at)


def read_parts(root: etree._Element, limit: int, most: int = 16) -> list[Part]:
    """The attachments, at most `most`, each of one file in its ZIP, of at most `limit` octets in all.

    Raises:
        NotOfTheForm: more, not base64, not a ZIP of one file, encrypted, or larger than `limit`.
    """
    found = root.findall(f"{_E}AttachmentEncoded/{_E}Attachment")
    if len(found) > most:
        raise NotOfTheForm(f"more than {most} attachments")
    parts = []
    for said in map(texts, found):
        octets = unzipped(said.get("ContentTransferEncoded", ""), limit)
        limit -= len(octets)
        name = said.get("AttachmentName", "")
        parts.append(Part(name, said.get("ContentType", ""), said.get("Description", ""), octets))
    return parts


def unzipped(text: str, limit: int) -> bytes:
    """The one file in a ZIP in base64. Raises NotOfTheForm; never unfolds more than `limit` octets and one."""
    try:
        with zipfile.ZipFile(io.BytesIO(base64.b64decode(text))) as archive:
            (entry,) = archive.infolist()
            with archive.open(entry) as file:
                octets = file.read(limit + 1)
    except _UNZIPPING:
        raise NotOfTheForm("an attachment that is no ZIP of one file") from None
    if len(octets) > limit:
        raise NotOfTheForm(f"attachments that unfold beyond {limit} bytes")
    return octets


def zipped(name: str, octets: bytes) -> str:
    """A ZIP of one file, in base64: the same for the same octets."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), octets, zipfile.ZIP_DEFLATED)
    return base64.b64encode(target.getvalue()).decode()


def _message() -> tuple[etree._Element, etree._Element]:
    spaces: Mapping[str | None, str] = {None: NAMESPACE, "edXML": NAMESPACE}
    root = etree.Element(f"{_E}edXML", nsmap=spaces)  # type: ignore[arg-type]
    return root, add(add(root, "edXMLEnvelope"), "edXMLHeader")


def _head(
    header: etree._Element, sender: Organ, receiver: Organ, code: tuple[str, str], at: datetime
) -> etree._Element:
    about = add(header, "MessageHeader")
    _organ(about, "From", sender)
    _organ(about, "To", receiver)
    add(about, "DocumentId", f"{sender.id},{at.strftime(DAY)},{'/'.join(code)}")
    place = add(about, "Code")
    add(place, "CodeNumber", code[0])
    add(place, "CodeNotation", code[1])
    issued = add(about, "PromulgationInfo")
    add(issued, "Place", sender.name)
    add(issued, "PromulgationDate", at.strftime(DAY))
    kind = add(about, "DocumentType")
    add(kind, "Type", "1")
    add(kind, "TypeDetail", "0")
    add(kind, "TypeName", "Công văn")
    return about


def _organ(parent: etree._Element, name: str, organ: Organ) -> None:
    place = add(parent, name)
    add(place, "OrganId", organ.id)
    add(place, "OrganizationInCharge", organ.in_charge or organ.name)
    add(place, "OrganName", organ.name)


def _response_for(about: etree._Element, head: Head, day: datetime) -> None:
    place = add(about, "ResponseFor")
    add(place, "OrganId", head.answers_organ)
    add(place, "Code", head.answers)
    add(place, "PromulgationDate", day.strftime(DAY))


def _rest(about: etree._Element) -> None:
    add(add(about, "SignerInfo"), "FullName", "")
    other = add(about, "OtherInfo")
    for name, text in {
        "Priority": "0",
        "SphereOfPromulgation": "Liên thông văn bản",
        "TyperNotation": "",
        "PromulgationAmount": "1",
        "PageAmount": "1",
        "Direction": "false",
    }.items():
        add(other, name, text)
    add(about, "SteeringType", "0")


def _trace(header: etree._Element, sender: Organ, at: datetime) -> None:
    trace = add(header, "TraceHeaderList")
    business = add(trace, "Bussiness")  # spelled so by all who send it
    add(business, "BussinessDocType", "0")
    add(business, "Paper", "0")
    step = add(trace, "TraceHeader")
    add(step, "OrganId", sender.id)
    add(step, "Timestamp", at.strftime(MOMENT))


def _attached(root: etree._Element, *parts: Part) -> bytes:
    envelope = root.find(f"{_E}edXMLEnvelope")
    assert envelope is not None
    manifest = add(add(envelope, "edXMLBody"), "edXMLManifest")
    manifest.set("version", "1.0")
    attachments = add(root, "AttachmentEncoded")
    for number, part in enumerate(parts):
        name = f"cid:{uuid5(_PARTS, f'{number} {part.description} {part.name}')}"
        attachment = add(attachments, "Attachment")
        for place in (add(manifest, "Reference"), attachment):
            add(place, "ContentId", name)
            add(place, "ContentType", part.media_type)
            add(place, "Description", part.description)
            add(place, "AttachmentName", part.name)
        add(attachment, "ContentTransferEncoded", zipped(part.name, part.octets))
    return encoded(root)


def _about(root: etree._Element) -> etree._Element:
    header = root.find(f"{_E}edXMLEnvelope/{_E}edXMLHeader")
    assert header is not None, "read() has looked"
    found = header.find(f"{_E}Status")
    about = header.find(f"{_E}MessageHeader") if found is None else found
    if about is None:
        raise NotOfTheForm("neither a document nor a status")
    return about
