"""A schema of several documents, compiled while other threads parse."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import pytest
from lxml import etree

from schemas.sources import SchemaSource, read_schema

_XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
_FORM = f"""<xs:schema {_XS} xmlns="urn:a" targetNamespace="urn:a" elementFormDefault="qualified">
%s
<xs:element name="a"><xs:complexType><xs:sequence>
<xs:any namespace="##other" processContents="strict"/></xs:sequence></xs:complexType></xs:element></xs:schema>"""
_INCLUDE = '<xs:include schemaLocation="one.xsd"/><xs:include schemaLocation="two.xsd"/>'
_IMPORT = '<xs:import namespace="urn:b" schemaLocation="b.xsd"/>'


class _Slow:
    """A document whose parsing has begun and goes on when it may."""

    def __init__(self) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self._parts = iter((b"<a>", b"</a>", b""))

    def read(self, _: int) -> bytes:
        part = next(self._parts, b"")
        if part == b"</a>":
            self.begun.set()
            assert self.go_on.wait(20)
        return part


class _Between(dict[str, bytes]):
    """Documents of a schema; when the first is included, another thread's parsing ends."""

    def end_parsing_of(self, slow: _Slow, thread: threading.Thread) -> None:
        self._ending: Iterator[None] = iter(self._end(slow, thread))

    def _end(self, slow: _Slow, thread: threading.Thread) -> Iterator[None]:
        slow.go_on.set()
        thread.join(20)
        yield None

    def get(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]
        next(self._ending, None)
        return super().get(key, default)


def _compile_amid_a_parse(folder: Path, more: str) -> None:
    (folder / "form.xsd").write_text(_FORM % more)
    for name in ("one", "two"):
        (folder / f"{name}.xsd").write_text(
            f'<xs:schema {_XS} targetNamespace="urn:a"><xs:element name="{name}"/></xs:schema>'
        )
    (folder / "b.xsd").write_text(
        f'<xs:schema {_XS} targetNamespace="urn:b"><xs:element name="b"/></xs:schema>'
    )
    read = read_schema(folder, "form.xsd", "a")
    slow, documents = _Slow(), _Between(read.documents)
    thread = threading.Thread(target=etree.parse, args=(slow,))
    thread.start()
    assert slow.begun.wait(20)
    documents.end_parsing_of(slow, thread)

    schema = SchemaSource(read.entry, documents).compile()

    document = etree.fromstring('<a xmlns="urn:a"><b xmlns="urn:b"/></a>')
    assert schema.validate(document) is (more == _IMPORT), schema.error_log


@pytest.mark.parametrize("more", [_INCLUDE, _IMPORT], ids=["include", "import"])
def test_a_schema_is_whole_though_another_thread_ends_a_parse_amid_it(tmp_path: Path, more: str) -> None:
    """In a process of its own: once it has happened, lxml's loader is another one for good."""
    process = get_context("spawn").Process(target=_compile_amid_a_parse, args=(tmp_path, more))
    process.start()
    process.join(60)
    assert process.exitcode == 0
