"""The examples of a form's folder, judged as its cases.toml says: a form whose own examples surprise is not loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import msgspec
from lxml import etree

from schemas.families import Families
from schemas.faults import Fault
from schemas.reading import local_name

PASSING = "passes.xml"
Judge = Callable[[etree._Element, datetime], tuple[Fault, ...]]


class Broken(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An example made from the passing one: by the end of an element's path its new text, or the elements left out."""

    expected: tuple[str, ...]
    changes: dict[str, str] = {}
    without: tuple[str, ...] = ()


class Cases(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cases`: files and the codes of every ERROR and WARNING they show, in document order; `broken`: by name, others
    made from the passing one."""

    received_at: datetime
    cases: dict[str, tuple[str, ...]]
    broken: dict[str, Broken] = {}


class ExampleError(Exception):
    """An examples folder that cannot be read; the message says why."""


def read_cases(folder: Path) -> Cases:
    """Raises ExampleError."""
    try:
        return msgspec.convert(tomllib.loads((folder / "cases.toml").read_text("utf-8")), Cases)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ExampleError(
            f"cases.toml: {error.strerror if isinstance(error, OSError) else error}"
        ) from error


def examples(folder: Path, cases: Cases) -> Iterator[tuple[str, bytes, tuple[str, ...]]]:
    """Every example: its name, the document, the codes it must show. Raises ExampleError."""
    for name, expected in cases.cases.items():
        try:
            yield name, (folder / name).read_bytes(), expected
        except OSError as error:
            raise ExampleError(f"{name}: {error.strerror}") from error
    for name, broken in cases.broken.items():
        try:
            document = changed((folder / PASSING).read_bytes(), broken.changes, broken.without)
        except OSError as error:
            raise ExampleError(f"{PASSING}: {error.strerror}") from error
        except ExampleError as error:
            raise ExampleError(f"{name}: {error}") from error
        yield name, document, broken.expected


def example_faults(folder: Path, families: Families, judge: Judge) -> Iterator[str]:
    """What surprises in the examples of `folder`, in words."""
    try:
        cases = read_cases(folder)
        if cases.cases.get(PASSING) != ():
            yield f"cases.toml: {PASSING} must be there, and show nothing"
        if not any(expected for _, _, expected in examples(folder, cases)):
            yield "cases.toml: no example that fails"
        for name, document, expected in examples(folder, cases):
            found = tuple(
                f.code for f in judge(body_of(document, families), cases.received_at) if f.severity != "INFO"
            )
            if found != expected:
                yield f"{name}: shows {_said(found)}, not {_said(expected)}"
    except (ExampleError, etree.XMLSyntaxError) as error:
        yield str(error)


def body_of(document: bytes, families: Families) -> etree._Element:
    """What would be signed. Raises XMLSyntaxError, ExampleError."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    family = families.of_root(str(root.tag))
    body = family.body_of(root) if family is not None else None
    if body is None:
        raise ExampleError(f"an example that is no document of any family: {root.tag}")
    return body


def changed(document: bytes, changes: Mapping[str, str], without: Sequence[str] = ()) -> bytes:
    """The document with new texts, by the end of an element's path, and without some elements.

    Raises ExampleError where there is no such element.
    """
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True))
    for path, text in changes.items():
        _one(root, path).text = text
    for path in without:
        element = _one(root, path)
        parent = element.getparent()
        if parent is not None:
            parent.remove(element)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _one(root: etree._Element, path: str) -> etree._Element:
    steps = path.split("/")
    found = next((element for element in root.iter("*") if _ends(element, steps)), None)
    if found is None:
        raise ExampleError(f"the passing example has no element {path}")
    return found


def _ends(element: etree._Element | None, steps: list[str]) -> bool:
    for step in reversed(steps):
        if element is None or local_name(element) != step:
            return False
        element = element.getparent()
    return True


def _said(codes: tuple[str, ...]) -> str:
    return ", ".join(codes) or "nothing"
