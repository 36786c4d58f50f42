"""The simulated authority itself, whatever it is spoken to in: takes in, decides, and fails as it is told."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from adapters.simulator.behaviour import Behaviour
from adapters.simulator.books import Books, Entry
from adapters.simulator.deciding import decide
from adapters.told import Verdict

Fault = Literal["malformed", "damaged", "conflict", "unknown", "busy"]
"""Why it does not answer as asked: not of the form; digest and document differ; the key belongs to another document;
never seen the key; try again later. All but the last two are for good."""


class Failure(Exception):
    """What a wire has to say in its own manner. `wait` is in seconds."""

    def __init__(self, fault: Fault, words: str, wait: float | None = None) -> None:
        super().__init__(words)
        self.fault = fault
        self.words = words
        self.wait = wait


class AnswerLost(Exception):
    """The filing is taken in, and the wire must not say so: it cuts the connection, or keeps silent."""


@dataclass(frozen=True, slots=True)
class HandedPaper:
    """A file beside a filing, with the SHA-256 (hex) that the sender names."""

    name: str
    digest: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """One filing as it came over a wire. `digest` is the SHA-256 (hex) that the sender names, `reference`
    the authority's own number, where the wire has issued one before."""

    wire: str
    key: str
    agency: str
    number: str
    digest: str
    document: bytes
    reference: str | None = None
    papers: tuple[HandedPaper, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """A filing that is in the books; `fresh`: by this very message. `verdict`: where it is decided already."""

    entry: Entry
    fresh: bool
    verdict: Verdict | None


class Authority:
    """Idempotent by key, durable with a file. `behaviour` may be set at any time; `on_new` hears of each new filing."""

    def __init__(
        self, books: Path | None, behaviour: Behaviour, seed: int, clock: Callable[[], datetime]
    ) -> None:
        """Raises BooksError."""
        self.behaviour = behaviour
        self.books = Books(books)
        self.on_new: Callable[[Entry], None] = lambda _: None
        self._clock = clock
        self._chance = random.Random(seed)  # noqa: S311 - whether to fail, no secret

    async def take_in(self, handed: Handed) -> Taken:
        """Raises Failure or AnswerLost, by the behaviour of this moment; OSError where the disk refuses."""
        if hashlib.sha256(handed.document).hexdigest() != handed.digest:
            raise Failure("damaged", "The document's SHA-256 is not the digest beside it")
        for paper in handed.papers:
            if hashlib.sha256(paper.content).hexdigest() != paper.digest:
                raise Failure("damaged", f"The SHA-256 of the paper {paper.name} is not the digest beside it")
        fails = self._chance.random() < self.behaviour.fail_rate
        if fails and self._chance.random() < 0.5:
            raise Failure("busy", "Failed before taking the filing in")
        known = self.books.entries.get(handed.key)
        if known is not None and known.digest != handed.digest:
            raise Failure("conflict", "This key belongs to another document")
        entry = known or self._enter(handed)
        if known is None:
            await self.books.take_in(entry)
            self.on_new(entry)
        else:
            await self.books.repeat(entry.key)
        if fails:
            raise Failure("busy", "Failed after taking the filing in")
        if self.behaviour.lose_answer:
            self.behaviour = self.behaviour.changed({"lose_answer": self.behaviour.lose_answer - 1})
            raise AnswerLost
        return Taken(entry, known is None, self.decided(entry))

    def find(self, key: str) -> Entry:
        """The filing with this key. Raises Failure where there is none."""
        entry = self.books.entries.get(key)
        if entry is None:
            raise Failure("unknown", "No filing with this key")
        return entry

    def decided(self, entry: Entry) -> Verdict | None:
        """Its verdict, once its time has come."""
        return entry.verdict if self._clock() >= entry.decides_at else None

    def _enter(self, handed: Handed) -> Entry:
        now = self._clock()
        reference = handed.reference or f"CQT{now:%Y%m%d}{len(self.books.entries) + 1:07d}"
        decides_at = now + timedelta(seconds=self.behaviour.verdict_delay_s)
        return Entry(
            key=handed.key,
            agency=handed.agency,
            number=handed.number,
            digest=handed.digest,
            papers={paper.name: paper.digest for paper in handed.papers},
            reference=reference,
            decides_at=decides_at,
            verdict=decide(handed.document, reference, decides_at, self.behaviour.refuse),
            wire=handed.wire,
        )


class Simulated:
    """What every simulated agency shows of its authority, whatever it is spoken to in."""

    _authority: Authority

    @property
    def behaviour(self) -> Behaviour:
        """How it behaves now."""
        return self._authority.behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        self._authority.behaviour = behaviour

    @property
    def books(self) -> dict[str, Entry]:
        """Every filing taken in, by key."""
        return self._authority.books.entries
