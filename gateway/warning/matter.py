"""What people are warned of: each matter once at each of its levels, over all processes and nodes."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from gateway.filing.findings import Text

_MOST = 300
_UNPRINTABLE = ("Zl", "Zp")


class Kind(StrEnum):
    """What kind of matter it is. The words are public: payload of webhooks, docs/certificates.md."""

    CERTIFICATE_ENDS = "certificate-ends"
    CERTIFICATE_ENDED = "certificate-ended"
    LIST_ENDS = "list-ends"
    LIST_ENDED = "list-ended"
    TRUST_ENDS = "trust-ends-soon"
    TRUST_ENDED = "trust-ended"
    NOT_TAKEN_OVER = "not-taken-over"
    CHANGE_LATE = "change-late"
    FILINGS_OVERDUE = "filings-overdue"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Matter:
    """`about`: the entry of the register, or the name of what it is. `until`: when that ends (aware).

    `id`: the same in every process that sees the matter at this level, and in no other matter.
    """

    id: str
    kind: Kind
    about: str
    text: Text
    mend: Text
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """What one channel is sent at once. `at`: when it was put together (aware); `code`, `name`: the gateway's."""

    code: str
    name: str
    at: datetime
    matters: tuple[Matter, ...]

    @property
    def id(self) -> str:
        """The same whenever the same matters are sent."""
        return digest(*sorted(one.id for one in self.matters))


class NotSent(Exception):
    """A channel could not be rid of a message; the text holds no secret, and nothing that a terminal would act on."""

    def __init__(self, reason: str) -> None:
        super().__init__(plain(reason))


class Channel(Protocol):
    """A way to people. `seconds`: the longest that `send` may take."""

    name: str
    seconds: float

    async def send(self, message: Message) -> None:
        """Returns once the other side has it. Raises NotSent."""
        ...

    def faults(self) -> Sequence[str]:
        """What of its files cannot be used, all at once."""
        ...


def matter(
    kind: Kind, about: str, level: object, text: Text, mend: Text, *, until: datetime | None = None
) -> Matter:
    """`level`: at each other value it is told again. What comes from certificates is made printable."""
    said = Text(plain(text.vi), plain(text.en))
    return Matter(digest(kind.value, about, str(level)), kind, plain(about), said, mend, until)


def plain(text: str, most: int = _MOST) -> str:
    """On one line, of at most `most` characters; control, formatting and direction characters become U+FFFD."""
    shown = "".join(
        "\ufffd" if unicodedata.category(c)[0] == "C" or unicodedata.category(c) in _UNPRINTABLE else c
        for c in text[: most + 1]
    )
    return shown if len(text) <= most else f"{shown[:most]}…"


def digest(*words: str) -> str:
    """32 hexadecimal digits."""
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:32]
