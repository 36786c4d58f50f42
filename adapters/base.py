"""What the gateway needs from an agency, whatever the agency speaks: types, errors and the adapter's contract."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, runtime_checkable

Outcome = Literal["accepted", "rejected"]

KEY_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._~-]{0,127}$"
"""An idempotency key: unreserved characters of RFC 3986, so that it travels in a path and in a header as it is."""

_KEY = re.compile(KEY_PATTERN)


def check_key(key: str) -> str:
    """`key` itself. Raises ValueError where it has other characters than a key may have."""
    if _KEY.fullmatch(key) is None:
        raise ValueError(f"{key!r} cannot be an idempotency key: {KEY_PATTERN}")
    return key


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """A file that came beside the document, as its signed list names it; `digest_hex` is the SHA-256 of `content`.

    Raises ValueError where it is not.
    """

    kind: str
    name: str
    media_type: str
    digest_hex: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if hashlib.sha256(self.content).hexdigest() != self.digest_hex:
            raise ValueError(f"paper {self.name!r}: its SHA-256 is not {self.digest_hex}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One filing on its way to an agency.

    `key` is the idempotency key: the same for every attempt at this filing, and for no other. `agency` says which of
    the agencies that a back-end serves it is for (the gateway's directory names them). `digest_hex` is
    the SHA-256 of `document` (lower-case hex), `received_at` the gateway's time of receipt, aware. `dossier_code` is
    the gateway's own code of a permit dossier, "" for a declaration. `papers` came beside the document and go with it,
    all or nothing; those inside it are not repeated.

    Raises:
        ValueError: the digest is not the document's, the key has other characters, or the time is naive.
            Such a parcel must never leave: its document was damaged, or it was put together wrongly.
    """

    key: str
    agency: str
    filing_number: str
    family: str
    form_code: str
    form_version: str
    kind: str
    period: str
    taxpayer_code: str
    tax_office_code: str
    received_at: datetime
    media_type: str
    digest_hex: str
    document: bytes = field(repr=False)
    dossier_code: str = ""
    papers: tuple[Paper, ...] = ()

    @property
    def size(self) -> int:
        """Octets of the document and its papers."""
        return len(self.document) + sum(len(paper.content) for paper in self.papers)

    def __post_init__(self) -> None:
        check_key(self.key)
        if self.received_at.tzinfo is None:
            raise ValueError(f"parcel {self.key}: received_at must be aware")
        if hashlib.sha256(self.document).hexdigest() != self.digest_hex:
            raise ValueError(f"parcel {self.key}: the document's SHA-256 is not {self.digest_hex}")


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a filing was rejected, on the pattern of the law's notice: error, its group, how to mend it, note."""

    code: str
    group: str
    error: str
    remedy: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Payable:
    """An amount the accepted filing makes due: mã định danh khoản phải nộp, whole units of `currency` (ISO 4217)."""

    id: str
    amount: int
    currency: str
    name: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The agency's decision. `decided_at` is its own time, aware; `reference` its own number for the filing."""

    outcome: Outcome
    reference: str | None
    decided_at: datetime
    reasons: tuple[Reason, ...] = ()
    payables: tuple[Payable, ...] = ()


@dataclass(frozen=True, slots=True)
class Submitted:
    """The agency has the filing. `duplicate`: it had it before; `verdict`: it has already decided."""

    reference: str | None
    duplicate: bool
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the agency is: a status of the national portal (1 to 10), and its words, which may be none."""

    status: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pending:
    """The agency has the filing and has not decided. `progress`, where it tells, makes no other answer of it."""

    reference: str | None = None
    progress: Progress | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Unknown:
    """The agency has never seen the key: submit the parcel again."""


class Unavailable(Exception):
    """No answer to build on: connection, time-out, overload, or an answer that is not of the agreed form.

    **In doubt**: the agency may have taken the filing in. Submitting again with the same key is always safe.
    `retry_after` is what the agency asked for, in seconds, or None. `reason` holds no secret.
    """

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class Rejected(Exception):
    """The agency says this very request can never be taken in. Not a verdict: a person must look at it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class MalformedCallback(Exception):
    """What came through the callback door is not a verdict of this agency's form."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ConfigError(ValueError):
    """An adapter's configuration cannot work; the message names the field or file, never a secret."""


class Adapter(Protocol):
    """Speaks with one agency.

    Any number of tasks of one event loop may call at once. Nothing is remembered between calls, nothing is
    written to a disk, and no call retries by itself: the caller owns the queue and its backoff. Every call
    ends within `longest_call_s`. After `close` no other method may be called.
    """

    @property
    def longest_call_s(self) -> float:
        """How long one call may take at most, in seconds: a claim on a filing must last longer."""
        ...

    @property
    def carries_papers(self) -> bool:
        """Whether it hands over `Parcel.papers` too; one that does not is never given a parcel that has some."""
        ...

    async def submit(self, parcel: Parcel) -> Submitted:
        """Hand the parcel over. Returns once the agency has said, in the agreed form, that it has it.

        Idempotent by `parcel.key`: a repeat makes no second filing and returns the first one's reference.

        Raises:
            Unavailable: in doubt; submit again later with the same key.
            Rejected: permanent; the same request would fail again.
        """
        ...

    async def fetch(self, key: str) -> Pending | Unknown | Verdict:
        """What the agency makes of the filing with this key. Changes nothing.

        Raises:
            Unavailable: ask again later.
            Rejected: permanent; the agency calls the question itself wrong.
        """
        ...

    def read_callback(self, body: bytes, headers: Mapping[str, str]) -> tuple[str, Verdict | Pending]:
        """The key in a message that the agency sent us by itself, and what it says: the verdict, or that there is none.

        Whether it **is** the agency that sent it is the door's business (client certificate), not judged here.
        Agencies repeat and contradict themselves: the caller keeps the first verdict.

        Raises:
            MalformedCallback: not of the agreed form.
        """
        ...

    async def close(self) -> None:
        """Give the connections back. Calls under way may fail with Unavailable. May be called twice."""
        ...


Hear = Callable[[str, Verdict], Awaitable[bool]]
"""Takes the key and the verdict of a message of the agency's, and returns once they are durable: whether the filing is
one of this agency's. Where it raises, nothing was written."""


@runtime_checkable
class Listener(Protocol):
    """What an adapter is beside, whose agency leaves its verdicts where we fetch them: in a queue, in a folder."""

    async def listen(self, hear: Hear) -> None:
        """Bring every verdict to `hear`, one after the other, until cancelled.

        A message is put away only after `hear` has returned: what breaks before comes again. What is no verdict of
        the agreed form, or about no filing of this agency's, is put aside with the reason, and stops nothing.

        Raises:
            Unavailable: the agency is out of reach; call again later.
        """
        ...
