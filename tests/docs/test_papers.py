"""All papers: links lead somewhere, decisions have their parts, the glossary its terms, and nothing is half-written."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path

import pytest

from tests.docs.papers import DOCS, ROOT, all_papers, anchor, headings, links, section, table, without_fences

PAPERS = all_papers()
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("paper", PAPERS, ids=name)
def test_links_lead_somewhere(paper: Path) -> None:
    for target in links(paper.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, fragment = target.partition("#")
        found = (paper.parent / file).resolve() if file else paper
        assert found.exists(), f"{name(paper)} links to {target}"
        assert found.is_relative_to(ROOT), f"{name(paper)} links out of the project: {target}"
        if fragment:
            known = {anchor(heading) for heading in headings(found.read_text(encoding="utf-8"))}
            assert fragment in known, f"{name(paper)} links to {target}"


@pytest.mark.parametrize("paper", PAPERS, ids=name)
def test_papers_are_whole(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    assert text.startswith("# "), "the first line is the title"
    assert text.count("\n```") % 2 == 0, "a fence is not closed"
    assert text == unicodedata.normalize("NFC", text), "Vietnamese letters are written composed"
    assert not re.search(r"\b(TODO|FIXME|TBD|XXX)\b", text)
    for row in re.findall(r"^\|.*$", without_fences(text), re.MULTILINE):
        assert row.endswith("|"), row


def test_the_readme_leads_to_every_paper() -> None:
    """From the README on, over links; decisions lead on from the first of them by their numbers."""
    seen: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        paper = waiting.pop()
        if paper.suffix == ".md" and paper not in seen:
            seen.add(paper)
            waiting += [
                (paper.parent / target.partition("#")[0]).resolve()
                for target in links(paper.read_text(encoding="utf-8"))
                if ":" not in target
            ]
    assert DECISIONS[0] in seen
    lost = {paper for paper in PAPERS if paper.parent in (ROOT, DOCS) or paper.parent.parent == ROOT} - seen
    assert not lost, [name(paper) for paper in lost]


def test_there_are_decisions_numbered_without_gaps() -> None:
    numbers = [int(re.match(r"(\d{4})-[a-z0-9-]+\.md", paper.name)[1]) for paper in DECISIONS]  # type: ignore[index]
    assert len(numbers) >= 10
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("paper", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_says_status_context_decision_consequences_on_one_screen(paper: Path) -> None:
    text = paper.read_text(encoding="utf-8")
    title, *parts = headings(text)
    assert title.startswith(paper.name[:4] + " ")
    assert parts == ["Status", "Context", "Decision", "Consequences"]
    for part in parts:
        assert section(text, f"## {part}").strip(), f"{part} is empty"
    assert text.count("\n") <= 50


def test_the_glossary_has_each_term_once_in_both_languages() -> None:
    rows = table((DOCS / "glossary.md").read_text(encoding="utf-8"), "Tiếng Việt")
    assert len(rows) >= 60
    assert all(len(row) == 3 and row[0] and row[1] for row in rows)
    for column in (0, 1):
        terms = [row[column].lower() for row in rows]
        assert len(set(terms)) == len(terms)


def test_the_licence_is_the_unmodified_apache_licence() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    version = re.search(r'^version = "(.+)"$', project, re.MULTILINE)
    assert version is not None
    newest = re.search(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == version[1]
