"""Papers of a dossier that came beside it: what of them is kept."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FiledPaper:
    """One file as the dossier's signed list names it: `place` there, from 1; `size` in octets, `digest` SHA-256."""

    place: int
    kind: str
    name: str
    media_type: str
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class NewPaper:
    """A file about to be recorded, with its octets."""

    about: FiledPaper
    content: bytes = field(repr=False)
