"""Chaos for a while, then the books compared: acknowledged filings that the agency lacks, or has twice."""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.simulator import Simulator
from tests.torture.harms import JUMPS, SHORT_JUMPS, Harm, Machine, ready
from tests.torture.scenes import Scene, scene
from tests.torture.senders import Books, Sender

SENDERS = 4
DRAIN_SECONDS = 900.0


@dataclass
class Result:
    """What was done to it, and what came of it. `seen`: how often it was shown that a harm happened, and by what."""

    name: str
    done: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    shown: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    books: Books = field(default_factory=Books)
    errors: Counter[str] = field(default_factory=Counter)
    sent_more_than_once: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)

    @property
    def never(self) -> list[str]:
        """Harms that were never shown to have happened: the run proves nothing of them."""
        return [name for name in self.done if not self.seen[name]]

    def lines(self) -> list[str]:
        """A table for people."""
        books = self.books
        rows = [
            f"{name:40} {count:5} {self.seen[name]:5}  {self.shown.get(name, 'NEVER SEEN')}"
            for name, count in sorted(self.done.items())
        ]
        missing = [f"!!! MISSING: {needed}; SKIPPED: {name}" for name, needed in self.missing.items()]
        return [
            f"{self.name}: {len(books.receipts)} acknowledged, {books.unanswered} sends unanswered, "
            f"{books.busy} busy, {books.faults} answered 500, {self.sent_more_than_once} reached the agency more than "
            f"once under one key; lost {len(self.lost)}, doubled {len(self.doubled)}",
            f"{'what was done to it':40} {'times':>5} {'seen':>5}  by what, the last time",
            *rows,
            *missing,
            *(f"answered 500, {count} times: {error}" for error, count in self.errors.items()),
        ]


async def torture(name: str, seconds: float | None, seed: int | None = None) -> Result:
    """Senders over mTLS, an agency that fails 30 % and calls back twice, and one harm after another; without
    `seconds` the short form, each once."""
    chance = random.Random(seed)
    result = Result(name)
    async with scene(name, chance, SHORT_JUMPS if seconds is None else JUMPS) as one:
        result.books, result.missing = one.books, one.missing
        if one.harms:
            verdicts = await _run(one, seconds, chance, result)
            _compare(result, verdicts, one.authority)
            result.errors = _errors(one.made.directory / "gateway.log")
    return result


def _errors(log: Path) -> Counter[str]:
    """What the gateway answered 500 for."""
    told = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return Counter(
        one["exception"].splitlines()[-1][:300] for one in told if one.get("event") == "internal-error"
    )


async def _run(one: Scene, seconds: float | None, chance: random.Random, result: Result) -> dict[str, str]:
    """Where each filing stands in the end."""
    senders = [Sender(one.made, index, one.books) for index in range(SENDERS)]
    over = asyncio.Event()
    sending = [asyncio.create_task(sender.send_until(over)) for sender in senders]
    end = None if seconds is None else time.monotonic() + seconds
    harms = [harm for harm in one.harms if harm.short or end is not None]
    for harm in _turns(harms, end, chance):
        await asyncio.sleep(chance.uniform(0.5, 1.0) if end is None else chance.uniform(1.0, 4.0))
        began = time.monotonic()
        beside = harm.beside and end is not None and chance.random() < 0.5
        shown, _ = await asyncio.gather(harm.do(), _also(one, chance, result) if beside else asyncio.sleep(0))
        result.done[harm.name] += 1
        result.seen[harm.name] += bool(shown)
        if shown:
            result.shown[harm.name] = shown
        print(
            f"{result.name}: {harm.name}, {time.monotonic() - began:.1f} s: {shown or 'NOT SEEN'}",
            file=sys.stderr,
        )
        if any(sender.done() for sender in sending):
            break
    for gateway in one.gateways:
        await ready(gateway)
    over.set()
    async with asyncio.timeout(DRAIN_SECONDS):
        await asyncio.gather(*sending)
        return await senders[0].verdicts([number for number, _ in one.books.receipts.values()])


def _turns(harms: Sequence[Harm], end: float | None, chance: random.Random) -> Iterator[Harm]:
    """All of them in some order, and again until the end."""
    while True:
        for harm in chance.sample(harms, len(harms)):
            if end is not None and time.monotonic() > end:
                return
            yield harm
        if end is None:
            return


async def _also(one: Scene, chance: random.Random, result: Result) -> None:
    """A worker is killed amid another harm."""
    await asyncio.sleep(chance.uniform(0.0, 2.0))
    if await Machine(one.gateways[0], chance).kill_worker():
        name = "kill -9 of a worker amid another harm"
        result.done[name] += 1
        result.seen[name] += 1
        result.shown[name] = "its process was gone"


def _compare(result: Result, verdicts: dict[str, str], authority: Simulator) -> None:
    theirs = Counter(entry.number for entry in authority.books.values())
    digests = Counter(entry.digest for entry in authority.books.values())
    ours = Counter(number for number, _ in result.books.receipts.values())
    result.lost = [number for number in ours if not theirs[number] or verdicts.get(number) != "accepted"]
    result.doubled = [
        number for number, count in (ours + theirs).items() if theirs[number] > 1 or ours[number] > 1
    ]
    result.doubled += [digest for digest, count in digests.items() if count > 1]
    result.doubled += [number for number in theirs if number not in ours]  # a filing that no sender knows of
    result.sent_more_than_once = sum(entry.times > 1 for entry in authority.books.values())
