"""What the signatures in a dossier's papers came to: told, and no reason to refuse unless the form demands them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class PaperStanding(StrEnum):
    """Of a PDF that bears signatures; the worst of them decides. NOT_JUDGED: beyond a limit, or not read in time."""

    SOUND = "sound"
    INDETERMINATE = "indeterminate"
    BROKEN = "broken"
    CHANGED = "changed"
    NOT_JUDGED = "not-judged"


@dataclass(frozen=True, slots=True)
class PaperSignatures:
    """`number` counts the dossier's papers from 1, `name` is the file's. `signers` are proven only where SOUND."""

    number: int
    name: str
    standing: PaperStanding
    signers: tuple[str, ...]
