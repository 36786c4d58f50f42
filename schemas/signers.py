"""Who must sign a form: names of roles. Whose certificate speaks in which role is not judged here."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum


class Role(StrEnum):
    """In whose name a signature speaks: who files, who files in their name, who transmits.

    PERSON: a personal certificate of somebody else (chief accountant …), never enough alone.
    """

    FILER = "filer"
    AGENT = "agent"
    TVAN = "t-van"
    PERSON = "person"


Signers = tuple[tuple[Role, ...], ...]
"""Of every entry one role at least must have signed."""

DEFAULT_SIGNERS: Signers = ((Role.FILER, Role.AGENT),)
"""Of a form that says nothing, and of a document whose form cannot be read."""


def signer_faults(signers: Signers) -> Iterator[str]:
    """What a form may not ask for."""
    if not any(entry and set(entry) <= {Role.FILER, Role.AGENT} for entry in signers):
        yield "signers: no entry is of those alone who may file (filer, agent)"
    if not all(signers):
        yield "signers: an empty entry, which nobody could fulfil"
    if any(Role.TVAN in entry for entry in signers):
        yield "signers: whether a t-van signs goes by its registration, not by the form"
