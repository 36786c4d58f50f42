"""Reading the pages that people get, as a browser would; what is no valid HTML fails."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

from schemas.view import CSP


def page_of(html: bytes) -> Element:
    """The tree of a page: valid, self-contained, without anything that could run or be fetched."""
    text = html.decode("utf-8")
    parser: Any = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(text)
    _runs_nothing(tree)
    _keeps_its_policy(tree, text)
    return tree


def _runs_nothing(tree: Element) -> None:
    known = {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "h4", "h5", "h6", "p", "bdi",
        "table", "caption", "thead", "tbody", "tr", "th", "td", "span", "code", "br", "footer",
    }  # fmt: skip
    attributes = {"lang", "charset", "http-equiv", "content", "name", "class", "scope", "role", "aria-label"}
    for element in tree.iter():
        assert element.tag in known, element.tag
        assert set(element.attrib) <= attributes, (element.tag, element.attrib)
        assert element.get("http-equiv") in (None, "Content-Security-Policy")


def _keeps_its_policy(tree: Element, text: str) -> None:
    [style] = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    [policy] = [one.get("content") for one in tree.iter("meta") if one.get("http-equiv")]
    assert policy is not None
    for said in (policy, CSP):
        assert said.startswith(f"default-src 'none'; style-src 'sha256-{digest}'; ")
        assert "unsafe" not in said
        assert "http" not in said
    assert "url(" not in style
    assert "@import" not in style


def text_of(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def values(tree: Element) -> dict[str, str]:
    """From what a row is called ("[36] label", or the label alone) to its value, where it stands first."""
    found: dict[str, str] = {}
    for row in tree.iter("tr"):
        cells = [text_of(cell) for cell in row]
        if len(cells) == 3 and row[1].get("scope") == "row":
            found.setdefault(f"{cells[0]} {cells[1]}".strip(), cells[2])
        elif len(cells) == 2 and row[0].get("scope") == "row":
            found.setdefault(cells[0], cells[1])
    return found


def tables(tree: Element) -> dict[str, list[list[str]]]:
    """From the caption of each table to its rows, heading first."""
    return {
        text_of(caption): [[text_of(cell) for cell in row] for row in table.iter("tr")]
        for table in tree.iter("table")
        if (caption := table.find("caption")) is not None
    }
