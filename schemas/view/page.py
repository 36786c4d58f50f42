"""What a page shows, as plain values: what the caller knows about a document, and what is read from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.faults import Severity, Words

Language = Literal["vi", "en"]
Standing = Literal["sound", "unknown", "broken"]
"""Of a signature: it holds, no conclusion can be drawn, it does not hold."""
CellKind = Literal["text", "number", "tick"]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed, and whether it is sound. `indication` is the judge's own word, `reasons` why it is not sound.

    `covers`: it is over exactly what the page shows. Times are aware; `claimed_at` is the signer's word.
    """

    signer: str
    tax_codes: tuple[str, ...]
    issuer: str
    claimed_at: datetime | None
    proven_at: datetime | None
    standing: Standing
    indication: str
    covers: bool
    reasons: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Remark:
    """Something wrong, or worth knowing, in the document: as `efile check` says it."""

    code: str
    severity: Severity
    message: Words
    remedy: Words
    line: int | None = None
    path: str | None = None
    indicator: str | None = None
    value: str | None = None


PaperStanding = Literal["sound", "indeterminate", "broken", "changed", "not-judged"]


@dataclass(frozen=True, slots=True)
class Paper:
    """A file that came with a dossier. `standing` of the signatures in it and `signers`; None: none was looked for."""

    label: str
    standing: PaperStanding | None = None
    signers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class About:
    """What the caller knows of the document. Times are aware.

    `judged_at` and `policy`: as of when and by which policy the signatures were judged. `caveats`: what the reader
    must know before believing any of it.
    """

    signatures: tuple[Signature, ...] = ()
    papers: tuple[Paper, ...] = ()
    remarks: tuple[Remark, ...] = ()
    judged_at: datetime | None = None
    policy: str = ""
    number: str | None = None
    dossier_code: str | None = None
    received_at: datetime | None = None
    status: Words | None = None
    caveats: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Cell:
    """A value as it is printed. `cut`: characters that are left out; `ticked` for ticks alone."""

    text: str
    kind: CellKind = "text"
    ticked: bool = False
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Name:
    """What an element is called: its label and printed indicator where the catalogue has them, else its own name."""

    element: str
    label: Words | None = None
    indicator: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    name: Name
    cell: Cell


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that follow each other."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Column:
    name: Name
    numeric: bool


@dataclass(frozen=True, slots=True)
class Table:
    """A repeated element, a row each; None where a row has nothing in a column. `left_out`: rows not shown."""

    name: Name
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell | None, ...], ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Section:
    """A nested group. `ordinal` counts repeated ones from 1, 0 where there is only one."""

    name: Name
    ordinal: int
    blocks: tuple[Block, ...]


Block = Rows | Table | Section


@dataclass(frozen=True, slots=True)
class Fact:
    """A line of the page's head."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Page:
    """All of it. `title`, `subtitle` and the facts are in the page's language; `left_out`: rows not shown at all."""

    title: str
    subtitle: str
    facts: tuple[Fact, ...]
    blocks: tuple[Block, ...]
    left_out: int
    about: About
    notes: tuple[str, ...] = ()
