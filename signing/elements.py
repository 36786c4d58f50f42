"""Small strict readers of XML structure, for everything that reads signatures. What they refuse raises CheckFailed."""

from __future__ import annotations

import base64
import binascii
from typing import NoReturn

from lxml import etree

from signing.parsing import hardened_parser
from signing.report import CheckFailed, failed

MAX_BASE64_CHARACTERS = 65_536
MAX_PROPERTIES_BYTES = 500_000
"""Canonical octets of signed properties, which are parsed again to be read as they were signed."""


def element_children(element: etree._Element) -> list[etree._Element]:
    """Child elements. Comments are passed over; a processing instruction or stray text has no place here: refused."""
    children = []
    if element.text and element.text.strip():
        refuse_structure(f"text in {short(element.tag)}")
    for child in element:
        if child.tail and child.tail.strip():
            refuse_structure(f"text in {short(element.tag)}")
        if isinstance(child, etree._ProcessingInstruction):
            refuse_structure(f"processing instruction in {short(element.tag)}")
        if not isinstance(child, etree._Comment):
            children.append(child)
    return children


def child_of(element: etree._Element, tag: str) -> etree._Element | None:
    """The first child with a tag."""
    return next(element.iterchildren(tag), None)


def text_of(element: etree._Element) -> str:
    """The text of an element that has nothing but text: a comment inside would split it for some readers."""
    if len(element):
        refuse_structure(f"{short(element.tag)} must hold text only")
    return element.text or ""


def base64_of(element: etree._Element, *, lenient: bool = False) -> bytes:
    """Canonical base64 of an element's text, white space allowed. Raises CheckFailed (format.base64).

    `lenient`: unused bits may be set, which gives one value many spellings: never for what is signed or digested.
    """
    text = text_of(element)
    if len(text) > MAX_BASE64_CHARACTERS:
        raise CheckFailed(
            failed("format.base64", element=short(element.tag), detail=f"{len(text)} characters")
        )
    try:
        packed = text.encode("ascii").translate(None, b" \t\r\n")
        octets = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError) as error:
        raise CheckFailed(failed("format.base64", element=short(element.tag), detail=error)) from None
    if not octets or not (lenient or base64.b64encode(octets) == packed):
        raise CheckFailed(
            failed("format.base64", element=short(element.tag), detail="empty, or unused bits are set")
        )
    return octets


def parsed_properties(octets: bytes) -> etree._Element:
    """Signed properties out of their canonical octets. Raises CheckFailed (format.structure), etree.LxmlError."""
    if len(octets) > MAX_PROPERTIES_BYTES:
        refuse_structure(f"signed properties of more than {MAX_PROPERTIES_BYTES} octets")
    return etree.fromstring(octets, hardened_parser())


def refuse_structure(detail: str) -> NoReturn:
    """Refuse with format.structure; `detail` is an English clause."""
    raise CheckFailed(failed("format.structure", detail=detail))


def short(tag: object) -> str:
    """An element's local name for a message, printable and short."""
    return printable(str(tag).rsplit("}", 1)[-1])[:80]


def printable(text: str) -> str:
    """Sender's text for a message: printable, at most 200 characters."""
    text = text[:200]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
