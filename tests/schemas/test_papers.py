"""Papers beside a dossier, held against its signed list: each way in which they may disagree, told by its own code."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

import schemas
from schemas import Paper
from schemas.example_checks import body_of

CATALOGUE = schemas.load_catalogue()
[KARAOKE] = [one for one in CATALOGUE.descriptions() if one.form.code == "karaoke-licence"]
AT = datetime(2026, 7, 20, tzinfo=UTC)


def apart() -> tuple[etree._Element, list[Paper]]:
    """The passing example without its files, and the files."""
    body = body_of(KARAOKE.example("passes.xml"), CATALOGUE.families)
    papers = []
    for file in list(schemas.attachments_of(body)):
        assert file.content is not None
        papers.append(Paper.of(file.file_name, file.content))
        file.element.remove(file.element[-1])
    return body, papers


def codes(body: etree._Element, papers: list[Paper]) -> list[str]:
    return [fault.code for fault in CATALOGUE.examine_element(body, AT, papers).faults]


def test_papers_beside_a_dossier_are_as_good_as_those_inside() -> None:
    body, papers = apart()
    assert codes(body, papers) == []
    assert codes(body, papers[::-1]) == []


def test_a_name_is_found_whatever_its_letters_are_made_of() -> None:
    body, papers = apart()
    first = next(schemas.attachments_of(body)).element[1]
    first.text = "Giấy đăng ký.pdf"
    for name in (
        "Giấy đăng ký.pdf",
        "Gi%E1%BA%A5y %C4%91%C4%83ng k%C3%BD.pdf",
        "Gia\u0302\u0301y đa\u0306ng ky\u0301.pdf",
    ):
        assert codes(body, [replace(papers[0], name=name), *papers[1:]]) == []


def test_every_disagreement_has_its_code() -> None:
    body, papers = apart()
    first, *rest = papers
    assert codes(body, rest) == ["attachment.not-sent"]
    assert codes(body, [*papers, Paper.of("x.pdf", b"%PDF-")]) == ["attachment.not-named"]
    assert codes(body, [*papers, first]) == ["attachment.sent-twice"]
    assert codes(body, [replace(first, name="x.pdf"), *rest]) == ["attachment.other-name"]
    other = Paper.of(first.name, first.content[:-1] + b"!")
    assert codes(body, [other, *rest]) == ["attachment.digest"]
    text = Paper.of(first.name, b"GIF89a")
    assert set(codes(body, [text, *rest])) == {
        "attachment.size",
        "attachment.digest",
        "attachment.not-what-it-says",
    }
    inside = body_of(KARAOKE.example("passes.xml"), CATALOGUE.families)
    assert codes(inside, [first]) == ["attachment.sent-twice"]


def test_two_files_of_one_name_are_refused() -> None:
    body, papers = apart()
    files = [file.element for file in schemas.attachments_of(body)]
    files[1][1].text = files[0][1].text
    assert codes(body, papers).count("attachment.name-twice") == 2


def test_a_declaration_has_no_papers() -> None:
    body = body_of(schemas.example_declaration("842"), CATALOGUE.families)
    assert codes(body, [Paper.of("x.pdf", b"%PDF-")]) == ["attachment.not-named"]


@pytest.mark.parametrize(
    "name", ["../x.pdf", "a/b.pdf", "a\\b.pdf", "x\0.pdf", "", ".", " x.pdf", "x" * 201, "con:.pdf"]
)
def test_no_paper_may_be_called_so(name: str) -> None:
    assert not schemas.is_file_name(name)


def test_a_file_over_five_megabytes_comes_beside_its_dossier() -> None:
    body, papers = apart()
    first = next(schemas.attachments_of(body)).element
    large = Paper.of(papers[0].name, papers[0].content + b" " * 6_000_000)
    first[3].text, first[4].text = str(len(large.content)), large.sha256
    assert codes(body, [large, *papers[1:]]) == []
    huge = Paper.of(papers[0].name, papers[0].content + b" " * 20_000_000)
    first[3].text, first[4].text = str(len(huge.content)), huge.sha256
    assert codes(body, [huge, *papers[1:]]) == ["attachment.too-large"]


def test_a_form_says_how_large_its_papers_may_be(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    schemas.export_catalogue(schemas.OWN_CATALOGUE, folder)
    file = folder / "permits" / "karaoke-licence-1.0.0" / "form.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('kind = "pccc"', 'kind = "pccc"\nmost_bytes = 600'), encoding="utf-8")
    body, papers = apart()
    second = list(schemas.attachments_of(body))[1].element
    large = Paper.of(papers[1].name, papers[1].content + b" " * 100)
    second[3].text, second[4].text = str(len(large.content)), large.sha256
    found = schemas.open_catalogue(folder).examine_element(body, AT, [papers[0], large, papers[2]])
    assert [fault.code for fault in found.faults] == ["attachment.too-large"]
    assert codes(body, [papers[0], large, papers[2]]) == []
