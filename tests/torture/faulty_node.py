"""A node with one fault: it files, delivers and hands over one filing on a real store, and fails or dies at one write.

HOME holds its sender's book (`acknowledged`), the agencies' (`books`, a line for each submission; `called-ID`, once
that one's call was taken; `mended-KEY`, once they take what they called wrong), the operator's (`done-ACT`) and the
folder of large bodies; where its signer's status was unknown at its receipt, what was filed (`dossier.xml`) and what is
known now (`trust`). The node ends once the filing is final, handed over, and all orders are carried out.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

import adapters
import schemas
import signing
from gateway.delivery.agencies import KnownAgencies
from gateway.delivery.room import Room
from gateway.delivery.world import Backoff, DeliveryWorld
from gateway.directory import OWN_DIRECTORY, load_directory
from gateway.errors import StoreUnavailable
from gateway.filing.filing import Filing, NoticeKind, Recorded, SignedNotice
from gateway.filing.retention import Part, Rule
from gateway.filing.status import Status
from gateway.intake.verify import SignatureRules
from gateway.jobs.carry_on import Worker
from gateway.journey import carry_on, carry_over, hear_from
from gateway.ports import Prepared
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.orders import NotHeld, NotStuck
from gateway.store.reissues import Reissue, Reissues
from gateway.store.seeds import Seed
from gateway.store.store import Store
from tests.gateway.builders import prepared, summary, verdict_notice
from tests.signing import pki
from tests.torture.faulty import Fault, Faulty, FaultyBlobs

LARGE = random.Random(5).randbytes(4096)
"""A body that lies in the folder, as a signed dossier does; another is in the store's own row."""
SMALL = b"<a/>"
REISSUED = b"<receipt>signed anew</receipt>"
LEAD, COOPERATING = "finance", "tax"
_LEASE_SECONDS = 0.5
_SLOW_SECONDS = 0.4
"""Two beats of the heart, and less than a lease."""
EARLIER = timedelta(days=3)
"""What is done here was done so long ago, and may be removed now."""
_SERVICE = replace(summary(), family="permit", form_code="company-single-member-formation", period="")
_FORM = schemas.OWN_CATALOGUE / "permits" / "company-single-member-formation-1.0.0"
_REMOVED = Rule("permit", Part.BODY, "1 day")


class Agency:
    """Takes everything in, once by key; decides when it is asked or, where it `calls`, by a call of its own.

    Where it `refuses`, it calls everything wrong until it is mended; where it is `slow`, it takes more than a beat of
    the heart.
    """

    def __init__(self, home: Path, ways: frozenset[str]) -> None:
        self._home = home
        self._books = home / "books"
        self._ways = ways
        self.refuses = "refuses" in ways

    async def submit(self, parcel: adapters.Parcel) -> adapters.Submitted:
        if self.refuses and not self.mended(parcel.key).exists():
            raise adapters.Rejected("as the test wants it")
        with self._books.open("a") as books:
            books.write(f"{parcel.key}\n")
        if "slow" in self._ways:
            await asyncio.sleep(_SLOW_SECONDS)
        return adapters.Submitted("R-1", duplicate=False)

    async def fetch(self, key: str) -> adapters.Pending | adapters.Unknown | adapters.Verdict:
        if key not in self._books.read_text().splitlines():
            return adapters.Unknown()
        return adapters.Pending("R-1") if "calls" in self._ways else self._verdict()

    async def call(self, backend: str, key: str, world: DeliveryWorld, store: Store) -> None:
        """Bring the verdict, again until it is taken."""
        called = self._home / f"called-{backend}"
        while "calls" in self._ways and not called.exists():
            with suppress(StoreUnavailable):
                heard = await hear_from(backend, key, self._verdict(), world, store)
                called.write_text(heard.status)
            await asyncio.sleep(0.02)

    def mended(self, key: str) -> Path:
        """Where this file is, it calls nothing wrong under that key any more."""
        return self._home / f"mended-{key}"

    def _verdict(self) -> adapters.Verdict:
        return adapters.Verdict("accepted", "R-1", datetime.now(UTC))


class Notary:
    """Signs nothing."""

    async def issued(self, make: Callable[[], Any]) -> Any:
        return make()

    def verdict_notice(self, *_: object) -> Any:
        return verdict_notice()

    def recheck_notice(self, filing: Filing, at: datetime) -> SignedNotice:
        good = filing.status is Status.ACKNOWLEDGED
        return SignedNotice(NoticeKind.CONFIRMATION if good else NoticeKind.REFUSAL, at, b"<known/>")


async def run(place: str, home: Path, fault: Fault, ways: frozenset[str]) -> None:
    bodies = Bodies(FaultyBlobs(home / "bodies", fault))
    store = await open_store(place, lambda: datetime.now(UTC) - EARLIER, bodies=bodies)
    store._driver = Faulty(store._driver, fault)  # type: ignore[assignment]
    await store.seed([_seed(LEAD), _seed(COOPERATING)], "test")
    status = Status.PROVISIONAL if "unknown" in ways else Status.ACKNOWLEDGED
    number = await acknowledged(store, filed_document(home, ways), status, home / "acknowledged")
    ordered = partial(_ordered, home)
    await ordered("hold", lambda: store.hold(number, "operator", "test"))
    await ordered("release", lambda: store.release(number, "operator", "test"))
    await _carried_on(number, store, home, ways)
    await ordered("hold-agency", lambda: store.hold_agency(LEAD, "operator", "test"))
    if "reissues" in ways:
        await ordered("reissue", lambda: reissued(store))
    if "removes" in ways:
        today = Store(store._driver, lambda: datetime.now(UTC), bodies)
        await ordered("remove", lambda: today.remove_ended(_REMOVED, 10))
    await store.close()


async def _carried_on(number: str, store: Store, home: Path, ways: frozenset[str]) -> None:
    """Until it is final and handed over."""
    agency = Agency(home, ways)
    world = DeliveryWorld(
        store, KnownAgencies(store.agencies), {LEAD: agency, COOPERATING: agency}, Notary(),  # type: ignore
        cache(partial(_rules, home)), cache(schemas.open_catalogue), lambda: load_directory(OWN_DIRECTORY),
        Backoff(0.02, 0.05), lambda: datetime.now(UTC), store.events, Room(10**9),
    )  # fmt: skip
    working = [_working(store.claim_due, partial(carry_on, world=world), store.renew)]
    if "revoked" in ways:
        await told(store, number, "refused")
    else:
        await _concluded(number, store, agency, world, home)
        working.append(
            _working(store.claim_handovers, partial(carry_over, world=world), store.renew_handover)
        )
        await _handed_over(number, store, agency, world, home)
    for worker in working:
        worker.cancel()
    await asyncio.wait(working)


async def _concluded(number: str, store: Store, agency: Agency, world: DeliveryWorld, home: Path) -> None:
    if agency.refuses:
        await told(store, number, "stuck")
        agency.mended(number).touch()
        await _ordered(home, "replay", lambda: store.replay(number, "operator", "test"))
    await told(store, number, "delivered")
    await agency.call(LEAD, number, world, store)
    await told(store, number, "accepted")


async def _handed_over(number: str, store: Store, agency: Agency, world: DeliveryWorld, home: Path) -> None:
    key = f"{number}~{COOPERATING}"
    if agency.refuses:
        await told(store, number, "handover-stuck")
        agency.mended(key).touch()
        await _ordered(home, "replay-handover", lambda: store.replay(number, "operator", "test", COOPERATING))
    await told(store, number, "handover-delivered")
    await agency.call(COOPERATING, key, world, store)


def _seed(agency: str) -> Seed:
    about = {"id": agency, "name": agency, "serves": f'["{agency}"]', "poll_seconds": 0.05}
    return Seed("agency", {**about, "adapter": "rest", "config": "{}"})


def _working(claim: Any, step: Any, renew: Any) -> asyncio.Task[None]:
    worker: Worker[Any] = Worker(
        f"node-{os.getpid()}", claim, step, renew,
        in_flight=4, lease_seconds=_LEASE_SECONDS, idle_seconds=0.02, step_seconds=30.0,
    )  # fmt: skip
    return asyncio.create_task(worker.run())


def file_unknown(home: Path, *, revoked: bool) -> None:
    """A signed dossier, and by now lists that say whether its signer's certificate was revoked before its receipt."""
    now = datetime.now(UTC)
    life = {"not_before": now - pki.YEAR, "not_after": now + pki.YEAR}
    root = pki.authority("Root", number=1, **life)  # type: ignore[arg-type]
    issuer = pki.authority("Issuing CA", root, number=2, path_length=0, **life)  # type: ignore[arg-type]
    key = pki.signer(issuer, **life)  # type: ignore[arg-type]
    if revoked:
        serial, reason = key.certificate.serial_number, x509.ReasonFlags.key_compromise
        issuer.revoked.append((serial, now - 2 * EARLIER, reason))
    for folder, one in (("anchors", root), ("intermediates", issuer)):
        pem = one.certificate.public_bytes(Encoding.PEM)
        _write(home / "trust" / folder / "own.pem", pem)
    for name, one in (("root", root), ("issuer", issuer)):
        _write(home / "trust" / "crls" / f"{name}.crl", one.crl(now, now + timedelta(days=1)))
    unsigned = (_FORM / "examples" / "passes.xml").read_bytes()
    signed = signing.sign_xml(
        unsigned, key, profile="xades-b", target_id="_NODE_TO_SIGN", place="CKyDTu", at=now - 2 * EARLIER
    )
    _write(home / "dossier.xml", signed)


def _write(file: Path, octets: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(octets)


def _rules(home: Path) -> SignatureRules:
    return SignatureRules(signing.load_policy("tt15-2025"), signing.TrustStore.load(home / "trust"))


def filed_document(home: Path, ways: frozenset[str]) -> bytes:
    if "unknown" in ways:
        return (home / "dossier.xml").read_bytes()
    return LARGE if "large" in ways else SMALL


async def acknowledged(store: Store, document: bytes, status: Status, book: Path) -> str:
    """File it, again under the same key until it is acknowledged, and keep that durably; then under another key."""
    if not book.exists():
        number = await _until_known(lambda: store.add(_filed(document, status)))
        with book.open("w") as file:
            file.write(number)
            file.flush()
            os.fsync(file.fileno())
    digest = hashlib.sha256(document).digest()
    again = await _until_known(lambda: store.find_repeat("alpha", "another key", digest))
    assert again == book.read_text()
    return again


async def _until_known(send: Callable[[], Awaitable[Recorded | None]]) -> str:
    while True:
        with suppress(StoreUnavailable):
            recorded = await send()
            assert recorded is not None
            return recorded.filing.number


def _filed(document: bytes, status: Status) -> Prepared:
    made = prepared(document, key="k", status=status)
    filing = replace(made.new.filing, summary=_SERVICE, received_at=datetime.now(UTC) - EARLIER)
    return replace(made, new=replace(made.new, filing=filing))


async def told(store: Store, number: str, event: str) -> None:
    """Wait until the filing's story tells it."""
    while event not in [one.name for one in await store.events(number)]:
        await asyncio.sleep(0.02)


async def _ordered(home: Path, act: str, order: Callable[[], Awaitable[object]]) -> None:
    """An operator's order, given again until it is known to be carried out."""
    done = home / f"done-{act}"
    while not done.exists():
        with suppress(StoreUnavailable):
            with suppress(NotHeld, NotStuck):  # carried out already
                await order()
            done.touch()


async def reissued(store: Store) -> int:
    """The receipts that another key has signed, signed anew."""
    given = await store.signed_since(datetime(2000, 1, 1, tzinfo=UTC), None, 10)
    now = datetime.now(UTC)
    made = [
        Reissue(one, replace(one.notice, issued_at=now, document=REISSUED))
        for one in given
        if one.notice.kind is NoticeKind.RECEIPT and one.notice.document != REISSUED
    ]
    return await store.reissue(Reissues(tuple(made), "key", "operator", "test", now)) if made else 0


def main(place: str, home: Path, fault: Fault, ways: frozenset[str]) -> None:
    """A process of its own, and what it says in its log."""
    with (home / "log").open("ab") as log:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    asyncio.run(run(place, home, fault, ways))
