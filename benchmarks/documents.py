"""Signed declarations to measure with, every one by another taxpayer with a certificate of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from lxml import etree

import certs_dev
import schemas
import signing
from signing.keys import FileKey

FLOOR = 500


@dataclass(frozen=True, slots=True)
class Corpus:
    """`documents` are signed as XML Signature in the tax files' form; the `floor` has its own and their schema."""

    documents: list[bytes]
    floor: list[bytes]
    schema: etree.XMLSchema


def make_corpus(pki: certs_dev.DevPki, *, count: int, size: int) -> Corpus:
    """`count` documents of about `size` octets before signing."""
    now = datetime.now(UTC)
    documents, floor = [], []
    for number, taxpayer in enumerate(pki.issue_taxpayers(count, at=now)):
        octets = schemas.example_declaration(
            tax_code=taxpayer.tax_code or "", name=taxpayer.name, element_id="ID_1", size_hint=size
        )
        key = FileKey(taxpayer.key, taxpayer.certificate)
        documents.append(_signed(octets, key, now, "inclusive"))
        if number < FLOOR:
            floor.append(_signed(octets, key, now, "exclusive"))
    form = schemas.load_catalogue().form("842", "2.8.3", "C")
    assert form is not None
    return Corpus(documents, floor, etree.XMLSchema(etree.parse(str(form.folder / "form.xsd"))))


def _signed(octets: bytes, key: FileKey, at: datetime, c14n: Literal["inclusive", "exclusive"]) -> bytes:
    return signing.sign_xml(
        octets, key, profile="xmldsig", target_id="ID_1", place="CKyDTu", at=at, c14n=c14n
    )
