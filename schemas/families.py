"""Families of documents: how a file is built, which part is signed, and where its heading says what it is.

A family is a folder of the catalogue with a `family.toml`; the two of this library are `tax/` and `permits/`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from lxml import etree
from msgspec import Meta

from schemas.naming import Naming

OWN_CATALOGUE = Path(__file__).parent
"""The folder of the catalogue that comes with the library."""
DSIG = "http://www.w3.org/2000/09/xmldsig#"
Term = Literal[
    "code", "version", "kind", "filer", "filer_name", "filer_address", "agent", "agent_name", "form_name",
    "description", "office_code", "office_name", "signer_name", "signed_on",
]  # fmt: skip
"""What a heading may say: which form it is, who files and in whose name, to which office, signed by whom and when."""
SummaryKind = Literal["declaration", "dossier", "document"]
IDENTIFYING: tuple[Term, ...] = ("code", "version", "kind")
"""What names a form; a family whose documents do not say one of them fixes it."""

_READ_BY_PATH: Mapping[SummaryKind, tuple[Term, ...]] = {
    "declaration": IDENTIFYING,
    "dossier": (*IDENTIFYING, "agent"),
    "document": (),
}

_NCNAME = r"[A-Za-z_][A-Za-z0-9._-]*"
_STEP = re.compile(rf"(?:{_NCNAME}:)?{_NCNAME}")
_Name = Annotated[str, Meta(pattern="^[a-z0-9][a-z0-9-]{0,60}$")]
_Element = Annotated[str, Meta(pattern=f"^{_NCNAME}$")]
_Duration = Annotated[str, Meta(pattern="^[1-9][0-9]{0,3} (day|month|year)s?$")]


class Family(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A family.toml: a file is `root`, holding the signed `body` (with an id), then elements that hold signatures.

    `body` "" is the root itself, signatures and all. `signatures`: paths below the root, "" for the root. Plain names
    are of `namespace` ("" for none), those with a prefix of `namespaces`; with `unqualified` all below the root are of
    no namespace. `paths` lie below the body and tell where a term stands, `fixed` what it is in every document.
    `summary`: "declaration" (the heading of tax declarations, by period), "dossier" (that of permits: mã số hồ sơ,
    papers) or "document" (by `paths` alone). `heading`: children of the body that all documents share. `tvan_signs`:
    the T-VAN signs beside, where the dated rule and its entry say so. `retention`: how long a filing's parts are kept
    after it has ended ("10 years"), for ever where it says nothing.
    """

    name: _Name
    root: _Element
    name_vi: str
    name_en: str
    paths: dict[Term, str]
    summary: SummaryKind = "document"
    namespace: str = ""
    body: Annotated[str, Meta(pattern=f"^({_NCNAME})?$")] = ""
    signatures: Annotated[tuple[str, ...], Meta(min_length=1)] = ("",)
    fixed: dict[Term, str] = {}
    heading: tuple[_Element, ...] = ()
    namespaces: dict[str, str] = {}
    unqualified: bool = False
    tvan_signs: bool = False
    retention: dict[Literal["body", "papers", "record"], _Duration] = {}

    @cached_property
    def naming(self) -> Naming:
        """How paths write names."""
        inside = "" if self.unqualified else self.namespace
        return Naming(inside, {"ds": DSIG, **self.namespaces})

    def tag(self, name: str) -> str:
        """The qualified name of a step of a path."""
        return self.naming.tag(name)

    def find(self, path: str) -> str:
        """`path` as lxml's find takes it."""
        return self.naming.find(path)

    @cached_property
    def root_tag(self) -> str:
        return f"{{{self.namespace}}}{self.root}" if self.namespace else self.root

    @cached_property
    def body_tag(self) -> str:
        return self.tag(self.body) if self.body else self.root_tag

    @property
    def body_name(self) -> str:
        return self.body or self.root

    @property
    def dossiers(self) -> bool:
        """Whether its documents get dossier codes (mã số hồ sơ), and are answered as dossiers are."""
        return self.summary == "dossier"

    def body_of(self, root: etree._Element) -> etree._Element | None:
        """What should be signed, in a file with this root."""
        return root.find(self.body_tag) if self.body else root

    def holders(self, root: etree._Element) -> list[etree._Element]:
        """The elements that may hold signatures, as far as they are there."""
        return [holder for path in self.signatures for holder in root.findall(self.find(path))]

    def element(self, body: etree._Element, term: Term) -> etree._Element | None:
        """The first element where the term stands, None where there is none."""
        path = self.paths.get(term)
        return body.find(self.find(path)) if path is not None else None

    def value(self, body: etree._Element, term: Term) -> str:
        """What a body says, without white space around; "" for nothing."""
        if (fixed := self.fixed.get(term)) is not None:
            return fixed
        found = self.element(body, term)
        return (found.text or "").strip() if found is not None else ""

    def is_heading(self, path: str) -> bool:
        """Whether a path below the body lies in what all documents of the family share."""
        return path.partition("/")[0] in self.heading

    def faults(self) -> Iterator[str]:
        """What makes it unfit."""
        for uri in (self.namespace, *self.namespaces.values()):
            if any(character in uri for character in "{} \t\n"):
                yield f"{uri!r} is no namespace"
        for prefix in self.namespaces:
            if not re.fullmatch(_NCNAME, prefix):
                yield f"{prefix!r} is no prefix"
        yield from self._term_faults()
        for path in (*self.paths.values(), *filter(None, self.signatures)):
            if not self._is_path(path):
                yield f"{path!r} is no path of element names with declared prefixes"
        if self.body and any(path.split("/")[0] == self.body for path in self.signatures):
            yield "signatures: they lie beside the body, not in it"

    def _term_faults(self) -> Iterator[str]:
        for term in IDENTIFYING:
            if (term in self.paths) == (term in self.fixed):
                yield f"{term}: either paths or fixed must say it"
        if "filer" not in self.paths:
            yield "paths: nothing says who files (filer)"
        for term in self.fixed.keys() - set(IDENTIFYING):
            yield f"fixed: {term} is the document's to say"
        for term in _READ_BY_PATH[self.summary]:
            if term not in self.paths:
                yield f"paths: {term} is missing, which a {self.summary} has"

    def _is_path(self, path: str) -> bool:
        steps = path.split("/")
        prefixes = (step.rpartition(":")[0] for step in steps)
        return all(_STEP.fullmatch(step) for step in steps) and all(
            not prefix or prefix in self.naming.prefixes for prefix in prefixes
        )


class Families(Mapping[str, Family]):
    """The families of a catalogue by name. `folders`: where each keeps what its forms share."""

    def __init__(self, families: Sequence[tuple[str, Family]]) -> None:
        """`families`: folder and family."""
        self._by_name = {family.name: family for _, family in families}
        self._by_root = {family.root_tag: family for _, family in families}
        self._by_body = {family.body_tag: family for _, family in families}
        self.folders: Mapping[str, str] = {family.name: folder for folder, family in families}
        self._given = tuple(family for _, family in families)

    def __getitem__(self, name: str) -> Family:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._by_name)

    def of_root(self, tag: str) -> Family | None:
        """The family whose files have this root element (qualified name)."""
        return self._by_root.get(tag)

    def of_body(self, tag: str) -> Family | None:
        """The family whose signed element this is (qualified name)."""
        return self._by_body.get(tag)

    def faults(self) -> Iterator[str]:
        """Where two could be taken for each other."""
        for what, found in (("name", self._by_name), ("root", self._by_root), ("body", self._by_body)):
            if len(found) != len(self._given):
                yield f"two families have the same {what}"


def read_family(file: Path) -> Family:
    """Raises OSError, UnicodeDecodeError, TOMLDecodeError, ValidationError."""
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Family)


TAX = read_family(OWN_CATALOGUE / "tax" / "family.toml")
PERMIT = read_family(OWN_CATALOGUE / "permits" / "family.toml")
"""Dossiers of the provincial services: the element names are this project's own, in the terms of the procedures."""
