"""From values to pages: templates of our own, everything escaped, nothing from elsewhere, no script at all."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import jinja2
import msgspec
from markupsafe import Markup

from gateway.filing.identifiers import VIETNAM
from schemas.view.values import clean

_FOLDER = Path(__file__).parent
STYLE = (_FOLDER / "style.css").read_bytes()
ICON = (_FOLDER / "icon.svg").read_bytes()
STYLE_NAME = f"style-{hashlib.sha256(STYLE).hexdigest()[:16]}.css"
"""By its content, so that a browser may keep it."""
CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
Language = Literal["vi", "en"]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages."""

    vi: str
    en: str


@cache
def words(language: Language) -> Mapping[str, str]:
    """What the pages say, by name (words.toml)."""
    raw = tomllib.loads((_FOLDER / "words.toml").read_text("utf-8"))
    both = msgspec.convert(raw, dict[str, Words])
    return {name: getattr(said, language) for name, said in both.items()}


def render(template: str, language: Language, **values: Any) -> str:
    """A page in HTML."""
    said = words(language)
    return (
        _environment()
        .get_template(template)
        .render(
            lang=language,
            w=said,
            style=STYLE_NAME,
            csp=CSP,
            span=lambda seconds: span(seconds, said),
            **values,
        )
    )


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = moment
    environment.filters["day"] = day
    return environment


def _finalized(value: Any) -> Any:
    """Nothing that a page writes turns the direction of writing, or is no character of HTML."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _at(value: str | datetime) -> datetime:
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(VIETNAM)


def moment(value: str | datetime) -> str:
    """Vietnam's time, as people there write it."""
    return _at(value).strftime("%d/%m/%Y %H:%M:%S")


def day(value: str | datetime) -> str:
    """The day in Vietnam."""
    return _at(value).strftime("%d/%m/%Y")


def span(seconds: float, said: Mapping[str, str]) -> str:
    """How long, in two units at most."""
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "days"), (hours, "hours"), (minutes, "minutes"), (rest, "seconds")]
    first = next((n for n, (count, _) in enumerate(parts) if count), len(parts) - 1)
    told = [f"{count} {said[unit]}" for count, unit in parts[first : first + 2] if count]
    return " ".join(told) or f"0 {said['seconds']}"
