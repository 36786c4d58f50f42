"""THE STORY on one page: how a filing is taken in while its sender waits, and how it is carried on afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

import structlog

import adapters
import schemas
import signing
from gateway.delivery.deliver import deliver
from gateway.delivery.hand_over import hand_over, parts_of, waits
from gateway.delivery.notify import notify, verdict_of
from gateway.delivery.recheck import recheck
from gateway.delivery.route import handovers, route
from gateway.delivery.track import track
from gateway.delivery.world import DeliveryWorld, failed
from gateway.errors import BadRequest, NotFound, VerdictConflict
from gateway.filing.attempt import Attempt, AttemptResult
from gateway.filing.dossier_codes import DossierCodes
from gateway.filing.filing import Filing, Recorded, Summary
from gateway.filing.incident import InTime
from gateway.filing.status import Status
from gateway.filing.verdict import Verdict
from gateway.intake.acknowledge import Answer, acknowledge
from gateway.intake.identify import Identified, identify
from gateway.intake.in_time import marked
from gateway.intake.parse import parse
from gateway.intake.receive import Message, SizeLimits, receive
from gateway.intake.record import RecordWorld, promise, record
from gateway.intake.signed_papers import DEFAULT_LIMITS, PaperLimits, judge_papers
from gateway.intake.validate import Refusal, Unsettled, Validated, refuse, validate
from gateway.intake.verify import SignatureRules, SignaturesRefused, verify
from gateway.ports import (
    CheckPool,
    Claim,
    Clock,
    Concluded,
    Filings,
    HandoverClaim,
    HandoverOutcome,
    Notary,
    Outcome,
    Prepared,
)

log = structlog.get_logger("delivery")


@dataclass(frozen=True, slots=True)
class Checks:
    """What a document is judged by. The door, the dry run and `efile check` use the same."""

    limits: signing.ParseLimits
    signatures: SignatureRules
    catalogue: schemas.Catalogue
    papers: PaperLimits = DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class IntakeWorld:
    """What the first corridor needs from the world. `checks` gives those in force now, each time it is asked; `turn`
    is that of dossiers which are signed ahead.

    In `paper_pool` threads wait for the process that reads signed papers; the event loop never does.
    """

    gateway_code: str
    dossier_codes: DossierCodes
    sizes: SizeLimits
    checks: Callable[[], Checks]
    filings: Filings
    notary: Notary
    pool: CheckPool
    paper_pool: CheckPool
    clock: Clock
    in_time: Callable[[Summary | None, datetime, str | None], InTime | None]
    """By which incident a filing received then counts as in time; the back-end's identifier where it is known."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


async def take_in(message: Message, world: IntakeWorld) -> Answer:
    """receive → identify → parse → verify → validate → record → acknowledge.

    The answer, be it the receipt or the notice of refusal, exists only after the durable commit.

    Raises:
        GatewayError: nothing has been recorded (see `errors.py`); after StoreUnavailable the sender repeats.
    """
    received = receive(message, world.clock(), world.sizes)
    identified = await identify(received, world.filings)
    if isinstance(identified, Recorded):
        return acknowledge(identified)
    judged = await world.pool.run(partial(judge, identified, world), received.size)
    if isinstance(judged, Unsettled):
        judged = await world.paper_pool.run(partial(settle, judged, world), received.size)
    recorded = await record(judged, RecordWorld(world.filings, world.notary, world.turn))
    return acknowledge(recorded)


def judge(identified: Identified, world: IntakeWorld) -> Prepared | Unsettled:
    """The steps that cost CPU, in the pool: examine the document and, unless signed papers in it have to be judged
    first, sign what we shall say about it."""
    unsettled = look(identified, world.checks())
    return unsettled if unsettled.signed_papers else settle(unsettled, world)


def settle(unsettled: Unsettled, world: IntakeWorld) -> Prepared:
    """Judge the signed papers, then sign what we shall say."""
    checks = world.checks()
    examined = _in_time(judge_papers(unsettled, checks.signatures, checks.papers), world)
    return world.filings.prepare(promise(examined, world.notary, world.gateway_code, world.dossier_codes))


async def dry_run(message: Message, world: IntakeWorld) -> Validated | Refusal:
    """receive → parse → verify → validate, without leaving anything behind. Raises as `take_in` does."""
    received, checks = receive(message, world.clock(), world.sizes), world.checks()
    unsettled = await world.pool.run(partial(look, Identified(received), checks), received.size)
    work = partial(judge_papers, unsettled, checks.signatures, checks.papers)
    judged = await world.paper_pool.run(work, received.size) if unsettled.signed_papers else work()
    return _in_time(judged, world)


def _in_time(examined: Validated | Refusal, world: IntakeWorld) -> Validated | Refusal:
    """The same, with the incident by which it counts as in time, where there is one."""
    return marked(examined, world.in_time(examined.summary, examined.identified.received.at, None))


def examine(identified: Identified, checks: Checks) -> Validated | Refusal:
    """The same at once, for who serves nobody else meanwhile.

    Raises:
        Unreadable: the bytes are no document that could be refused with a signed notice.
        Busy: a signed paper that the form demands could not be judged now.
    """
    return judge_papers(look(identified, checks), checks.signatures, checks.papers)


def look(identified: Identified, checks: Checks) -> Unsettled:
    """parse → verify → validate, as far as no other process is needed. Raises Unreadable."""
    parsed = parse(identified, checks.limits, checks.catalogue.families)
    try:
        verified = verify(parsed, checks.signatures, checks.catalogue)
    except SignaturesRefused as refused:
        return refuse(parsed, refused, checks.catalogue)
    return validate(verified, checks.catalogue)


Step = Callable[[Claim, DeliveryWorld], Awaitable[Outcome]]

STEPS: Mapping[Status, Step] = {
    Status.PROVISIONAL: recheck,
    Status.ACKNOWLEDGED: route,
    Status.DELIVERING: deliver,
    Status.DELIVERED: track,
}
"""Whose status is here moves by itself; every step may be repeated safely."""


async def carry_on(claim: Claim, world: DeliveryWorld) -> Outcome:
    """Do the next step for a claimed filing and write down what it came to.

    A step that fails by a fault of ours leaves the filing where it is, and is tried again ever more seldom.
    """
    status = claim.filing.status
    try:
        outcome = await STEPS[status](claim, world)
    except Exception as error:
        log.exception("step-failed", number=claim.filing.number, status=status, attempt=claim.attempt)
        fault = Attempt(
            STEPS[status].__name__, claim.filing.agency or "", AttemptResult.FAULT, type(error).__name__
        )
        outcome = failed(claim, "step-failed", fault, world)
    written = await world.deliveries.record_outcome(outcome)
    if not written.applied:
        await _keep_verdict(outcome, world)
    return outcome


async def _keep_verdict(outcome: Outcome, world: DeliveryWorld) -> None:
    """Another has taken the filing over, or the agency called meanwhile: what it said to us is a verdict all the same,
    the first, a repeat or a contradiction."""
    if outcome.verdict is None or outcome.notice is None:
        return
    number = outcome.claim.filing.number
    try:
        await world.deliveries.record_verdict(
            number, outcome.verdict, outcome.notice, world.clock(), outcome.handovers
        )
    except (BadRequest, NotFound) as error:
        log.warning("late-verdict-not-kept", number=number, error=str(error))


async def carry_over(claim: HandoverClaim, world: DeliveryWorld) -> HandoverOutcome:
    """The same for a filing that goes on to a cooperating agency."""
    try:
        outcome = await hand_over(claim, world)
    except Exception as error:
        log.exception("handover-failed", number=claim.filing.number, agency=claim.handover.agency)
        outcome = waits(claim, type(error).__name__, world)
    await world.deliveries.record_handover(outcome)
    return outcome


async def hear(key: str, verdict: Verdict, backend: str, world: DeliveryWorld, filings: Filings) -> bool:
    """What a cooperating agency says of a filing by itself: kept, and told; the verdict is the lead agency's.

    Whether it is the first that it says. Raises NotFound: no such handover, or another back-end's.
    """
    number, agency = parts_of(key)
    one = next((one for one in await filings.handovers(number) if one.agency == agency), None)
    served_by = await world.agencies.serving(one.agency, one.office) if one else None
    if served_by is None or served_by.id != backend:
        raise NotFound(key)
    answer = f"{verdict.status.value} {verdict.reference or ''}".strip()
    return await world.deliveries.record_answer(number, agency, answer)


@dataclass(frozen=True, slots=True)
class Heard:
    """What became of something that a back-end told by itself.

    `cooperating`: the agency it is about, "" for the lead. `first`: nothing of the kind was known before.
    """

    number: str
    cooperating: str
    first: bool
    status: Status


async def hear_from(
    backend: str, key: str, told_: adapters.Verdict | adapters.Pending, world: DeliveryWorld, filings: Filings
) -> Heard:
    """A message that a back-end brought to our door, or left where we fetch it.

    Raises:
        NotFound: no filing of this back-end's has the key: another one's does not exist for it.
        BadRequest: the filing was never sent.
        VerdictConflict: see `conclude`.
    """
    number, cooperating = parts_of(key)
    filing = await filings.filing(number)
    if filing is None or (not cooperating and filing.agency != backend):
        raise NotFound(number)
    if isinstance(told_, adapters.Pending):
        return Heard(number, cooperating, False, filing.status)
    if cooperating:
        first = await hear(key, verdict_of(told_), backend, world, filings)
        return Heard(number, cooperating, first, filing.status)
    concluded = await conclude(filing, verdict_of(told_), world)
    return Heard(number, "", concluded.first, concluded.verdict.status)


async def conclude(filing: Filing, verdict: Verdict, world: DeliveryWorld) -> Concluded:
    """A verdict that the agency sent by itself: notify, whatever we knew of the delivery.

    Raises:
        BadRequest: the filing was never sent.
        VerdictConflict: the recorded verdict is the opposite; it stays, and the contradiction is kept.
    """
    notice = await notify(filing, verdict, world)
    planned = await handovers(filing, verdict.status, world)
    concluded = await world.deliveries.record_verdict(filing.number, verdict, notice, world.clock(), planned)
    if concluded.contradicts:
        raise VerdictConflict(filing.number)
    return concluded
