"""Dossier codes: both forms, every day from 1, without gap or double, whoever else records at the same time."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

import certs_dev
import schemas
from gateway.errors import SignerUnavailable, StoreUnavailable
from gateway.filing.dossier_codes import DossierCodes, is_dossier_code
from gateway.filing.filing import Filing, NewFiling, NoticeKind, Recorded, SignedNotice, Unsigned
from gateway.intake.record import RecordWorld
from gateway.intake.record import record as recorded
from gateway.notary import XmlNotary
from gateway.store.opening import open_store
from tests.documents import key_of
from tests.gateway.builders import new_filing

LATE = datetime(2026, 11, 23, 16, 59, 59, tzinfo=UTC)  # one second before midnight in Vietnam


@pytest.mark.parametrize(
    ("agency", "number", "code"),
    [
        ("000.00.00.H52", 1, "000.00.00.H52-261123-0001"),
        ("000.00.00.H52", 10_000, "000.00.00.H52-261123-10000"),
        ("H52", 1, "H52-20261123-0000001"),
        ("G09.20", 92_637, "G09.20-20261123-0092637"),
    ],
)
def test_both_forms(agency: str, number: int, code: str) -> None:
    codes = DossierCodes(agency)
    assert codes.code(codes.day(LATE), number) == code
    assert is_dossier_code(code)
    assert codes.day(LATE + timedelta(seconds=1)) != codes.day(LATE)


@pytest.mark.parametrize(
    "text",
    ["", "H52", "h52-20261123-0000001", "H52-20261123-1", "H52-2026112-0000001", "H52-２0261123-0000001"],
)
def test_what_is_no_code(text: str) -> None:
    assert not is_dossier_code(text)


@pytest.mark.parametrize("agency", ["", "h52", "H 52", "-H52", "X" * 36])
def test_what_is_no_agency(agency: str) -> None:
    with pytest.raises(ValueError, match="agency code"):
        DossierCodes(agency)


def dossier(body: bytes, at: datetime) -> NewFiling:
    new = new_filing(body)

    def seal(filing: Filing) -> SignedNotice:
        assert filing.dossier_code is not None
        return SignedNotice(NoticeKind.RECEIPT, at, filing.dossier_code.encode())

    filing = replace(new.filing, received_at=at)
    return replace(new, filing=filing, notice=Unsigned(DossierCodes("H52"), seal))


def record(place: str, name: str, count: int) -> None:
    """In a process of its own: dossiers at both sides of midnight, many at once."""

    async def run() -> None:
        store = await open_store(place, lambda: datetime.now(UTC))
        news = [
            dossier(f"<{name}{i}/>".encode(), LATE + timedelta(seconds=2 * (i % 2))) for i in range(count)
        ]
        for answer in await asyncio.gather(*(store.add(store.prepare(new)) for new in news)):
            code = answer.filing.dossier_code
            assert answer.notice.document.decode() == code, "the notice names the code of the commit"
            assert (await store.dossier(str(code))) == answer.filing
        await store.close()

    asyncio.run(run())


async def test_no_gap_and_no_double_over_processes_and_midnight(place: str) -> None:
    await (await open_store(place, lambda: datetime.now(UTC))).close()
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=record, args=(place, name, 40)) for name in "abc"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = await open_store(place, lambda: datetime.now(UTC))
    codes = sorted(row[0] for row in await store._driver.read("SELECT dossier_code FROM filing"))
    await store.close()
    days = ("20261123", "20261124")
    assert codes == [f"H52-{day}-{number:07d}" for day in days for number in range(1, 61)]


async def test_a_repeat_takes_no_number(place: str) -> None:
    store = await open_store(place, lambda: datetime.now(UTC))
    first = await store.add(store.prepare(dossier(b"<one/>", LATE)))
    again = await store.add(store.prepare(dossier(b"<one/>", LATE)))
    other = await store.add(store.prepare(dossier(b"<two/>", LATE)))
    await store.close()
    assert again.repeat
    assert again.filing.dossier_code == first.filing.dossier_code == "H52-20261123-0000001"
    assert other.filing.dossier_code == "H52-20261123-0000002"


async def test_a_transaction_that_fails_takes_no_number(place: str) -> None:
    store = await open_store(place, lambda: datetime.now(UTC))

    def cannot(filing: Filing) -> SignedNotice:
        raise OSError("the key is away")

    broken = replace(dossier(b"<one/>", LATE), notice=Unsigned(DossierCodes("H52"), cannot))
    with pytest.raises((StoreUnavailable, OSError)):
        await store.add(store.prepare(broken))
    after = await store.add(store.prepare(dossier(b"<one/>", LATE)))
    await store.close()
    assert after.filing.dossier_code == "H52-20261123-0000001"


class SlowNotary(XmlNotary):
    """Signs in its own time, as a device does: others come between."""

    apart = True  # type: ignore[assignment]

    async def issued(self, make: Callable[[], SignedNotice]) -> SignedNotice:
        await asyncio.sleep(random.uniform(0, 0.01))
        return make()


def slow(pki: certs_dev.DevPki) -> SlowNotary:
    office = schemas.Office("H52", "Tests")
    return SlowNotary(key_of(pki, "notice"), declarations=office, dossiers=office)


async def test_signed_ahead_without_gap_or_double_whoever_else_signs(
    place: str, pki: certs_dev.DevPki
) -> None:
    """Three processes' worth of stores, each with dossiers that wait for a slow signer, beside sealing commits."""
    stores = [await open_store(place, lambda: datetime.now(UTC)) for _ in range(3)]
    notary = slow(pki)
    worlds = [RecordWorld(store, notary, asyncio.Lock()) for store in stores]

    async def one(number: int) -> Recorded:
        store, world = stores[number % 3], worlds[number % 3]
        prepared = store.prepare(dossier(b"<d>%d</d>" % number, LATE))
        while True:
            try:
                return await (store.add(prepared) if number % 5 == 0 else recorded(prepared, world))
            except SignerUnavailable:  # the sender comes again
                continue

    made = await asyncio.gather(*(one(number) for number in range(40)))
    for store in stores:
        await store.close()
    assert sorted(str(one.filing.dossier_code) for one in made) == [
        f"H52-20261123-{number:07d}" for number in range(1, 41)
    ]
    for each in made:
        assert each.notice.document == str(each.filing.dossier_code).encode(), "the notice names its own code"


async def test_a_repeat_of_what_is_signed_ahead_gets_the_original(place: str, pki: certs_dev.DevPki) -> None:
    store = await open_store(place, lambda: datetime.now(UTC))
    world = RecordWorld(store, slow(pki), asyncio.Lock())
    same = [store.prepare(dossier(b"<one/>", LATE)) for _ in range(3)]
    made = await asyncio.gather(*(recorded(each, world) for each in same))
    other = await recorded(store.prepare(dossier(b"<two/>", LATE)), world)
    await store.close()
    assert {each.filing.number for each in made} == {made[0].filing.number}
    assert sorted(each.repeat for each in made) == [False, True, True]
    assert other.filing.dossier_code == "H52-20261123-0000002"
