"""The store as the ports name it: writes are operations run by the driver, reads are plain SQL."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from gateway.errors import StoreUnavailable
from gateway.filing.attachments import FiledPaper
from gateway.filing.attempt import Attempts
from gateway.filing.filing import Event, Filing, NewFiling, NoticeKind, Recorded, SignedNotice
from gateway.filing.handover import Handover
from gateway.filing.verdict import Verdict
from gateway.ports import (
    Agency,
    Claim,
    ClientIdentity,
    Clock,
    Concluded,
    HandoverClaim,
    HandoverOutcome,
    Outcome,
    Prepared,
    Provider,
    Written,
)
from gateway.store import (
    claims,
    handovers,
    operations,
    outcomes,
    verdicts,
)
from gateway.store.attempts import READ_ATTEMPTS, attempts_of
from gateway.store.bodies import READ_BODY, READ_PAPER, Bodies
from gateway.store.operator_side import OperatorSide
from gateway.store.register_side import RegisterSide
from gateway.store.reseal_side import ResealSide
from gateway.store.rows import (
    AGENCY_COLUMNS,
    FILING_COLUMNS,
    PAPER_COLUMNS,
    PROVIDER_COLUMNS,
    agency_of,
    filing_of,
    handover_of,
    notice_of,
    paper_of,
    provider_of,
    verdict_of,
)
from gateway.store.statements import Driver

_PROBE_SECONDS = 1.0
_CLIENT = f"""
SELECT c.kind, c.party, c.active, {", ".join(f"p.{column.strip()}" for column in PROVIDER_COLUMNS.split(","))}
FROM client_certificate c LEFT JOIN provider p ON c.kind = 'provider' AND p.id = c.party
WHERE c.fingerprint = ?
"""


class Store(OperatorSide, RegisterSide, ResealSide):
    """Filings, Deliveries and Registry of `ports.py` in one database. `clock` dates the events."""

    def __init__(self, driver: Driver, clock: Clock, bodies: Bodies | None = None) -> None:
        self._driver = driver
        self._clock = clock
        self._bodies = bodies or Bodies()
        self._probe: asyncio.Task[None] | None = None

    # Filings

    def prepare(self, new: NewFiling) -> Prepared:
        """See `ports.Filings.prepare`."""
        return self._bodies.prepared(new)

    async def add(self, prepared: Prepared) -> Recorded:
        """See `ports.Filings.add`."""
        prepared = await self._bodies.put_away(prepared)
        recorded: Recorded = await self._driver.write(operations.add, prepared)
        return recorded

    async def next_dossier(self, agency: str, day: str) -> int:
        """See `ports.Filings.next_dossier`."""
        rows = await self._driver.read(operations.LAST_DOSSIER, (agency, day))
        return int(rows[0][0]) + 1 if rows else 1

    async def find_repeat(
        self, provider: str, key: str | None, digest: bytes, papers_digest: bytes | None = None
    ) -> Recorded | None:
        """See `ports.Filings.find_repeat`."""
        rows = await self._driver.read(operations.FIND_REPEAT, (provider, key, digest.hex()))
        number = operations.settle_repeat(rows, digest, papers_digest)
        if number is None:
            return None
        if key is not None and all(kind != "key" for kind, *_ in rows):
            number = await self._driver.write(
                operations.bind_key, operations.Repeat(provider, key, digest, papers_digest, number)
            )
        rows = await self._driver.read(operations.READ_RECORDED, (number,))
        return operations.recorded_of(rows[0])

    async def filing(self, number: str) -> Filing | None:
        """See `ports.Filings.filing`."""
        rows = await self._driver.read(operations.READ_FILING, (number,))
        return filing_of(rows[0]) if rows else None

    async def dossier(self, code: str) -> Filing | None:
        """See `ports.Filings.dossier`."""
        sql = f"SELECT {FILING_COLUMNS} FROM filing WHERE dossier_code = ?"
        rows = await self._driver.read(sql, (code,))
        return filing_of(rows[0]) if rows else None

    async def document(self, number: str) -> bytes | None:
        """See `ports.Filings.document`."""
        rows = await self._driver.read(READ_BODY, (number,))
        return await self._bodies.document(rows[0]) if rows else None

    async def papers(self, number: str) -> Sequence[FiledPaper]:
        """See `ports.Filings.papers`."""
        rows = await self._driver.read(
            f"SELECT {PAPER_COLUMNS} FROM paper WHERE number = ? ORDER BY place", (number,)
        )
        return [paper_of(row) for row in rows]

    async def paper(self, number: str, place: int) -> bytes:
        """See `ports.Filings.paper`."""
        rows = await self._driver.read(READ_PAPER, (number, place))
        if not rows:
            raise KeyError((number, place))
        return await self._bodies.paper(rows[0])

    async def notice(self, number: str, kinds: Sequence[NoticeKind]) -> SignedNotice | None:
        """See `ports.Filings.notice`."""
        rows = await self._driver.read(
            "SELECT kind, issued_at, document FROM notice WHERE number = ? ORDER BY rowid DESC", (number,)
        )
        return next((notice for row in rows if (notice := notice_of(row)).kind in kinds), None)

    async def events(self, number: str) -> Sequence[Event]:
        """See `ports.Filings.events`."""
        rows = await self._driver.read(
            "SELECT at, name, detail FROM event WHERE number = ? ORDER BY seq", (number,)
        )
        return [Event(datetime.fromisoformat(at), name, detail) for at, name, detail in rows]

    async def attempts(self, number: str) -> Sequence[Attempts]:
        """See `ports.Filings.attempts`."""
        return [attempts_of(row) for row in await self._driver.read(READ_ATTEMPTS, (number,))]

    async def judged(self, number: str) -> Mapping[str, Any] | None:
        """See `ports.Filings.judged`."""
        reports = await self.evidence(number)
        return reports[-1] if reports else None

    async def verdict(self, number: str) -> Verdict | None:
        """See `ports.Filings.verdict`."""
        rows = await self._driver.read("SELECT verdict FROM verdict WHERE number = ?", (number,))
        return verdict_of(rows[0][0]) if rows else None

    async def handovers(self, number: str) -> Sequence[Handover]:
        """See `ports.Filings.handovers`."""
        return [handover_of(row) for row in await self._driver.read(handovers.READ_HANDOVERS, (number,))]

    # Deliveries

    async def claim_due(self, owner: str, limit: int, lease_seconds: float) -> Sequence[Claim]:
        """See `ports.Deliveries.claim_due`."""
        request = claims.Request(owner, limit, lease_seconds, self._clock())
        claimed: list[Claim] = await self._driver.write(claims.claim_due, request)
        return claimed

    async def renew(self, claim: Claim, lease_seconds: float) -> bool:
        """See `ports.Deliveries.renew`."""
        held: bool = await self._driver.write(claims.renew, claims.Renewal(claim, lease_seconds))
        return held

    async def record_outcome(self, outcome: Outcome) -> Written:
        """See `ports.Deliveries.record_outcome`."""
        item = outcomes.Attempted(outcome, self._clock())
        written: Written = await self._driver.write(outcomes.record_outcome, item)
        return written

    async def record_verdict(
        self,
        number: str,
        verdict: Verdict,
        notice: SignedNotice,
        at: datetime,
        handovers: Sequence[Handover] = (),
    ) -> Concluded:
        """See `ports.Deliveries.record_verdict`."""
        item = verdicts.VerdictArrival(number, verdict, notice, tuple(handovers), at)
        concluded: Concluded = await self._driver.write(verdicts.record_verdict, item)
        return concluded

    async def body(self, number: str) -> bytes:
        """See `ports.Deliveries.body`."""
        document = await self.document(number)
        if document is None:
            raise KeyError(number)
        return document

    async def claim_handovers(self, owner: str, limit: int, lease_seconds: float) -> Sequence[HandoverClaim]:
        """See `ports.Deliveries.claim_handovers`."""
        request = claims.Request(owner, limit, lease_seconds, self._clock())
        claimed: list[HandoverClaim] = await self._driver.write(claims.claim_handovers, request)
        return claimed

    async def renew_handover(self, claim: HandoverClaim, lease_seconds: float) -> bool:
        """See `ports.Deliveries.renew_handover`."""
        held: bool = await self._driver.write(claims.renew_handover, claims.Renewal(claim, lease_seconds))
        return held

    async def record_handover(self, outcome: HandoverOutcome) -> Written:
        """See `ports.Deliveries.record_handover`."""
        item = handovers.Tried(outcome, self._clock())
        written: Written = await self._driver.write(handovers.record_handover, item)
        return written

    async def record_answer(self, number: str, agency: str, answer: str) -> bool:
        """See `ports.Deliveries.record_answer`."""
        item = handovers.HandoverAnswer(number, agency, answer, self._clock())
        first: bool = await self._driver.write(handovers.record_answer, item)
        return first

    # Registry

    async def client(self, fingerprint: str) -> ClientIdentity | None:
        """See `ports.Registry.client`."""
        rows = await self._driver.read(_CLIENT, (fingerprint,))
        if not rows:
            return None
        kind, party, active, *provider = rows[0]
        return ClientIdentity(kind, party, bool(active), provider_of(provider) if provider[0] else None)

    async def provider(self, id: str) -> Provider | None:
        """See `ports.Registry.provider`."""
        rows = await self._driver.read(f"SELECT {PROVIDER_COLUMNS} FROM provider WHERE id = ?", (id,))
        return provider_of(rows[0]) if rows else None

    async def agencies(self) -> Sequence[Agency]:
        """See `ports.Registry.agencies`."""
        return [
            agency_of(row)
            for row in await self._driver.read(f"SELECT {AGENCY_COLUMNS} FROM agency ORDER BY id")
        ]

    async def limits(self) -> dict[str, float]:
        """The limits in force, by name."""
        return dict(await self._driver.read("SELECT name, value FROM limits"))  # type: ignore[arg-type]

    async def epoch(self) -> int:
        """Raised by every change to a provider, agency, certificate, key or limit."""
        ((value,),) = await self._driver.read("SELECT value FROM epoch")
        return int(value)

    async def fault(self) -> str | None:
        """Why no promise can be kept now, in a word; None when fine. After a bad write, a tiny one is tried."""
        if self._driver.fault() is not None:
            if self._probe is None or self._probe.done():
                self._probe = asyncio.create_task(self._try())
            await asyncio.wait([self._probe], timeout=_PROBE_SECONDS)
        try:
            await self.epoch()
        except StoreUnavailable:
            return "unavailable"
        return self._driver.fault()

    async def no_room_over(self) -> int | None:
        """See `jobs.gate.Promises.no_room_over`."""
        return await self._bodies.no_room_over()

    async def _try(self) -> None:
        with suppress(StoreUnavailable, OSError):
            await self._driver.probe()

    async def sweep(self) -> int:
        """Remove large bodies that no filing names, a day after they were put; answers how many. For one task."""
        return await self._bodies.sweep(self._named)

    async def _named(self, blobs: Sequence[str]) -> set[str]:
        """Which of them filings name; `blobs` is not empty."""
        places = ", ".join("?" * len(blobs))
        rows = await self._driver.read(f"SELECT blob FROM body WHERE blob IN ({places})", blobs)
        return {row[0] for row in rows}

    async def tend(self, code: str) -> int:
        """What the engine needs now and then, for filings whose numbers begin with `code`; how much was done."""
        return await self._driver.tend(code, self._clock())

    async def close(self) -> None:
        """Finish what is queued, then close."""
        await self._bodies.close()
        await self._driver.close()
