"""Liên thông: what the lead agency accepts goes on to the agencies that cooperate, once each, whatever happens."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.simulator import Refusal
from gateway.filing.handover import Handover, HandoverStatus
from gateway.store.orders import NotStuck
from gateway.store.seeds import Seed
from tests.door.test_services import example, handed_over
from tests.house import House, house_at

SERVICE = "company-single-member-formation"
SERVES = {"finance": ["finance"]}


def behaves(house: House, **changes: Any) -> None:
    house.simulator.behaviour = house.simulator.behaviour.changed(changes)


async def accepted(house: House, service: str = SERVICE) -> str:
    async with house.client() as client:
        reply = await client.submit(example(house, service))
        assert reply.status == 201, reply.body
        filing = await house.follow(client, reply.body["number"])
    assert filing["status"] == "accepted"
    return str(filing["number"])


async def story(house: House, number: str) -> list[str]:
    return [event.name for event in await house.gateway.store.events(number)]


async def until(house: House, number: str, event: str) -> None:
    async with asyncio.timeout(20):
        while event not in await story(house, number):
            await asyncio.sleep(0.02)


async def test_an_outage_delays_it_and_never_loses_it(tmp_path: Path, pki_home: Path) -> None:
    async with house_at(tmp_path, pki_home, serves=SERVES) as house:
        behaves(house, down=True)
        number = await accepted(house)
        await until(house, number, "handover-failed")
        [waiting] = await house.gateway.store.waiting_handovers(stuck=False)
        assert (waiting.number, waiting.agency, waiting.status) == (number, "tax", "waiting")
        behaves(house, down=False, lose_answer=2)
        assert await handed_over(house, number) == {"tax": "delivered"}
        assert list(house.simulator.books) == [f"{number}~tax"]
        async with house.client() as client:
            [told] = (await client.status(number)).body["cooperatingAgencies"]
        assert (told["id"], told["name"], told["status"]) == ("tax", "Thuế tỉnh Sơn La", "delivered")


async def test_an_agency_that_has_not_joined_gets_nothing_until_it_has(
    tmp_path: Path, pki_home: Path
) -> None:
    async with house_at(tmp_path, pki_home, serves=SERVES) as house:
        await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": "[]"})], "test")
        number = await accepted(house)
        assert await handed_over(house, number) == {"tax": "not-joined"}
        [event] = [e for e in await house.gateway.store.events(number) if e.name == "handover-not-joined"]
        assert event.detail == "Thuế tỉnh Sơn La: no back-end serves tax"
        assert house.simulator.books == {}
        [missing] = await house.gateway.store.waiting_handovers(stuck=True)
        assert (missing.agency, missing.due_seconds) == ("tax", None)
        await house.gateway.store.seed([Seed("agency", {"id": "tax", "serves": '["tax"]'})], "test")
        await house.gateway.store.replay(number, "operator", "it joined", "tax")
        assert await handed_over(house, number) == {"tax": "delivered"}
        with pytest.raises(NotStuck):
            await house.gateway.store.replay(number, "operator", "again", "tax")


async def test_nothing_goes_on_of_what_is_rejected(tmp_path: Path, pki_home: Path) -> None:
    async with house_at(tmp_path, pki_home, serves=SERVES) as house:
        finance = house.agencies["finance"]
        finance.behaviour = finance.behaviour.changed({"refuse": Refusal(code="E1", error="x", remedy="y")})
        async with house.client() as client:
            number = (await client.submit(example(house, SERVICE))).body["number"]
            assert (await house.follow(client, number))["status"] == "rejected"
            assert "cooperatingAgencies" not in (await client.status(number)).body
        assert house.simulator.books == {}


async def test_what_a_cooperating_agency_says_by_itself_is_kept_once(tmp_path: Path, pki_home: Path) -> None:
    """The tax authority of the house calls back; its answer is no verdict of the filing."""
    async with house_at(tmp_path, pki_home, serves=SERVES) as house:
        behaves(house, answer_twice=True, refuse=Refusal(code="E1", error="x", remedy="y"))
        number = await accepted(house)
        await until(house, number, "handover-answered")
        async with house.client() as client:
            body = (await client.status(number)).body
        assert body["status"] == "accepted"
        assert body["cooperatingAgencies"][0]["answer"].startswith("rejected ")
        await asyncio.sleep(0.3)
        assert (await story(house, number)).count("handover-answered") == 1


async def test_the_handover_is_written_with_the_verdict_or_not_at_all(tmp_path: Path, pki_home: Path) -> None:
    """A gateway that dies between the verdict and the handover finds it waiting in its store."""
    async with house_at(tmp_path, pki_home, serves=SERVES) as house:
        behaves(house, down=True)
        number = await accepted(house)
        [planned] = await house.gateway.store.handovers(number)
        planned = replace(planned, detail="")  # the first call may have failed already
        assert planned == Handover("tax", "tax", "Thuế tỉnh Sơn La", HandoverStatus.WAITING)
        assert (await story(house, number))[-2:] == ["accepted", "handover-waiting"] or "handover-failed" in (
            await story(house, number)
        )
    async with AsyncExitStack() as stack:
        again = await stack.enter_async_context(house_at(tmp_path, pki_home, serves=SERVES))
        assert await handed_over(again, number) == {"tax": "delivered"}
        assert list(again.simulator.books) == [f"{number}~tax"]
