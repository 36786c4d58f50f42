"""A schema and what it includes, made into one self-contained text.

What was checked at load is what every thread compiles.
"""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from schemas.safety import schema_faults

_XS = "{http://www.w3.org/2001/XMLSchema}"
_MAX_FILES = 20
_MAX_OCTETS = 2_000_000


class SchemaSourceError(Exception):
    """A schema file that cannot be used; the message names the file."""


def flatten(directory: Path, name: str) -> bytes:
    """The schema `name` below `directory` with every xs:include put in place. Raises SchemaSourceError.

    Includes must be relative and stay below `directory`; xs:import and xs:redefine are refused: nothing is
    ever fetched.
    """
    base = directory.resolve()
    seen: set[Path] = set()
    root = _read(base, base / name, seen)
    return etree.tostring(root, encoding="utf-8", xml_declaration=False)


def _read(base: Path, path: Path, seen: set[Path]) -> etree._Element:
    path = path.resolve()
    if not path.is_relative_to(base):
        raise SchemaSourceError(f"{path.name}: a schema outside the catalogue's folder")
    name = str(path.relative_to(base))
    seen.add(path)
    if len(seen) > _MAX_FILES:
        raise SchemaSourceError(f"{name}: more than {_MAX_FILES} schema files include each other")
    root = _parse(path, name)
    for node in list(root):
        if node.tag in (f"{_XS}import", f"{_XS}redefine"):
            raise SchemaSourceError(
                f"{name}: {etree.QName(node).localname} is not allowed (line {node.sourceline})"
            )
        if node.tag == f"{_XS}include":
            _put_in(base, path, name, node, seen)
    return root


def _put_in(base: Path, path: Path, name: str, include: etree._Element, seen: set[Path]) -> None:
    location = str(include.get("schemaLocation") or "")
    if not location or "://" in location or location.startswith("/"):
        raise SchemaSourceError(f"{name}: include of {location!r}: only a relative path is allowed")
    target = (path.parent / location).resolve()
    holder = include.getparent()
    assert holder is not None  # a child of the root
    if target not in seen:
        included = _read(base, target, seen)
        if included.get("targetNamespace") not in (None, holder.get("targetNamespace")):
            raise SchemaSourceError(f"{name}: {location} has another target namespace")
        at = holder.index(include)
        for offset, child in enumerate(list(included)):
            holder.insert(at + offset, child)
    holder.remove(include)


def _parse(path: Path, name: str) -> etree._Element:
    try:
        octets = path.read_bytes() if path.stat().st_size <= _MAX_OCTETS else None
    except OSError as error:
        raise SchemaSourceError(f"{name}: {error.strerror}") from error
    if octets is None or b"<!DOCTYPE" in octets:
        raise SchemaSourceError(f"{name}: too large, or with a DOCTYPE")
    try:
        root = etree.fromstring(
            octets, etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True)
        )
    except etree.XMLSyntaxError as error:
        raise SchemaSourceError(f"{name}: {error}") from error
    if root.tag != f"{_XS}schema":
        raise SchemaSourceError(f"{name}: not an XML schema")
    for fault in schema_faults(root):
        raise SchemaSourceError(f"{name}: {fault}")
    return root
