"""XML from agencies, read so that it can neither unfold nor reach anywhere; XML to agencies, built."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lxml import etree

from adapters.told import printable

SCHEMAS = Path(__file__).parent / "wsdl"
"""Our own WSDLs and schemas: the agencies' are not public."""
_INLINE = 65_536  # octets
_Built = TypeVar("_Built")


class NotOfTheForm(Exception):
    """Octets that are not the XML agreed upon. The message is one printable line."""


def parse(octets: bytes, *, large: bool = False) -> etree._Element:
    """The root of `octets`: UTF-8 (a BOM may lead), without any DTD, at most 256 levels deep and, in one node of
    text, 10 MB long; `large` lifts both. Comments and processing instructions are dropped. The caller bounds the size.

    Raises:
        NotOfTheForm: anything else.
    """
    octets = octets.removeprefix(codecs.BOM_UTF8)
    try:
        octets.decode()
    except UnicodeDecodeError:
        raise NotOfTheForm("not UTF-8") from None
    if b"<!DOCTYPE" in octets:
        raise NotOfTheForm("it has a DTD")
    # The encoding is given: a declaration of another one, such as UTF-7, could hide a DTD from the line above.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=large,
        remove_comments=True,
        remove_pis=True,
        encoding="utf-8",
    )
    try:
        root = etree.fromstring(octets, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise NotOfTheForm(printable(f"not XML: {error}")) from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise NotOfTheForm("it has a DTD")
    return root


class Schema:
    """One of `SCHEMAS`. For one thread: lxml keeps the last errors in the object."""

    def __init__(self, name: str) -> None:
        self._schema = etree.XMLSchema(file=str(SCHEMAS / name))

    def check(self, element: etree._Element) -> None:
        """Raises NotOfTheForm with the first fault and its place."""
        try:
            valid = self._schema.validate(element)
        except etree.XMLSchemaValidateError as error:
            raise NotOfTheForm(printable(str(error))) from error
        if not valid:
            log: Any = self._schema.error_log
            first = log[0]
            raise NotOfTheForm(printable(f"{first.path}: {first.message}"))


def new(namespace: str, name: str) -> etree._Element:
    """An element without a parent, whose namespace is the default one below it."""
    return etree.Element(f"{{{namespace}}}{name}", nsmap={None: namespace})  # type: ignore[dict-item]


def add(parent: etree._Element, name: str, text: str | None = None) -> etree._Element:
    """A child in the namespace of `parent`, last."""
    namespace = etree.QName(parent).namespace
    child = etree.SubElement(parent, f"{{{namespace}}}{name}" if namespace else name)
    child.text = text
    return child


def texts(element: etree._Element) -> dict[str, str]:
    """The text of each child that has no children of its own, by local name; of several the first."""
    found: dict[str, str] = {}
    for child in element:
        if len(child) == 0:
            found.setdefault(etree.QName(child).localname, (child.text or "").strip())
    return found


async def off_loop(size: int, build: Callable[[], _Built]) -> _Built:
    """What `build` gives, in a thread where it works on a document of many octets: the event loop serves others."""
    return build() if size <= _INLINE else await asyncio.to_thread(build)


def encoded(root: etree._Element) -> bytes:
    """UTF-8 with a declaration."""
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)
