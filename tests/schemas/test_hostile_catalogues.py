"""Catalogue folders made to hurt: each is refused, with its fault named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas import CatalogueError, load_catalogue
from schemas.safety import MOST_PATTERN, pattern_fault
from tests.schemas.conftest import copy_of_catalogue

FORM = "tax/914-2.8.3"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return copy_of_catalogue(tmp_path / "catalogue", "914")


def refused(folder: Path) -> str:
    with pytest.raises(CatalogueError) as error:
        load_catalogue(folder)
    return "\n".join(error.value.faults)


def put_in(folder: Path, declaration: str, file: str = f"{FORM}/form.xsd") -> None:
    schema = folder / file
    text = schema.read_text(encoding="utf-8")
    assert "</xs:schema>" in text
    schema.write_text(text.replace("</xs:schema>", f"{declaration}</xs:schema>"), encoding="utf-8")


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+b",
        "(a|a)*b",
        "(ab|abc)*",
        "(.*)*",
        "([a-z]*)*x",
        "(x+x+)+y",
        "(([0-9]+,)*)*",
        "(a{100,})+",
        "([0-9,]+,)*",
        "(.+,)*",
        "([a-z]{0,9}){0,9999}",
        "((a{0,30}){0,30}){0,30}",
        "a{0,99999999999}",
        "(?:a+)+",
        "a" * (MOST_PATTERN + 1),
    ],
)
def test_regex_bombs(folder: Path, pattern: str) -> None:
    put_in(
        folder,
        '<xs:simpleType name="Bomb"><xs:restriction base="xs:string">'
        f'<xs:pattern value="{pattern}"/></xs:restriction></xs:simpleType>',
    )
    assert "form.xsd: line" in refused(folder)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "0|-?[1-9][0-9]{0,17}",
        "[0-9]{10}|[0-9]{10}-[0-9]{3}",
        "(ab|cd)*",
        "([0-9]+,)*[0-9]+",
        "(,[0-9]+)*",
        r"(\.[0-9]+)*",
        r"(\d+-)*",
        r"\p{L}+(-\p{L}+)?",
        "[(+)*]+",
        "(a?){50}",
        "[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9.-]{1,130}",
    ],
)
def test_patterns_that_schemas_truly_have(pattern: str) -> None:
    assert pattern_fault(pattern) is None


@pytest.mark.parametrize(
    ("particle", "named"),
    [
        ('<xs:element name="x" maxOccurs="1000000"/>', "say unbounded"),
        ('<xs:element name="x" minOccurs="99999999999999999999" maxOccurs="unbounded"/>', "say unbounded"),
        (
            '<xs:sequence maxOccurs="9999"><xs:element name="x" maxOccurs="9999"/></xs:sequence>',
            "counts within counts",
        ),
    ],
)
def test_counts_of_millions(folder: Path, particle: str, named: str) -> None:
    put_in(folder, f'<xs:complexType name="Many"><xs:sequence>{particle}</xs:sequence></xs:complexType>')
    assert named in refused(folder)


@pytest.mark.parametrize(
    "declaration",
    [
        '<xs:import namespace="urn:x" schemaLocation="http://127.0.0.1:9/x.xsd"/>',
        '<xs:import namespace="urn:x" schemaLocation="file:///etc/passwd"/>',
        '<xs:import namespace="urn:x" schemaLocation="../../../etc/passwd"/>',
        '<xs:redefine schemaLocation="http://127.0.0.1:9/x.xsd"/>',
        '<xs:include schemaLocation="http://127.0.0.1:9/x.xsd"/>',
        '<xs:include schemaLocation="file:///etc/passwd"/>',
        '<xs:include schemaLocation="/etc/passwd"/>',
        '<xs:include schemaLocation="../../../../../../../../etc/passwd"/>',
        '<xs:include schemaLocation="\\\\server\\share\\x.xsd"/>',
    ],
)
def test_nothing_is_fetched_and_nothing_outside_is_read(folder: Path, declaration: str) -> None:
    put_in(folder, declaration)
    faults = refused(folder)
    assert f"{FORM}/" in faults or "outside" in faults


def test_a_link_out_of_the_catalogue(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.xsd"
    shutil.move(folder / FORM / "form.xsd", outside)
    (folder / FORM / "form.xsd").symlink_to(outside)
    assert "outside the catalogue" in refused(folder)


def test_schemas_that_include_each_other_end(folder: Path) -> None:
    """A circle is no fault: each file is taken once."""
    ring = '<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="{}.xsd"/></xs:schema>'
    for one, two in (("a", "b"), ("b", "a")):
        (folder / FORM / f"{one}.xsd").write_text(ring.format(two))
    put_in(folder, "")
    text = (folder / FORM / "form.xsd").read_text(encoding="utf-8")
    included = text.replace("<xs:include", '<xs:include schemaLocation="a.xsd"/><xs:include', 1)
    before = load_catalogue(folder).descriptions()
    (folder / FORM / "form.xsd").write_text(included, encoding="utf-8")
    after = load_catalogue(folder).descriptions()
    assert [one.form.code for one in after] == [one.form.code for one in before]


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0" * 64,
        b"\x89PNG\r\n\x1a\n",
        b"<xs:schema",
        b"<!DOCTYPE x [<!ENTITY a 'b'>]><x/>",
        b"<?xml version='1.0'?><x xmlns='urn:x'/>",
        b"<a>" * 100_000,
        b" " * 2_000_001,
    ],
    ids=["empty", "NUL", "PNG", "cut", "DOCTYPE", "no schema", "deep", "large"],
)
def test_junk_for_a_schema(folder: Path, octets: bytes) -> None:
    (folder / FORM / "form.xsd").write_bytes(octets)
    assert f"{FORM}/form.xsd" in refused(folder)


@pytest.mark.parametrize("file", ["form.toml", "labels.toml", "rules.toml", "examples/cases.toml"])
@pytest.mark.parametrize(
    "octets", [b"\xff\xfe\0", b"x = [" * 2_000, b"a" * 3_000_000], ids=["binary", "deep", "large"]
)
def test_junk_for_a_table(folder: Path, file: str, octets: bytes) -> None:
    (folder / FORM / file).write_bytes(octets)
    assert Path(file).name in refused(folder)


@pytest.mark.parametrize(
    "rule",
    [
        "[tong_ct7] = [tong_ct7] and [tong_ct7] = [tong_ct7",
        "[tong_ct7] = " + "(" * 500 + "1" + ")" * 500,
        "[tong_ct7] = " + "1 + " * 5_000 + "1",
        "[tong_ct7] = 9*9*9*9*9*9*9*[tong_ct7]",
        "while true",
        "[tong_ct7] = sum(sum(sum(sum([tong_ct7]))))",
        "[tong_ct7] = exec('x')",
    ],
    ids=["open", "deep", "long", "products", "loop", "sums", "call"],
)
def test_rules_that_would_not_end(folder: Path, rule: str) -> None:
    rules = folder / FORM / "rules.toml"
    told = f'\n[[rule]]\ncode = "914.hostile"\nrule = "{rule}"\n'
    rules.write_text(rules.read_text(encoding="utf-8") + told, encoding="utf-8")
    assert "914.hostile" in refused(folder)
