"""What a trust store holds and until when: trusted lists, anchors, intermediate CAs, revocation lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509

from signing.revocation import RevocationIndex
from signing.trust import ALWAYS, FOR_EVER, TrustStore, Window

SOON = timedelta(days=7)


class Kind(StrEnum):
    """What kind of thing is held."""

    LIST = "trusted-list"
    ANCHOR = "anchor"
    STAMPING = "anchor-for-time-stamps"
    INTERMEDIATE = "intermediate"
    CRL = "revocation-list"


class State(StrEnum):
    """How a thing stands at a time. `SOON`: it ends within a week, or has less than half of its short life left."""

    NOT_YET = "not-yet"
    IN_FORCE = "in-force"
    SOON = "ends-soon"
    ENDED = "ended"


WORDS: dict[StrEnum, tuple[str, str]] = {
    Kind.LIST: ("danh sách tin cậy", "trusted list"),
    Kind.ANCHOR: ("chứng thư gốc tin cậy", "trust anchor"),
    Kind.STAMPING: ("chứng thư gốc cho dấu thời gian", "trust anchor for time stamps"),
    Kind.INTERMEDIATE: ("chứng thư CA trung gian", "intermediate CA certificate"),
    Kind.CRL: ("danh sách thu hồi", "revocation list"),
    State.NOT_YET: ("chưa có hiệu lực", "not yet in force"),
    State.IN_FORCE: ("còn hiệu lực", "in force"),
    State.SOON: ("sắp hết hiệu lực", "ends soon"),
    State.ENDED: ("đã hết hiệu lực", "has ended"),
}
"""Vietnamese and English."""


@dataclass(frozen=True, slots=True)
class Holding:
    """One thing and the time for which it counts (aware, both ends inclusive).

    `name`: territory and number of a trusted list; subject of a certificate or issuer of a revocation list (RFC 4514).
    """

    kind: Kind
    name: str
    start: datetime
    until: datetime

    def state(self, at: datetime) -> State:
        """How it stands at a time (aware)."""
        if at > self.until:
            return State.ENDED
        if at < self.start:
            return State.NOT_YET
        return State.SOON if self.until - at < min(SOON, (self.until - self.start) / 2) else State.IN_FORCE


def holdings(store: TrustStore) -> tuple[Holding, ...]:
    """Everything that a store holds, OCSP answers aside, by kind and end. Of what has a successor only that one."""
    found = [
        *(Holding(Kind.LIST, f"{t.territory} {t.sequence}", t.issued, t.next_update) for t in store.lists),
        *_anchors(store),
        *(
            Holding(Kind.INTERMEDIATE, _name(c), c.not_valid_before_utc, c.not_valid_after_utc)
            for c in store.intermediates
        ),
        *held_lists(store.revocation),
    ]
    order = list(Kind)
    return tuple(sorted(found, key=lambda one: (order.index(one.kind), one.until, one.name)))


def held_lists(index: RevocationIndex) -> Iterator[Holding]:
    """The revocation lists of an index."""
    for info in index.lists():
        yield Holding(Kind.CRL, info.issuer, info.this_update, info.next_update)


def held_authorities(certificates: Iterable[x509.Certificate]) -> Iterator[Holding]:
    """Authorities that are trusted outside a store, for as long as their certificates last."""
    for one in certificates:
        yield Holding(Kind.ANCHOR, _name(one), one.not_valid_before_utc, one.not_valid_after_utc)


def _anchors(store: TrustStore) -> Iterator[Holding]:
    """An anchor counts within its certificate's time and that of the trust in it. What a trusted list says ends with
    the list, which is told as one thing, and not again for each of its services.
    """
    ends = {each.next_update for each in store.lists}
    dated = [(Kind.ANCHOR, c, store.windows.get(c, ALWAYS)) for c in store.anchors]
    dated += [(Kind.STAMPING, c, windows) for c, windows in store.stamping.items()]
    for kind, certificate, windows in dated:
        start, until = _times(windows, ends)
        first, last = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        yield Holding(kind, _name(certificate), max(start, first), min(until, last))


def _times(windows: tuple[Window, ...], ends: set[datetime]) -> tuple[datetime, datetime]:
    """Of several times of trust the last."""
    last = max(windows, key=lambda window: window.end)
    return last.start, FOR_EVER if last.end in ends else last.end.astimezone(UTC)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
