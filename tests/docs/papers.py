"""Reading the project's Markdown: tables, fenced blocks, headings, links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
DOCS = ROOT / "docs"

_MADE = {"var", "build", "dist"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) +(.+)$", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")


def all_papers() -> list[Path]:
    """Every Markdown file of the project, without what is hidden or made by running it."""
    tops = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name not in _MADE]
    found = [path for path in tops if path.suffix == ".md"]
    return sorted(found + [paper for top in tops if top.is_dir() for paper in top.rglob("*.md")])


def without_fences(text: str) -> str:
    """The text without its fenced blocks."""
    return _FENCE.sub("", text)


def blocks(text: str, language: str) -> list[str]:
    """The fenced blocks of a language, in order."""
    return [found[2] for found in _FENCE.finditer(text) if found[1] == language]


def headings(text: str) -> list[str]:
    """All headings outside fenced blocks, without their marks."""
    return [found[2].strip() for found in _HEADING.finditer(without_fences(text))]


def section(text: str, heading: str) -> str:
    """From a heading (with its marks, as written) to the next of the same or a higher level."""
    start = re.search(rf"^{re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"no heading {heading!r}"
    level = len(heading) - len(heading.lstrip("#"))
    rest = text[start.end() :]
    end = re.search(rf"^#{{1,{level}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def table(text: str, first: str) -> list[list[str]]:
    """The rows, without heading, of every table whose first column is called `first`; cells stripped."""
    rows: list[list[str]] = []
    inside = False
    for line in without_fences(text).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells[0] == first:
            inside = True
        elif inside and not set(line) <= set("|-: "):
            rows.append(cells)
    return rows


def links(text: str) -> list[str]:
    """Targets of links outside code."""
    return _LINK.findall(_CODE.sub("", without_fences(text)))


def anchor(heading: str) -> str:
    """The fragment under which a heading is found: lower case, spaces to hyphens, other marks dropped."""
    plain = re.sub(r"[`*]", "", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
