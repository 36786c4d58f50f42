"""Each write of the store, once: a generator of statements over a batch, without any input or output.

A driver runs the generator inside one transaction: it executes what is yielded and sends the rows back. The
generator returns one result for each item of the batch; a result that is an exception is that item's answer.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

from gateway.errors import GatewayError, KeyReused, NumberTaken, PapersDiffer
from gateway.filing.filing import Filing, Recorded, SignedAhead, SignedNotice
from gateway.filing.status import FINAL, Status
from gateway.ports import LONGEST_WAIT_SECONDS, Prepared
from gateway.store.rows import (
    FILING_COLUMNS,
    PAPER_COLUMNS,
    Row,
    filing_of,
    filing_row,
    notice_of,
    notice_row,
    paper_row,
    time_text,
)
from gateway.store.statements import FOR_UPDATE, NOW, Part, Statement, Steps


def add(batch: Sequence[Prepared]) -> Steps:
    """`Filings.add`: first settle which are repeats, then insert the rest, then read the originals back."""
    known = yield Statement(FIND_REPEAT, [_repeat_query(item.new.filing) for item in batch], fetch=True)
    fresh: list[Prepared] = []
    answers: list[str | GatewayError | None] = []
    bound: list[Row] = []
    seen: dict[tuple[str, str, str], Filing] = {}
    for item, rows in zip(batch, known, strict=True):
        filing = item.new.filing
        try:
            repeat = settle_repeat([*rows, *_seen_rows(seen, filing)], filing.digest, filing.papers_digest)
        except (KeyReused, PapersDiffer) as conflict:
            answers.append(conflict)
            continue
        answers.append(repeat)
        if repeat is None:
            fresh.append(item)
            seen.update(dict.fromkeys(_repeat_keys(filing), filing))
        elif filing.idempotency_key is not None:
            key = (filing.provider, "key", filing.idempotency_key)
            bound.append((*key, repeat))
            seen[key] = replace(filing, number=repeat)
    made = yield from _made(fresh)
    yield from _insert(fresh, made)
    yield Statement(BIND_KEY, bound)
    originals = [answer for answer in answers if isinstance(answer, str)]
    read = yield Statement(READ_RECORDED, [(number,) for number in originals], fetch=True)
    found = {number: rows[0] for number, rows in zip(originals, read, strict=True)}
    results: list[Recorded | GatewayError] = []
    recorded = iter(made)
    for answer in answers:
        if answer is None:
            results.append(next(recorded))
        else:
            results.append(recorded_of(found[answer]) if isinstance(answer, str) else answer)
    return results


FIND_REPEAT = """
SELECT r.kind, r.number, f.digest, f.papers_digest FROM repeat_key r JOIN filing f ON f.number = r.number
WHERE r.provider = ? AND ((r.kind = 'key' AND r.value = ?) OR (r.kind = 'bytes' AND r.value = ?))
"""

BIND_KEY = """
INSERT INTO repeat_key (provider, kind, value, number, bound) VALUES (?, ?, ?, ?, 1) ON CONFLICT DO NOTHING
"""
"""A new key that came with known bytes belongs to them from then on."""

READ_RECORDED = f"""
SELECT n.kind, n.issued_at, n.document, {", ".join("f." + c.strip() for c in FILING_COLUMNS.split(","))}
FROM filing f JOIN notice n ON n.number = f.number
WHERE f.number = ? AND n.kind IN ('receipt', 'refusal') ORDER BY n.kind = 'receipt' DESC LIMIT 1
"""
"""A refusal beside a receipt came later, whatever the clock said then."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """A message whose bytes are known, under a key that may be new; `number` is the original's."""

    provider: str
    key: str
    digest: bytes
    papers_digest: bytes | None
    number: str


def bind_key(batch: Sequence[Repeat]) -> Steps:
    """`Filings.find_repeat`, where the bytes decided: the key is theirs before the answer is given."""
    yield Statement(BIND_KEY, [(item.provider, "key", item.key, item.number) for item in batch])
    known = yield Statement(
        FIND_REPEAT, [(item.provider, item.key, item.digest.hex()) for item in batch], fetch=True
    )
    results: list[str | GatewayError | None] = []
    for item, rows in zip(batch, known, strict=True):
        try:
            results.append(settle_repeat(rows, item.digest, item.papers_digest))
        except (KeyReused, PapersDiffer) as conflict:
            results.append(conflict)
    return results


def recorded_of(row: Row) -> Recorded:
    """From a row of READ_RECORDED: the original filing and the first notice that was given for it."""
    return Recorded(filing_of(row[3:]), notice_of(row[:3]), repeat=True)


def _repeat_query(filing: Filing) -> Row:
    return (filing.provider, filing.idempotency_key, filing.digest.hex())


def settle_repeat(rows: Sequence[Row], digest: bytes, papers_digest: bytes | None) -> str | None:
    """The number of the original, or None for a new message. The key decides before the bytes do.

    Raises:
        KeyReused: the key names other bytes or papers.
        PapersDiffer: the bytes came with other papers.
    """
    for kind, number, original, papers in rows:
        if kind == "key":
            if (original, papers) != (digest, papers_digest):
                raise KeyReused(number)
            return str(number)
    for _, number, _, papers in rows:
        if papers != papers_digest:
            raise PapersDiffer(number)
        return str(number)
    return None


def _repeat_keys(filing: Filing) -> list[tuple[str, str, str]]:
    keys = []
    if filing.idempotency_key is not None:
        keys.append((filing.provider, "key", filing.idempotency_key))
    if filing.status is not Status.REFUSED:  # the bytes of a refused filing are judged anew
        keys.append((filing.provider, "bytes", filing.digest.hex()))
    return keys


def _seen_rows(seen: dict[tuple[str, str, str], Filing], filing: Filing) -> list[Row]:
    """The rows that FIND_REPEAT would give for filings earlier in the same batch."""
    wanted = [(filing.provider, "bytes", filing.digest.hex())]
    if filing.idempotency_key is not None:
        wanted.append((filing.provider, "key", filing.idempotency_key))
    found = [(key[1], seen[key]) for key in wanted if key in seen]
    return [(kind, one.number, one.digest, one.papers_digest) for kind, one in found]


def _made(items: Sequence[Prepared]) -> Generator[Statement, list[list[Row]], list[Recorded]]:
    """Filings with their notices, dossiers with the codes that these name: a transaction that fails takes no number."""
    made = []
    for filing, notice in ((item.new.filing, item.new.notice) for item in items):
        if isinstance(notice, SignedNotice):
            made.append(Recorded(filing, notice, repeat=False))
            continue
        assert notice.codes is not None, "what needs no code is signed before"
        day = notice.codes.day(filing.received_at)
        if isinstance(notice, SignedAhead):
            (taken,) = yield Statement(
                TAKE_DOSSIER,
                [(notice.codes.agency, day, notice.number, notice.number, notice.number - 1)],
                fetch=True,
            )
            if not taken:  # this filing's transaction fails, alone
                raise NumberTaken(notice.codes.code(day, notice.number))
            made.append(Recorded(filing, notice.notice, repeat=False))
            continue
        ((row,),) = yield Statement(NEXT_DOSSIER, [(notice.codes.agency, day)], fetch=True)
        coded = replace(filing, dossier_code=notice.codes.code(day, row[0]))
        made.append(Recorded(coded, notice.seal(coded), repeat=False))
    return made


LAST_DOSSIER = "SELECT last FROM dossier_counter WHERE agency = ? AND day = ?"
TAKE_DOSSIER = """
INSERT INTO dossier_counter (agency, day, last) VALUES (?, ?, ?)
ON CONFLICT (agency, day) DO UPDATE SET last = ? WHERE dossier_counter.last = ? RETURNING last
"""
NEXT_DOSSIER = """
INSERT INTO dossier_counter (agency, day, last) VALUES (?, ?, 1)
ON CONFLICT (agency, day) DO UPDATE SET last = dossier_counter.last + 1 RETURNING last
"""


def _insert(items: Sequence[Prepared], made: Sequence[Recorded]) -> Part:
    filings = [one.filing for one in made]
    placeholders = ", ".join("?" * len(FILING_COLUMNS.split(",")))
    yield Statement(
        f"INSERT INTO filing ({FILING_COLUMNS}) VALUES ({placeholders})",
        [filing_row(filing) for filing in filings],
    )
    yield Statement(
        "INSERT INTO body (number, encoding, octets, blob, sealed_by) VALUES (?, 'zstd', ?, ?, ?)",
        [(item.new.filing.number, item.octets, item.blob, item.sealed_by) for item in items],
    )
    yield Statement(
        f"INSERT INTO paper (number, {PAPER_COLUMNS}, encoding, octets, sealed_by)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (item.new.filing.number, *paper_row(paper.about), encoding, octets, item.sealed_by)
            for item in items
            for paper, (encoding, octets) in zip(item.new.papers, item.papers, strict=True)
        ],
    )
    yield Statement(
        INSERT_EVIDENCE,
        [(item.new.filing.number, time_text(item.new.filing.received_at), item.evidence) for item in items],
    )
    yield Statement(INSERT_NOTICE, [notice_row(one.filing.number, one.notice) for one in made])
    yield Statement(
        "INSERT INTO repeat_key (provider, kind, value, number) VALUES (?, ?, ?, ?)",
        sorted((*key, filing.number) for filing in filings for key in _repeat_keys(filing)),  # no deadlocks
    )
    yield Statement(
        f"INSERT INTO delivery (number, order_key, holds, due_at) VALUES (?, ?, 1, {NOW})",
        [(f.number, f.order_key) for f in filings if f.summary and f.status not in FINAL],
    )
    yield Statement(
        INSERT_EVENT,
        [(f.number, time_text(f.received_at), f.status.value, _intake_detail(f)) for f in filings],
    )


def _intake_detail(filing: Filing) -> str:
    return ", ".join(finding.code for finding in filing.findings)


INSERT_NOTICE = (
    "INSERT INTO notice (number, kind, issued_at, document) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
INSERT_EVIDENCE = "INSERT INTO evidence (number, at, report) VALUES (?, ?, ?)"
INSERT_EVENT = "INSERT INTO event (number, at, name, detail) VALUES (?, ?, ?, ?)"


FARTHEST = f"{NOW} + {LONGEST_WAIT_SECONDS + 1.0}"
"""No wait and no lease ends later: what lies beyond was written while the clock was ahead, and is void."""

HOLD_DELIVERY = f"SELECT seq FROM delivery WHERE number = ? {FOR_UPDATE}"
"""Before anything that also an outcome changes: the two wait for each other in one order."""

READ_FILING = f"SELECT {FILING_COLUMNS} FROM filing WHERE number = ?"


def probe(batch: Sequence[None]) -> Steps:
    """The smallest write that reaches the disk: whether promises can be kept."""
    yield Statement("UPDATE epoch SET value = value", [()])
    return [None] * len(batch)
