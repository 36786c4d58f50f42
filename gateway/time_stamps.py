"""Time stamps on notices, by the authority that the register has in use. No notice waits long for one, and none is
withheld for want of one."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

import structlog

import signing
from gateway.filing.findings import Text
from gateway.intake.verify import SignatureRules
from gateway.ports import Clock
from gateway.register.entry import Entry, NewEntry, Purpose, active, of_service
from signing.fetching import open_session

if TYPE_CHECKING:
    from aiohttp import ClientSession

log = structlog.get_logger("notices")
Result = Literal["stamped", "failed", "left-out"]
"""Left out: not asked for, while the authority is out of order or has enough to do."""
FAILURES = 3
"""So many in a row, and the authority is out of order."""
PAUSE_SECONDS = 30.0
"""For so long it is asked nothing then; after that one notice tries."""
AT_ONCE = 32
"""Questions on their way. Who comes then does not wait."""
_LONGEST_URL = 500


def entry_of_tsa(url: str, at: datetime) -> NewEntry:
    """The authority at an address. Raises ValueError."""
    _client(url, 1.0)
    return of_service(Purpose.TSA, url, at, {"url": url})


def tsa_faults(url: str, seconds: float, rules: SignatureRules, at: datetime) -> Iterator[Text]:
    """What is wrong with the authority, which is asked for one time stamp. For a thread without an event loop."""
    octets = os.urandom(64)
    try:
        token = _client(url, seconds).stamp(*_question(octets))
        signing.require_proof(token, octets, policy=rules.policy, trust=rules.trust, at=at)
    except signing.TimestampRefused as error:
        yield Text(
            f"Không có dấu thời gian dùng được (nguyên văn: {error}).",
            f"It gives no time stamp of use: {error}.",
        )


def _client(url: str, seconds: float) -> signing.HttpTimestampClient:
    """Who names an authority allows its host. Raises ValueError."""
    if len(url) > _LONGEST_URL or not url.isascii() or not url.isprintable() or {*" #"} & {*url}:
        raise ValueError(f"{url[:200]!r} is no address of a time-stamping authority")
    return signing.HttpTimestampClient(url, hosts=(urlsplit(url).hostname or "",), seconds=seconds)


def _question(octets: bytes) -> tuple[bytes, str]:
    return hashlib.sha256(octets).digest(), "sha256"


@dataclass(slots=True)
class _Authority:
    """`failures` in a row; `rests_until`, by the monotonic clock, counts once it is out of order."""

    client: signing.HttpTimestampClient
    inside: int = 0
    failures: int = 0
    rests_until: float = 0.0

    @property
    def out(self) -> bool:
        return self.failures >= FAILURES

    @property
    def free(self) -> bool:
        return self.inside < AT_ONCE and not (self.out and time.monotonic() < self.rests_until)

    def begin(self) -> None:
        self.inside += 1
        self._rest()  # while one notice tries, the others do not

    def failed(self, why: str) -> None:
        self.failures += 1
        self._rest()
        if self.failures == FAILURES:
            log.error("time-stamps-out", authority=self.client.url, reason=why)

    def works(self) -> None:
        if self.out:
            log.info("time-stamps-back", authority=self.client.url)
        self.failures = 0

    def _rest(self) -> None:
        self.rests_until = time.monotonic() + PAUSE_SECONDS


class TimeStamps:
    """Of one process. `seconds`: the longest that a notice waits; `counted` is told what became of each."""

    def __init__(
        self,
        seconds: float,
        rules: Callable[[], SignatureRules],
        now: Clock,
        counted: Callable[[Result], None] = lambda _: None,
    ) -> None:
        self._seconds = seconds
        self._rules = rules
        self._now = now
        self._counted = counted
        self._authority: _Authority | None = None
        self._session: ClientSession | None = None

    def take_over(self, entries: Iterable[Entry]) -> None:
        """From now on the authority in use is asked, or none; what another one has yet to answer counts no more."""
        entry, before = active(entries, Purpose.TSA), self._authority
        url = None if entry is None else entry.subject
        if url == (None if before is None else before.client.url):
            return
        self._authority = None if url is None else _Authority(_client(url, self._seconds))
        log.info("time-stamps-renewed", authority=url)

    @property
    def wanted(self) -> bool:
        """Whether notices are to bear them: then signing one may take long."""
        return self._authority is not None

    async def fault(self) -> str | None:
        """What `/readyz` tells."""
        out = self._authority is not None and self._authority.out
        return "time-stamping authority unavailable" if out else None

    async def stamped(self, notice: bytes) -> bytes:
        """A signed notice with a time stamp over its signature, or as it is where none of use can be had now."""
        one = self._authority
        if one is None:
            return notice
        if not one.free:
            self._counted("left-out")
            return notice
        made = await self._made(notice, one)
        if made is None or one is not self._authority:  # it may be out because its time stamps prove nothing
            self._counted("failed")
            return notice
        self._counted("stamped")
        return made

    async def _made(self, notice: bytes, one: _Authority) -> bytes | None:
        one.begin()
        try:
            stampable = signing.Stampable.of(notice)
            if self._session is None:
                self._session = open_session()
            token = await one.client.ask(*_question(stampable.octets), self._session)
            rules = self._rules()
            signing.require_proof(
                token, stampable.octets, policy=rules.policy, trust=rules.trust, at=self._now()
            )
            made = stampable.stamped(token)
        except Exception as error:  # whatever it is, the notice is good without
            one.failed(f"{type(error).__name__}: {error}")
            return None
        finally:
            one.inside -= 1
        one.works()
        return made

    async def aclose(self) -> None:
        """Nothing is asked after that."""
        if self._session is not None:
            await self._session.close()
