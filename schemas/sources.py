"""A form's schema: a file of the catalogue with all that it includes and imports, read once, nothing ever fetched.

What was checked at load is what every thread compiles. Of every namespace that is imported one document is made, which
includes all files of it: libxml2 takes the first import of a namespace and passes over the others.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import BaseHandler, OpenerDirector
from urllib.response import addinfourl

from lxml import etree

from schemas.families import DSIG, OWN_CATALOGUE
from schemas.safety import schema_faults

_XS = "{http://www.w3.org/2001/XMLSchema}"
_MAX_FILES = 60
_MAX_OCTETS = 4_000_000
_TRIES = 5
"""Once in a thousand compilations beside large documents another thread comes between."""
_NOT_LOADED = etree.ErrorTypes.SCHEMAP_WARN_UNLOCATED_SCHEMA
_SCHEME = "catalogue"
_ENTRY = f"{_SCHEME}://files/form.xsd"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_OWN: Mapping[str, Path] = {
    DSIG: OWN_CATALOGUE / "xmldsig.xsd",
    "http://www.w3.org/XML/1998/namespace": OWN_CATALOGUE / "xml.xsd",
}
"""What every schema may import, from wherever it says: the library's own."""


class SchemaSourceError(Exception):
    """A schema file that cannot be used; the message names the file."""


class UnfitSchemaError(Exception):
    """A schema that xmlschema does not take, in its words."""


@dataclass(frozen=True, slots=True)
class SchemaSource:
    """All documents of a schema by their address; `entry` is where reading starts."""

    entry: str
    documents: Mapping[str, bytes]

    def compile(self) -> etree.XMLSchema:
        """For lxml, which judges. Raises XMLSchemaParseError.

        lxml keeps one loader of documents for the whole process, and whoever ends a parse puts back the one that was
        there when it began: amid a schema that another thread compiles, its includes are then not found. All are here:
        it is compiled again.
        """
        for _ in range(_TRIES - 1):
            try:
                schema = self._compiled()
            except etree.XMLSchemaParseError:
                continue
            log: Any = schema.error_log
            if not any(entry.type == _NOT_LOADED for entry in log):  # an import not found is a warning
                return schema
        return self._compiled()

    def _compiled(self) -> etree.XMLSchema:
        parser = etree.XMLParser(no_network=True, resolve_entities=False)
        parser.resolvers.add(_Resolver(self.documents))
        root = etree.fromstring(self.documents[self.entry], parser, base_url=self.entry)
        return etree.XMLSchema(root)

    def explain(self) -> Any:
        """For xmlschema, which explains. Raises UnfitSchemaError, OSError."""
        import xmlschema  # noqa: PLC0415 - slow to read, and many a command needs no form

        opener = OpenerDirector()
        opener.add_handler(_Handler(self.documents))
        text = self.documents[self.entry].decode("utf-8")
        with warnings.catch_warnings():
            warnings.simplefilter("error", xmlschema.XMLSchemaIncludeWarning)
            warnings.simplefilter("error", xmlschema.XMLSchemaImportWarning)
            try:
                return xmlschema.XMLSchema10(
                    text, base_url=f"{_SCHEME}://files/", validation="skip", allow="all", defuse="never",
                    opener=opener, use_fallback=False,
                )  # fmt: skip  # lxml has read every document, and the opener knows no other
            except (xmlschema.XMLSchemaException, UserWarning) as error:
                raise UnfitSchemaError(str(error)) from error


class _Resolver(etree.Resolver):
    def __init__(self, documents: Mapping[str, bytes]) -> None:
        super().__init__()
        self._documents = documents

    def resolve(self, system_url: Any, public_id: Any, context: Any) -> Any:  # type: ignore[override]  # noqa: ARG002
        found = self._documents.get(str(system_url))
        return self.resolve_string(found if found is not None else b"", context, base_url=system_url)


class _Handler(BaseHandler):
    def __init__(self, documents: Mapping[str, bytes]) -> None:
        self._documents = documents

    def unknown_open(self, request: Any) -> addinfourl:
        """Whatever has no address of ours."""
        raise OSError(f"{request.full_url}: nothing is fetched")

    def catalogue_open(self, request: Any) -> addinfourl:
        found = self._documents.get(str(request.full_url))
        if found is None:
            raise OSError(f"{request.full_url}: no document of the catalogue")
        return addinfourl(io.BytesIO(found), {}, request.full_url)  # type: ignore[arg-type]


def read_schema(
    directory: Path, name: str, body: str, locations: Mapping[str, str] | None = None
) -> SchemaSource:
    """The schema `name` below `directory`. Raises SchemaSourceError.

    Files lie below `directory`, by relative paths; `locations` says where a file lies that a schema names otherwise
    (a URL, nothing at all and a namespace instead). `body`: the local name of the element that will be judged; where
    the schema declares it only inside another, it is declared on its own as well.
    """
    reader = _Reader(directory.resolve(), locations or {})
    main = reader.read(reader.base / name, "")
    reader.bundle(main, reader.targets[main], entry=True)
    _declare(reader.roots_of(reader.targets[main]), body)
    return SchemaSource(reader.addresses[reader.targets[main]], reader.documents())


def _declare(roots: list[etree._Element], name: str) -> None:
    """The first element with this name is declared at the top, and referred to where it was; nothing where there is
    one at the top, or none at all."""
    named = [one for root in roots for one in root.iter(f"{_XS}element") if one.get("name") == name]
    if not named or any(one.getparent() in roots for one in named):
        return
    inner, holder = named[0], named[0].getparent()
    root = inner.getroottree().getroot()
    target = str(root.get("targetNamespace") or "")
    assert holder is not None, "not at the top"
    prefix = next((prefix for prefix, uri in holder.nsmap.items() if uri == target), "top")
    reference = etree.Element(f"{_XS}element", nsmap={prefix: target} if target and prefix else None)
    reference.set("ref", f"{prefix}:{name}" if target and prefix else name)
    for attribute in ("minOccurs", "maxOccurs"):
        if (count := inner.get(attribute)) is not None:
            reference.set(attribute, count)
            del inner.attrib[attribute]
    inner.attrib.pop("form", "")
    holder.replace(inner, reference)
    root.append(inner)


@dataclass(slots=True)
class _Reader:
    """Reads files and what they name, each once; an address stands for a file, or for all imported of a namespace."""

    base: Path
    locations: Mapping[str, str]
    read_as: dict[tuple[Path, str], str] = field(default_factory=dict)
    """By file and the namespace that it is read for."""
    roots: dict[str, etree._Element] = field(default_factory=dict)
    targets: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    bundles: dict[str, list[str]] = field(default_factory=dict)

    def read(self, path: Path, around: str) -> str:
        """The address of a file. `around`: the namespace that takes it in where it has none of its own."""
        path = path.resolve()
        own = next((uri for uri, file in _OWN.items() if file == path), None)
        if own is None and not path.is_relative_to(self.base):
            raise SchemaSourceError(f"{path.name}: a schema outside the catalogue's folder")
        name = path.name if own is not None else path.relative_to(self.base).as_posix()
        if (path, around) in self.read_as:
            return self.read_as[path, around]
        root = _parse(path, name)
        target = str(root.get("targetNamespace") or "")
        if target and around != target and (path, target) in self.read_as:
            return self.read_as[path, target]
        if len(self.roots) >= _MAX_FILES:
            raise SchemaSourceError(f"{name}: more than {_MAX_FILES} schema files name each other")
        address = f"{_SCHEME}://files/{len(self.roots)}/{_UNSAFE.sub('_', path.name)}"
        self.read_as[path, target or around] = address  # without a namespace it takes that of who includes it
        self.roots[address], self.targets[address] = root, target or around
        for node in list(root):
            if node.tag == f"{_XS}redefine":
                raise SchemaSourceError(f"{name}: redefine is not allowed (line {node.sourceline})")
            if node.tag == f"{_XS}include":
                self._include(path, name, address, node)
            elif node.tag == f"{_XS}import":
                self._import(path, name, node)
        return address

    def _include(self, path: Path, name: str, address: str, node: etree._Element) -> None:
        location = str(node.get("schemaLocation") or "")
        found = self.read(self._file(path, name, location, "include"), self.targets[address])
        if self.targets[found] != self.targets[address]:
            raise SchemaSourceError(f"{name}: {location} has another target namespace")
        if found == address:
            self.roots[address].remove(node)  # libxml2 refuses a file that includes itself
        else:
            node.set("schemaLocation", found)

    def _import(self, path: Path, name: str, node: etree._Element) -> None:
        namespace = str(node.get("namespace") or "")
        location = str(node.get("schemaLocation") or "") or namespace
        file = _OWN.get(namespace) or self._file(path, name, location, "import")
        found = self.read(file, "")
        if self.targets[found] != namespace:
            raise SchemaSourceError(f"{name}: {location} has another target namespace than {namespace!r}")
        node.set("schemaLocation", self.bundle(found, namespace))

    def _file(self, path: Path, name: str, location: str, what: str) -> Path:
        if location in self.locations:
            return self.base / self.locations[location]
        if not location or ":" in location or location.startswith(("/", "\\")):
            raise SchemaSourceError(
                f"{name}: {what} of {location!r}: only a relative path is allowed, or one that form.toml"
                " names in schema_locations"
            )
        return path.parent / location

    def bundle(self, address: str, namespace: str, *, entry: bool = False) -> str:
        """The document that includes all imported files of a namespace."""
        files = self.bundles.setdefault(namespace, [])
        if address not in files:
            files.append(address)
        made = _ENTRY if entry else f"{_SCHEME}://files/namespace-{len(self.addresses)}.xsd"
        return self.addresses.setdefault(namespace, made)

    def roots_of(self, namespace: str) -> list[etree._Element]:
        return [root for address, root in self.roots.items() if self.targets[address] == namespace]

    def documents(self) -> Mapping[str, bytes]:
        made = {address: etree.tostring(root, encoding="utf-8") for address, root in self.roots.items()}
        for namespace, files in self.bundles.items():
            holder = etree.Element(f"{_XS}schema", nsmap={"xs": _XS[1:-1]})
            if namespace:
                holder.set("targetNamespace", namespace)
            for file in files:
                etree.SubElement(holder, f"{_XS}include", schemaLocation=file)
            made[self.addresses[namespace]] = etree.tostring(holder, encoding="utf-8")
        return made


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
