"""The envelope of the National Single Window (`wsdl/permit-envelope.xsd`), which goes as a string within SOAP.

`Subject/reference` is the idempotency key; `messageId` of a dossier follows from it, so that every attempt is the same
message. `preReference` of an answer is the `messageId` it answers.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta, timezone
from uuid import UUID, uuid5

import msgspec
from lxml import etree

from adapters.base import Parcel
from adapters.told import Short
from adapters.xml import NotOfTheForm, Schema, add, encoded, parse, texts

VERSION = "1.0"
DOSSIER, QUESTION, RESULT = "1", "2", "3"
REQUEST, SUCCESS, ERROR = "01", "99", "00"
_MESSAGES = UUID("0b7f5f0e-6f3e-5d0c-9d6b-6d1c3a5c8f26")
_VIETNAM = timezone(timedelta(hours=7))


class Party(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Sender or receiver, in the codes of the National Single Window."""

    name: Short
    identity: Short
    country_code: Short = "VN"
    ministry_code: Short = ""
    organization_code: Short = ""
    unit_code: Short = ""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an envelope is about. `sent_at` as it stands in `sendDate`, "" for none."""

    document_type: str
    type: str
    function: str
    reference: str
    pre_reference: str = ""
    sent_at: str = ""


@dataclass(frozen=True, slots=True)
class Letter:
    """An envelope as it came. `content` is the one element in Content."""

    message_id: str
    sender: Party
    receiver: Party
    subject: Subject
    content: etree._Element


def message_id(key: str) -> str:
    """The id of the message that hands over the dossier with this key: one and the same for every attempt."""
    return str(uuid5(_MESSAGES, key))


def write(message: str, parties: tuple[Party, Party], subject: Subject, content: etree._Element) -> str:
    """The envelope from the first party to the second, as a string."""
    envelope = etree.Element("Envelope")
    header = add(envelope, "Header")
    reference = add(header, "Reference")
    add(reference, "version", VERSION)
    add(reference, "messageId", message)
    for name, party in zip(("From", "To"), parties, strict=True):
        place = add(header, name)
        for field, element in _PARTY.items():
            add(place, element, getattr(party, field))
    about = add(header, "Subject")
    for field, element in _SUBJECT.items():
        text = getattr(subject, field)
        if text or field != "sent_at":
            add(about, element, text)
    add(add(envelope, "Body"), "Content").append(content)
    return encoded(envelope).decode()


def read(payload: str, schema: Schema, *, large: bool = False) -> Letter:
    """The envelope in a string; `large` where it may bear a dossier. Raises NotOfTheForm."""
    root = parse(payload.encode(), large=large)
    schema.check(root)
    if root.tag != "Envelope":
        raise NotOfTheForm("not an Envelope")
    header, content = root.find("Header"), root.find("Body/Content")
    assert header is not None
    assert content is not None
    sender, receiver, about = (texts(_child(header, name)) for name in ("From", "To", "Subject"))
    return Letter(
        texts(_child(header, "Reference"))["messageId"],
        Party(**{field: sender[name] for field, name in _PARTY.items()}),
        Party(**{field: receiver[name] for field, name in _PARTY.items()}),
        Subject(**{field: about.get(name, "") for field, name in _SUBJECT.items()}),
        content[0],
    )


def dossier(parcel: Parcel) -> etree._Element:
    """HoSo: the dossier, what it is about, and its papers."""
    content = etree.Element("HoSo")
    for name, text in {
        "coQuan": parcel.agency,
        "soHSo": parcel.filing_number,
        "loaiHSo": parcel.family,
        "maMau": parcel.form_code,
        "pbanMau": parcel.form_version,
        "loai": parcel.kind,
        "ky": parcel.period,
        "nguoiNop": parcel.taxpayer_code,
        "noiNop": parcel.tax_office_code,
        "kieuTep": parcel.media_type,
        "bamSHA256": parcel.digest_hex,
        "tep": base64.b64encode(parcel.document).decode(),
    }.items():
        add(content, name, text)
    for paper in parcel.papers:
        place = add(content, "giayTo")
        add(place, "maGiayTo", paper.kind)
        add(place, "tenGiayTo", paper.name)
        add(place, "kieuTep", paper.media_type)
        add(place, "bamSHA256", paper.digest_hex)
        add(place, "tep", base64.b64encode(paper.content).decode())
    return content


def sent_at(parcel: Parcel) -> str:
    """`sendDate` of a dossier: when the gateway had received it, in Vietnam's time, the same at each attempt."""
    return parcel.received_at.astimezone(_VIETNAM).isoformat()


_PARTY = {
    "name": "name",
    "identity": "identity",
    "country_code": "countryCode",
    "ministry_code": "ministryCode",
    "organization_code": "organizationCode",
    "unit_code": "unitCode",
}
_SUBJECT = {
    "document_type": "documentType",
    "type": "type",
    "function": "function",
    "reference": "reference",
    "pre_reference": "preReference",
    "sent_at": "sendDate",
}


def _child(parent: etree._Element, name: str) -> etree._Element:
    child = parent.find(name)
    assert child is not None, "the schema has it"
    return child
