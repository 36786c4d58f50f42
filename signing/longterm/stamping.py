"""Putting a time stamp into a signature that is being made, or was just made (EN 319 132-1 clauses 4.6.3, 5.3)."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import cast

from lxml import etree

from signing.algorithms import DS, XADES, digest
from signing.canonical import METHODS, canonicalise
from signing.parsing import XmlDocument, parse_xml, written_like
from signing.tsa.client import TimestampClient

HASH = "sha256"
C14N = METHODS["http://www.w3.org/2001/10/xml-exc-c14n#"]


def add_signature_time_stamp(signature: etree._Element, tsa: TimestampClient) -> None:
    """SignatureTimeStamp over the SignatureValue of a XAdES signature. Raises TimestampRefused."""
    _add(signature, stamped(_value_of(signature), tsa))


@dataclass(frozen=True, slots=True)
class Stampable:
    """A document whose only signature, XAdES, is to bear a time stamp over `octets`, asked for by whoever has it."""

    octets: bytes
    _document: XmlDocument
    _signature: etree._Element

    @classmethod
    def of(cls, data: bytes) -> Stampable:
        """Raises XmlRefused, ValueError."""
        document = parse_xml(data)
        (signature,) = document.root.iter(f"{{{DS}}}Signature")
        return cls(_value_of(signature), document, signature)

    def stamped(self, token: bytes) -> bytes:
        """The document with the token in it; to be called once."""
        _add(self._signature, base64_text(token))
        return written_like(self._document.data, self._document.root)


def _value_of(signature: etree._Element) -> bytes:
    value = signature.find(f"{{{DS}}}SignatureValue")
    assert value is not None
    return canonicalise(value, C14N)


def _add(signature: etree._Element, token: str) -> None:
    element = etree.SubElement(unsigned_of(signature), f"{{{XADES}}}SignatureTimeStamp")
    begin_time_stamp(element).text = token


def unsigned_of(signature: etree._Element) -> etree._Element:
    """UnsignedSignatureProperties of a XAdES signature, made where it is missing."""
    holder = signature.find(f"{{{DS}}}Object/{{{XADES}}}QualifyingProperties")
    assert holder is not None
    for position, name in enumerate(("UnsignedProperties", "UnsignedSignatureProperties")):
        found = holder.find(f"{{{XADES}}}{name}")
        if found is None:
            found = etree.Element(f"{{{XADES}}}{name}", nsmap=cast("dict[str, str]", holder.nsmap))
            holder.insert(len(holder) if position == 0 else 0, found)
        holder = found
    return holder


def begin_time_stamp(element: etree._Element) -> etree._Element:
    """The children of a time-stamp property; returns the one that takes the token."""
    etree.SubElement(element, f"{{{DS}}}CanonicalizationMethod", Algorithm=C14N.uri)
    return etree.SubElement(element, f"{{{XADES}}}EncapsulatedTimeStamp")


def stamped(octets: bytes, tsa: TimestampClient) -> str:
    """A token over octets, as text. Raises TimestampRefused."""
    return base64_text(tsa.stamp(digest(HASH, octets), HASH))


def base64_text(octets: bytes) -> str:
    """Base64 in one line."""
    return base64.b64encode(octets).decode("ascii")
