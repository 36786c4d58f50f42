"""What operators, and the clock on their behalf, ask of the store and order in it; each order with its audit entry."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gateway.filing.deadline import Level, Watched
from gateway.filing.filing import Filing, SignedNotice
from gateway.filing.incident import Incident
from gateway.filing.retention import Held, Removed, Rule, before
from gateway.ports import Clock
from gateway.store import incidents, looking, orders, reissues, retention, seeds, watching
from gateway.store.orders import Order
from gateway.store.queue import (
    COUNTS,
    HANDOVERS,
    LANES,
    LENGTH,
    QueueFilter,
    Survey,
    Waiting,
    survey_of,
    waiting_query,
)
from gateway.store.rows import filing_of, notice_of, time_of_seconds, time_text, unpack
from gateway.store.statements import NOW, Driver


class OperatorSide:
    """The part of `Store` beside the ports: seeds, queue, deadlines, incidents, orders."""

    _driver: Driver
    _clock: Clock

    async def seed(self, rows: Sequence[seeds.Seed], actor: str, rosters: Sequence[seeds.Roster] = ()) -> int:
        """Bring rows in, retire client certificates that a roster no longer lists; answers how many changed."""
        seeding = seeds.Seeding(tuple(rows), actor, self._clock(), tuple(rosters))
        changed: int = await self._driver.write(seeds.seed, seeding)
        return changed

    async def evidence(self, number: str) -> list[dict[str, Any]]:
        """The reports of the signature checks, oldest first: at intake, and after a recheck."""
        rows = await self._driver.read("SELECT report FROM evidence WHERE number = ? ORDER BY seq", (number,))
        return [json.loads(unpack(row[0])) for row in rows]

    async def waiting(self, wanted: QueueFilter) -> list[Waiting]:
        """The filings of the delivery queue that a filter wants, in order of receipt."""
        return [Waiting(*row) for row in await self._driver.survey(*waiting_query(wanted))]

    async def waiting_handovers(self, *, stuck: bool) -> list[Waiting]:
        """Handovers on their way, stuck or not joined; without the first where `stuck`."""
        return [Waiting(*row) for row in await self._driver.survey(HANDOVERS, (not stuck,))]

    async def survey(self) -> Survey:
        """The queue in figures, and how each back-end stands, for all processes."""
        lanes, counts = await self._driver.survey(LANES), await self._driver.survey(COUNTS)
        return survey_of(lanes, counts, self._clock())

    async def reckon_by(self, basis: str) -> bool:
        """See `jobs.watch.Watching.reckon_by`."""
        rows = await self._driver.read("SELECT basis FROM reckoned")
        if rows[0][0] == basis:
            return False
        changed: bool = await self._driver.write(watching.reckon_by, basis)
        return changed

    async def to_look_at(self, limit: int) -> list[Watched]:
        """See `jobs.watch.Watching.to_look_at`."""
        rows = await self._driver.read(watching.UNRECKONED, (limit,))
        rows = rows or await self._driver.read(watching.DUE, (time_text(self._clock()), limit))
        return [watching.watched_of(row) for row in rows]

    async def record_told(self, watched: Watched, at: datetime | None, level: Level) -> bool:
        """See `jobs.watch.Watching.record_told`."""
        first: bool = await self._driver.write(watching.record_told, watching.Told(watched, at, level))
        return first

    async def late(self, limit: int, *, all_that_waits: bool = False) -> list[Watched]:
        """What has been warned of or should be by now, in order of receipt; or all that waits."""
        row: tuple[str | int, ...] = (limit,) if all_that_waits else (time_text(self._clock()), limit)
        sql = watching.ALL if all_that_waits else watching.LATE
        return [watching.watched_of(one) for one in await self._driver.survey(sql, row)]

    async def overdue(self) -> dict[str, int]:
        """How many are overdue, by what they wait for."""
        counted = await self._driver.survey(watching.OVERDUE, (int(Level.OVERDUE),))
        found = {bool(holds): count for holds, count in counted}
        return {"forwarding": found.get(True, 0), "verdict": found.get(False, 0)}

    # Notices of a compromised key

    async def signed_since(
        self, since: datetime, after: reissues.Given | None, limit: int
    ) -> list[reissues.Given]:
        """The notices issued since then, by number and kind, a page after `after`."""
        row = reissues.signed_since_row(since, after, limit)
        return [reissues.given_of(one) for one in await self._driver.survey(reissues.SIGNED_SINCE, row)]

    async def reissue(self, order: reissues.Reissues) -> int:
        """Put notices in the place of others, each with an event, all with one audit entry; answers how many."""
        done: int = await self._driver.write(reissues.reissue, order)
        return done

    async def superseded(self, number: str) -> list[SignedNotice]:
        """The notices of a filing in whose place others stand, oldest first."""
        return [notice_of(row) for row in await self._driver.read(reissues.SUPERSEDED, (number,))]

    # Look-ups

    async def filings_of(self, taxpayer: str, limit: int) -> list[Filing]:
        """The filings whose summary bears this tax code, the newest first."""
        return [filing_of(row) for row in await self._driver.survey(looking.FILINGS_OF, (taxpayer, limit))]

    async def last_attempts(self) -> list[looking.LastAttempt]:
        """What each back-end answered last, where that is among the newest attempts of all."""
        return [looking.last_attempt_of(row) for row in await self._driver.survey(looking.LAST_ATTEMPTS)]

    async def backends(self) -> list[looking.Backend]:
        """All back-ends as they are set up, in the order of their identifiers."""
        return [looking.backend_of(row) for row in await self._driver.read(looking.BACKENDS)]

    async def audit(self, wanted: looking.AuditFilter) -> list[looking.AuditEntry]:
        """The audit record by filter, the newest first."""
        rows = await self._driver.survey(*looking.audit_query(wanted))
        return [looking.audit_entry_of(row) for row in rows]

    # Incidents

    async def incidents(self) -> list[Incident]:
        """All that were declared, in order of their beginning."""
        return [incidents.incident_of(row) for row in await self._driver.read(incidents.READ_INCIDENTS)]

    async def declare_incident(
        self, agency: str, first: datetime, until: datetime | None, why: str, actor: str
    ) -> Incident:
        """Declare that a back-end could not be reached. Raises NotFound."""
        one = incidents.Declaration(agency, first, until, why, actor, self._clock())
        declared: Incident = await self._driver.write(incidents.declare, one)
        return declared

    async def end_incident(self, id: str, until: datetime, why: str, actor: str) -> None:
        """It is back since `until`. Raises NotFound, or IncidentRefused."""
        await self._driver.write(incidents.end, incidents.End(id, until, why, actor, self._clock()))

    async def queue_length(self, most: int) -> int:
        """How many filings wait, counted up to `most`."""
        ((counted,),) = await self._driver.survey(LENGTH, (most,))
        return int(counted)

    async def replay(self, number: str, actor: str, why: str, agency: str | None = None) -> None:
        """Send a stuck filing on its way again, or its handover to one agency. Raises NotFound, or NotStuck."""
        order = Order(number, actor, why, self._clock(), agency)
        await self._driver.write(orders.replay if agency is None else orders.replay_handover, order)

    async def hold(self, number: str, actor: str, why: str) -> None:
        """Hold a filing. Raises NotFound, or NotHeld where it is held already."""
        await self._driver.write(orders.hold, Order(number, actor, why, self._clock()))

    async def release(self, number: str, actor: str, why: str) -> None:
        """Let a held filing go on. Raises NotFound, or NotHeld."""
        await self._driver.write(orders.release, Order(number, actor, why, self._clock()))

    async def hold_agency(self, agency: str, actor: str, why: str) -> None:
        """Hold a back-end: no process calls it. Raises NotFound, or NotHeld where it is held already."""
        await self._driver.write(orders.hold_agency, Order(agency, actor, why, self._clock()))

    async def release_agency(self, agency: str, actor: str, why: str) -> None:
        """Call a back-end again. Raises NotFound, or NotHeld."""
        await self._driver.write(orders.release_agency, Order(agency, actor, why, self._clock()))

    # Retention

    async def remove_ended(self, rule: Rule, limit: int) -> int:
        """Remove what a rule no longer keeps, `limit` filings in a transaction; answers how many lost something.

        A term is over when both clocks, the gateway's and the store's, say so.
        """
        ((seconds,),) = await self._driver.read(f"SELECT {NOW}")
        at = self._clock()
        ended = before(rule.term, min(at, time_of_seconds(seconds)))
        removed, after = 0, ""
        while True:
            item = retention.Removal(rule, ended, at, limit, after)
            page: retention.Page = await self._driver.write(retention.remove, item)
            removed += page.removed
            if page.after is None:
                return removed
            after = page.after

    async def removed(self, number: str) -> Removed | None:
        """What stays of a filing whose record is gone, or None."""
        rows = await self._driver.read(retention.READ_REMOVED, (number,))
        return retention.removed_of(rows[0]) if rows else None

    async def keep(self, number: str, actor: str, why: str) -> None:
        """Remove nothing of a filing until it is let go. Raises NotFound, or NotHeld where it is kept already."""
        await self._driver.write(retention.keep, Order(number, actor, why, self._clock()))

    async def let_go(self, number: str, actor: str, why: str) -> None:
        """A kept filing's terms count again. Raises NotFound, or NotHeld."""
        await self._driver.write(retention.release, Order(number, actor, why, self._clock()))

    async def kept(self) -> list[Held]:
        """The filings that are kept whatever their terms."""
        return [Held(*row) for row in await self._driver.survey(retention.READ_KEPT)]
