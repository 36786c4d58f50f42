"""The examples in the forms' folders are judged as their cases.toml says; built ones pass."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from lxml import etree

import schemas
from schemas import Catalogue, example_declaration
from tests.schemas.conftest import RECEIVED, signed_part

FOLDERS = sorted(Path(schemas.__file__).parent.glob("tax/*/examples"))
CASES = [
    (folder / name, table["received_at"], expected)
    for folder in FOLDERS
    for table in [tomllib.loads((folder / "cases.toml").read_text("utf-8"))]
    for name, expected in table["cases"].items()
]


@pytest.mark.parametrize(("file", "received_at", "expected"), CASES, ids=[case[0].name for case in CASES])
def test_examples_are_judged_as_stated(
    catalogue: Catalogue, file: Path, received_at, expected: list[str]
) -> None:
    found = catalogue.examine(signed_part(file.read_bytes()), received_at=received_at)
    assert [fault.code for fault in found.faults if fault.severity != "INFO"] == expected


def test_every_example_has_a_stated_judgement() -> None:
    assert FOLDERS
    assert {file for folder in FOLDERS for file in folder.glob("*.xml")} == {case[0] for case in CASES}


@pytest.mark.parametrize("period", ["Q2/2026", "06/2026", "01/2026", "Q4/2025"])
@pytest.mark.parametrize("size", [None, 20_000])
def test_built_examples_pass(catalogue: Catalogue, period: str, size: int | None) -> None:
    document = example_declaration(period=period, size_hint=size, bom=True, element_id="ID_1")
    assert document.startswith(b"\xef\xbb\xbf<?xml")
    assert size is None or abs(len(document) - size) < 100
    found = catalogue.examine(signed_part(document), received_at=RECEIVED)
    assert found.accepted
    assert found.declaration is not None
    assert (found.declaration.period.label, found.declaration.element_id) == (period, "ID_1")


def test_a_built_example_looks_like_a_genuine_file() -> None:
    root = etree.fromstring(example_declaration())
    assert root.nsmap["xsi"] == "http://www.w3.org/2001/XMLSchema-instance"
    assert [etree.QName(child).localname for child in root] == ["HSoKhaiThue", "CKyDTu"]
    assert len(root[1]) == 0


@pytest.mark.parametrize("period", ["Q5/2026", "2026", "13/2026", ""])
def test_no_example_for_what_is_no_period(period: str) -> None:
    with pytest.raises(ValueError, match="quarter"):
        example_declaration(period=period)


def test_an_override_of_nothing_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        example_declaration(overrides={"ct99": "1"})
    with pytest.raises(KeyError):
        example_declaration("999")
