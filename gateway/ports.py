"""What the journey needs from the world, as contracts. `app.py` alone knows who fulfils them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from gateway.filing.attachments import FiledPaper
from gateway.filing.attempt import Attempt, Attempts
from gateway.filing.filing import Event, Filing, NewFiling, NoticeKind, Recorded, SignedNotice
from gateway.filing.findings import Finding
from gateway.filing.handover import Handover, HandoverStatus
from gateway.filing.status import Status
from gateway.filing.verdict import Verdict

T = TypeVar("T")

Clock = Callable[[], datetime]
"""The time of business, aware. Leases and due times go by the store's own clock instead."""

LONGEST_WAIT_SECONDS = 3600.0
"""No filing waits longer for its next step, and no lease is longer, whatever an agency asks for."""

MOST_PAUSES = 20.0
"""An agency's breaker doubles its pause up to so many times the first one."""

STATUS_LOST = "status-lost"
"""The event by which a provisional filing gets stuck."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A registered T-VAN provider. `signs_filings`: its own signature is required in every filing it sends."""

    id: str
    name: str
    tax_code: str
    active: bool
    signs_filings: bool


@dataclass(frozen=True, slots=True)
class Agency:
    """An agency's back-end: which adapter speaks to it, with what configuration.

    `serves`: agencies of the directory (`tax`, `commune-police-03646`), or offices, for all agencies of that kind.
    """

    id: str
    name: str
    adapter: str
    config: dict[str, Any]
    serves: tuple[str, ...]
    poll_seconds: float


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """Whose client certificate this is: `kind` is "provider" or "agency"; `active` False means revoked.

    `provider` is the provider itself, in the same look-up; None for an agency.
    """

    kind: str
    party: str
    active: bool
    provider: Provider | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A filing ready to be stored: body, evidence and the papers' octets (encoding, octets) in their stored form.

    `blob`: where the body lies instead. `sealed_by`: the key that body and papers are sealed with, "" for none.
    """

    new: NewFiling
    octets: bytes
    evidence: bytes
    papers: tuple[tuple[str, bytes], ...] = ()
    blob: str | None = None
    sealed_by: str = ""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to work on one filing until the lease ends.

    Every write that follows from it names `owner` and `attempt`, and is void once another worker has taken
    the filing over. `failures` counts attempts in a row without progress.
    """

    filing: Filing
    owner: str
    attempt: int
    failures: int


@dataclass(frozen=True, slots=True)
class HandoverClaim:
    """The right to work on one handover until the lease ends; fenced like `Claim`."""

    filing: Filing
    handover: Handover
    owner: str
    attempt: int
    failures: int


@dataclass(frozen=True, slots=True)
class HandoverOutcome:
    """What one step of a handover came to; the fields are those of `Outcome`. `backend`: where it is another now."""

    claim: HandoverClaim
    status: HandoverStatus
    event: str | None
    detail: str = ""
    due_seconds: float | None = None
    backend: str | None = None
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step came to. `event` None leaves no line in the filing's story.

    `due_seconds`: when the next step is due, from now, at most LONGEST_WAIT_SECONDS; None ends the delivery.
    `agency` is the back-end, `lead` the directory's agency and its name. `progress` resets the count of failures. A
    verdict comes with its signed notice and its handovers, a refusal of a provisional filing with its findings, notice
    and evidence: they become true in the same commit. `attempt`: what was asked of an agency, and its answer.
    """

    claim: Claim
    status: Status
    event: str | None
    detail: str = ""
    due_seconds: float | None = None
    progress: bool = True
    agency: str | None = None
    lead: tuple[str, str] | None = None
    reference: str | None = None
    verdict: Verdict | None = None
    handovers: tuple[Handover, ...] = ()
    notice: SignedNotice | None = None
    findings: tuple[Finding, ...] | None = None
    evidence: bytes | None = None
    attempt: Attempt | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """Answer to `record_outcome`: `applied` False means the lease was lost and nothing was written."""

    applied: bool


@dataclass(frozen=True, slots=True)
class Concluded:
    """Answer to `record_verdict`: the verdict in force, and whether ours was it, a repeat, or a contradiction."""

    verdict: Verdict
    first: bool
    contradicts: bool


class Filings(Protocol):
    """The durable record. Awaited writes return only after the commit has reached the disk.

    Every write may be called from any number of tasks, processes and nodes at once. A write that raises
    `StoreUnavailable` may have happened or not: repeat it with the same values, which is always safe.
    """

    def prepare(self, new: NewFiling) -> Prepared:
        """Bring a filing into the form in which it will be stored: CPU work only, in any thread."""
        ...

    async def add(self, prepared: Prepared) -> Recorded:
        """Record a filing, its body, papers, notice and (unless refused) its delivery: all or nothing, durable.

        Idempotent: where the provider has used the idempotency key, or has an accepted filing of the same
        bytes, the original is returned with `repeat=True` and nothing is written.

        Raises:
            KeyReused: the key belongs to other bytes or papers.
            PapersDiffer: the bytes belong to other papers.
            NumberTaken: its notice was signed ahead, for a dossier number that another one has got meanwhile.
            StoreUnavailable: nothing may be promised.
        """
        ...

    async def next_dossier(self, agency: str, day: str) -> int:
        """The number that the next dossier of an agency code and day would get, if none comes before it."""
        ...

    async def find_repeat(
        self, provider: str, key: str | None, digest: bytes, papers_digest: bytes | None = None
    ) -> Recorded | None:
        """The earlier recording of the same message, if any; a new key belongs to its bytes from then on.

        Raises KeyReused, PapersDiffer and StoreUnavailable like `add`.
        """
        ...

    async def filing(self, number: str) -> Filing | None:
        """The filing, or None."""
        ...

    async def dossier(self, code: str) -> Filing | None:
        """The dossier with this code, or None."""
        ...

    async def document(self, number: str) -> bytes | None:
        """The body exactly as filed, or None."""
        ...

    async def papers(self, number: str) -> Sequence[FiledPaper]:
        """The papers that are kept beside the body, in the order of the dossier's list."""
        ...

    async def paper(self, number: str, place: int) -> bytes:
        """The octets of one of these `papers`. Raises KeyError for one that is not kept."""
        ...

    async def notice(self, number: str, kinds: Sequence[NoticeKind]) -> SignedNotice | None:
        """The newest signed notice of these kinds, or None."""
        ...

    async def attempts(self, number: str) -> Sequence[Attempts]:
        """What was asked of agencies for the filing, and what they answered, oldest first."""
        ...

    async def events(self, number: str) -> Sequence[Event]:
        """The filing's story, oldest first."""
        ...

    async def judged(self, number: str) -> Mapping[str, Any] | None:
        """What the last judgement of its signatures rested on, as `intake.evidence.evidence_of` made it, or None."""
        ...

    async def verdict(self, number: str) -> Verdict | None:
        """The verdict in force, or None."""
        ...

    async def handovers(self, number: str) -> Sequence[Handover]:
        """The cooperating agencies it went, or goes, on to; none before it is accepted."""
        ...


class Deliveries(Protocol):
    """The durable queue. A filing leaves it when its verdict is recorded (or a provisional one is refused)."""

    async def claim_due(self, owner: str, limit: int, lease_seconds: float) -> Sequence[Claim]:
        """Take up to `limit` due filings for `owner`; nobody else gets them before the lease ends.

        Within one order key an earlier filing that has not reached its agency holds the later ones. An agency that
        is held, in maintenance, behind its breaker, or at its limits gives nothing, to no process.
        """
        ...

    async def renew(self, claim: Claim, lease_seconds: float) -> bool:
        """The heartbeat: the lease ends so much later. False where it is lost: another has, or may have, the filing."""
        ...

    async def record_outcome(self, outcome: Outcome) -> Written:
        """Write what an attempt came to and give the lease back. Fenced: void after a lost lease."""
        ...

    async def record_verdict(
        self,
        number: str,
        verdict: Verdict,
        notice: SignedNotice,
        at: datetime,
        handovers: Sequence[Handover] = (),
    ) -> Concluded:
        """Write a verdict that came by itself (callback). Idempotent; the first verdict stays in force."""
        ...

    async def claim_handovers(self, owner: str, limit: int, lease_seconds: float) -> Sequence[HandoverClaim]:
        """Take up to `limit` due handovers for `owner`, like `claim_due`; none waits for another."""
        ...

    async def renew_handover(self, claim: HandoverClaim, lease_seconds: float) -> bool:
        """Like `renew`."""
        ...

    async def record_handover(self, outcome: HandoverOutcome) -> Written:
        """Write what an attempt at a handover came to. Fenced: void after a lost lease."""
        ...

    async def record_answer(self, number: str, agency: str, answer: str) -> bool:
        """Write what a cooperating agency made of a filing; the first answer stays. Whether it was this one."""
        ...

    async def body(self, number: str) -> bytes:
        """The body exactly as filed. Raises KeyError for a number that is not recorded."""
        ...

    async def papers(self, number: str) -> Sequence[FiledPaper]:
        """See `Filings.papers`."""
        ...

    async def paper(self, number: str, place: int) -> bytes:
        """See `Filings.paper`."""
        ...


class Registry(Protocol):
    """Who may talk to us and to whom we talk; kept in the store, seeded from files, read on every request."""

    async def client(self, fingerprint: str) -> ClientIdentity | None:
        """Whose certificate this is, by SHA-256 fingerprint (hex, lower case), or None."""
        ...

    async def provider(self, id: str) -> Provider | None:
        """The provider, or None."""
        ...

    async def agencies(self) -> Sequence[Agency]:
        """All agencies, in the order of their identifiers."""
        ...


class Notary(Protocol):
    """Signs what we say. The documents it returns are final.

    The `…_notice` methods sign at once, and are called through `issued` wherever signing may take time.
    """

    @property
    def apart(self) -> bool:
        """Whether a signature may take long: then none is made on the event loop, nor within a commit."""
        ...

    async def issued(self, make: Callable[[], SignedNotice]) -> SignedNotice:
        """The notice that `make` signs, made where it holds nobody up. Raises SignerUnavailable."""
        ...

    def intake_notice(self, filing: Filing, dossier: bool) -> SignedNotice:
        """The receipt, or the notice of refusal where the filing's status is `refused`; issued at its receipt.

        `dossier`: answered as dossiers are; known of a refused one too that could not be read further.
        """
        ...

    def recheck_notice(self, filing: Filing, at: datetime) -> SignedNotice:
        """What became of a provisional filing (its new status): the confirmation, or the notice of refusal."""
        ...

    def verdict_notice(self, filing: Filing, verdict: Verdict, at: datetime) -> SignedNotice:
        """The notice of the agency's verdict, issued at `at`."""
        ...


class CheckPool(Protocol):
    """Bounded room for CPU work, so that the event loop stays responsive."""

    async def run(self, work: Callable[[], T], size: int) -> T:
        """Run `work` on a document of `size` bytes. Raises Busy, before anything is done, where all is full."""
        ...

    def refuse_when_full(self) -> None:
        """Raises Busy where `run` would; asked before a body is read."""
        ...
