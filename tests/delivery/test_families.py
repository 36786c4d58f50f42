"""A filing through the door to agencies that speak SOAP with MTOM, the single window's envelope or edXML; and back."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import Any

import pytest

import schemas
from adapters.simulator import Behaviour, Refusal
from tests.adapters.families.edxml import ORGANS
from tests.adapters.families.permit import PARTIES
from tests.documents import signed
from tests.house import House, Speaks, house_at

FAMILIES = {
    "tax over SOAP 1.1": Speaks("tax", "/tax"),
    "tax over SOAP 1.2": Speaks("tax", "/tax", {"soap_version": "1.2"}),
    "permit": Speaks("permit", "/permit", PARTIES),
    "edxml": Speaks("edxml", "/edxml", ORGANS),
}
TAX = FAMILIES["tax over SOAP 1.1"]


async def file(house: House, document: bytes) -> str:
    async with house.client() as client:
        reply = await client.submit(document)
    assert reply.status == 201, reply.body
    return str(reply.body["number"])


async def story(house: House, number: str) -> dict[str, str | None]:
    return {event.name: event.detail for event in await house.gateway.store.events(number)}


def behaves(house: House, **changes: Any) -> None:
    house.simulator.behaviour = house.simulator.behaviour.changed(changes)


@pytest.mark.parametrize("family", FAMILIES)
async def test_a_filing_reaches_the_agency_and_its_verdict_comes_back(
    tmp_path: Path, pki_home: Path, family: str
) -> None:
    polled = Behaviour(verdict_delay_s=0.3, callback=False)
    async with house_at(tmp_path, pki_home, behaviour=polled, speaks=FAMILIES[family]) as house:
        document = signed(house.pki)
        number = await file(house, document)
        async with house.client() as client:
            assert (await house.follow(client, number))["status"] == "accepted"
            notice = schemas.read_notice((await client.part(number, "verdict")).octets)
        (book,) = house.simulator.books.values()
        assert (book.key, book.number, book.wire) == (number, number, FAMILIES[family].adapter)
        assert book.digest == hashlib.sha256(document).hexdigest()
        assert notice.kind == "verdict-accepted"
        assert (await story(house, number))["accepted"] == "poll"


async def test_a_ministry_brings_its_result_by_itself(tmp_path: Path, pki_home: Path) -> None:
    refusing = Behaviour(
        verdict_delay_s=0.3, refuse=Refusal(code="07", error="Thiếu bản vẽ", remedy="Nộp bản vẽ")
    )
    speaks = Speaks("permit", "/permit", PARTIES, poll_seconds=60.0)
    async with house_at(tmp_path, pki_home, behaviour=refusing, speaks=speaks) as house:
        number = await file(house, signed(house.pki))
        async with house.client() as client:
            assert (await house.follow(client, number))["status"] == "rejected"
            notice = schemas.read_notice((await client.part(number, "verdict")).octets)
        assert [(r.code, r.error, r.remedy) for r in notice.reasons] == [("07", "Thiếu bản vẽ", "Nộp bản vẽ")]
        assert (await story(house, number))["rejected"] == "callback"


async def test_sent_over_soap_and_the_answer_lost_is_one_filing(tmp_path: Path, pki_home: Path) -> None:
    losing = Behaviour(verdict_delay_s=0.05, lose_answer=2)
    async with house_at(tmp_path, pki_home, behaviour=losing, speaks=TAX) as house:
        number = await file(house, signed(house.pki))
        async with house.client() as client:
            assert (await house.follow(client, number))["status"] == "accepted"
        (book,) = house.simulator.books.values()
        assert book.times >= 2


@pytest.mark.parametrize("trouble", ["down", "garbage", "mistyped", "huge", "bomb"])
async def test_an_authority_in_trouble_delays_and_never_refuses(
    tmp_path: Path, pki_home: Path, trouble: str
) -> None:
    behaviour = Behaviour(verdict_delay_s=0.05).changed({trouble: True})
    async with house_at(tmp_path, pki_home, behaviour=behaviour, speaks=TAX) as house:
        number = await file(house, signed(house.pki))
        async with asyncio.timeout(20):
            while "attempt-failed" not in await story(house, number):
                await asyncio.sleep(0.05)
        behaves(house, **{trouble: False})
        async with house.client() as client:
            assert (await house.follow(client, number))["status"] == "accepted"
        assert len(house.simulator.books) == 1
