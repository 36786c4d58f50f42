"""From a page's values to HTML: one template, one style sheet, nothing else; every value escaped."""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import jinja2
import msgspec
from markupsafe import Markup

from schemas.faults import Words, shown
from schemas.view.page import Language, Page, Rows, Section, Table
from schemas.view.values import clean, group_digits, show_time

_FOLDER = Path(__file__).parent
_STYLE = (_FOLDER / "style.css").read_text("utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode("utf-8")).digest()).decode("ascii")
_META_CSP = f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'"
CSP = f"{_META_CSP}; frame-ancestors 'none'; sandbox"
"""For the HTTP header. The page bears the same, but for what a page cannot say of itself."""
_WIDE = 7
"""Columns beyond which a table gets a sheet across."""
_DEEPEST_HEADING = 6


@dataclass(frozen=True, slots=True)
class ViewPage:
    """HTML in UTF-8, and the title in it."""

    html: bytes = field(repr=False)
    title: str


@cache
def page_words() -> Mapping[str, Words]:
    """What the page itself says, by name (words.toml)."""
    raw = tomllib.loads((_FOLDER / "words.toml").read_text("utf-8"))
    return {name: Words(**said) for name, said in msgspec.convert(raw, dict[str, dict[str, str]]).items()}


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests.update(
        rows=lambda block: isinstance(block, Rows),
        table=lambda block: isinstance(block, Table),
        section=lambda block: isinstance(block, Section),
    )
    return environment.get_template("page.html.j2")


def render(page: Page, language: Language) -> ViewPage:
    """The page in Vietnamese or English. Text that XML could carry and HTML could not is replaced by U+FFFD."""

    def say(words: Words) -> str:
        return clean(words.vi if language == "vi" else words.en)

    said = {name: say(words) for name, words in page_words().items()}
    html = _template().render(
        page=page,
        about=page.about,
        lang=language,
        w=said,
        say=say,
        shown=shown,
        clean=clean,
        time=show_time,
        count=lambda number: group_digits(str(number)),
        heading=lambda depth: min(depth, _DEEPEST_HEADING),
        wide=_WIDE,
        style=Markup(_STYLE),  # noqa: S704 - our own file
        csp=_META_CSP,
    )
    return ViewPage(html.encode("utf-8", "replace"), page.title)
