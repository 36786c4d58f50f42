"""A filing through the door, to an agency of each further kind, and its verdict back to the filer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import schemas
from adapters import queue_wire
from adapters.simulator import Behaviour, Simulator, SimulatorConfig
from adapters.simulator.drop import DropAuthority
from adapters.simulator.queue import QueueAuthority
from adapters.simulator.sftp import SftpServer
from adapters.told import Verdict
from certs_dev import DevPki
from tests.adapters import broker
from tests.adapters.families.bus import own_settings as bus_settings
from tests.adapters.families.folder import folder_settings
from tests.adapters.families.queue import authority_at, own_queues, queue_settings
from tests.adapters.families.sftp import PASSWORD, USER, sftp_settings
from tests.adapters.test_drop_adapters import answer
from tests.adapters.test_queue_adapter import PARTIES
from tests.documents import signed
from tests.door.test_services import example
from tests.house import House, house_at

SOON = Behaviour(verdict_delay_s=0.05)
Authority = Simulator | DropAuthority | QueueAuthority
Agency = tuple[dict[str, Any], Authority]


@asynccontextmanager
async def bus(_: DevPki, home: Path) -> AsyncIterator[Agency]:
    async with Simulator(SimulatorConfig(behaviour=SOON)) as simulator:
        yield {**bus_settings(home), "base_url": simulator.url + "/bus", "timeout_s": 5.0}, simulator


@asynccontextmanager
async def queue(pki: DevPki, home: Path) -> AsyncIterator[Agency]:
    shared, queues = await broker.shared(pki, home / "broker"), own_queues()
    async with authority_at(pki, shared.port, queues, SOON) as authority:
        yield queue_settings(pki, home, shared.port, queues), authority


@asynccontextmanager
async def folder(pki: DevPki, home: Path) -> AsyncIterator[Agency]:
    async with DropAuthority(home / "out", home / "answers", SOON) as authority:
        yield folder_settings(pki, home), authority


@asynccontextmanager
async def sftp(pki: DevPki, home: Path) -> AsyncIterator[Agency]:
    root = home / "root"
    async with (
        DropAuthority(root / "out", root / "answers", SOON) as authority,
        SftpServer(root, USER, PASSWORD) as server,
    ):
        yield sftp_settings(pki, home, server), authority


KINDS = {"bus": bus, "queue": queue, "folder": folder, "sftp": sftp}
LEAVE_VERDICTS = ("queue", "folder", "sftp")


@asynccontextmanager
async def house_with(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki, **more: Any
) -> AsyncIterator[tuple[House, Authority]]:
    home = tmp_path / "agency"
    home.mkdir()
    async with KINDS[kind](pki, home) as (config, authority):
        tax = {"adapter": kind, "config": config, "poll_seconds": 0.2, **more}
        async with house_at(tmp_path, pki_home, tax=tax) as house:
            yield house, authority


def behaves(authority: Authority, **changes: Any) -> None:
    authority.behaviour = authority.behaviour.changed(changes)


async def story(house: House, number: str) -> list[str]:
    return [event.name for event in await house.gateway.store.events(number)]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_filing_reaches_the_agency_and_its_verdict_comes_back(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    async with (
        house_with(kind, tmp_path, pki_home, pki) as (house, authority),
        house.client() as client,
    ):
        document = signed(house.pki)
        number = (await client.submit(document)).body["number"]
        filing = await house.follow(client, number)
        notice = schemas.read_notice((await client.part(number, "verdict")).octets)
    (entry,) = authority.books.values()
    assert (entry.key, entry.number, entry.agency) == (number, number, "tax")
    assert (filing["status"], filing["agencyReference"]) == ("accepted", entry.reference)
    assert notice.kind == "verdict-accepted"
    assert [payable.amount for payable in notice.payables] == [p.amount for p in entry.verdict.payables]


async def test_what_a_bus_says_of_its_progress_reaches_the_filer_once(
    tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    """Papers are asked for, then it goes on, then it is decided: each change is told, in the portal's terms."""
    async with (
        house_with("bus", tmp_path, pki_home, pki, serves=("tax", "finance"), poll_seconds=0.05) as (
            house,
            bus_,
        ),
        house.client() as client,
    ):
        behaves(bus_, verdict_delay_s=3600, stage=5, stage_words="Thiếu bản sao có chứng thực")
        number = (await client.submit(example(house, "company-single-member-formation"))).body["number"]
        await told(house, number, "5 Thiếu bản sao có chứng thực")
        portal = (await client.status(number)).body["portalStatus"]
        assert (portal["code"], portal["note"]) == (5, "Thiếu bản sao có chứng thực")
        assert portal["text"]["vi"] == "Yêu cầu bổ sung giấy tờ"
        behaves(bus_, stage=4, stage_words="")
        await told(house, number, "4")
        await asyncio.sleep(0.5)
        body = (await client.status(number)).body
        assert (body["portalStatus"]["code"], body["agencyReference"]) == (4, bus_.books[number].reference)
        assert (await story(house, number)).count("agency-progress") == 2


async def test_a_cooperating_agency_with_a_folder_gets_the_dossier_and_its_answer_is_kept(
    tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    home = tmp_path / "agency"
    home.mkdir()
    async with folder(pki, home) as (config, authority):
        tax = {"adapter": "folder", "config": config}
        async with (
            house_at(tmp_path, pki_home, tax=tax, serves={"finance": ["finance"]}) as house,
            house.client() as client,
        ):
            number = (await client.submit(example(house, "company-single-member-formation"))).body["number"]
            assert (await house.follow(client, number))["status"] == "accepted"
            async with asyncio.timeout(20):
                while "handover-answered" not in await story(house, number):
                    await asyncio.sleep(0.02)
            [cooperating] = (await client.status(number)).body["cooperatingAgencies"]
    assert list(authority.books) == [f"{number}~tax"]
    assert cooperating["answer"] == f"accepted {authority.books[f'{number}~tax'].reference}"


async def told(house: House, number: str, detail: str) -> None:
    async with asyncio.timeout(20):
        while detail not in [event.detail for event in await house.gateway.store.events(number)]:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("kind", LEAVE_VERDICTS)
async def test_a_verdict_that_is_left_for_us_is_fetched_without_a_question(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    async with (
        house_with(kind, tmp_path, pki_home, pki, poll_seconds=3600.0) as (house, _),
        house.client() as client,
    ):
        number = (await client.submit(signed(house.pki))).body["number"]
        assert (await house.follow(client, number))["status"] == "accepted"
        [last] = [e for e in await house.gateway.store.events(number) if e.name == "accepted"]
        assert last.detail == "callback"


@pytest.mark.parametrize("kind", LEAVE_VERDICTS)
async def test_the_first_verdict_stays_and_a_contradiction_is_kept(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    async with (
        house_with(kind, tmp_path, pki_home, pki, poll_seconds=3600.0) as (house, authority),
        house.client() as client,
    ):
        behaves(authority, answer_twice=True, contradict=True)
        number = (await client.submit(signed(house.pki))).body["number"]
        await house.follow(client, number)
        async with asyncio.timeout(20):
            while "verdict-contradicted" not in await story(house, number):
                await asyncio.sleep(0.05)
        assert (await client.status(number)).body["status"] == "accepted"
        assert "verdict-repeated" in await story(house, number)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_outage_delays_and_never_refuses(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    async with (
        house_with(kind, tmp_path, pki_home, pki) as (house, authority),
        house.client() as client,
    ):
        behaves(authority, down=True)
        number = (await client.submit(signed(house.pki))).body["number"]
        await asyncio.sleep(0.5)
        assert (await client.status(number)).body["status"] in ("delivering", "delivered")
        behaves(authority, down=False, lose_answer=1)
        assert (await house.follow(client, number))["status"] == "accepted"
    assert list(authority.books) == [number]


@pytest.mark.parametrize("kind", LEAVE_VERDICTS)
async def test_a_verdict_about_a_strangers_filing_is_put_aside(
    kind: str, tmp_path: Path, pki_home: Path, pki: DevPki
) -> None:
    """Its own filing it has from somebody else: for this gateway there is none under that key."""
    async with house_with(kind, tmp_path, pki_home, pki) as (_, authority):
        adapter_sent = {"queue": post_to_queue, "folder": put_into_folder, "sftp": put_into_folder}
        await adapter_sent[kind](authority)
        async with asyncio.timeout(20):
            while not (aside := await authority.put_aside()):  # type: ignore[union-attr]
                await asyncio.sleep(0.05)
        assert "no filing of this agency" in aside[0][0]


async def post_to_queue(authority: Authority) -> None:
    assert isinstance(authority, QueueAuthority)
    verdict = Verdict("accepted", datetime(2026, 7, 15, tzinfo=UTC), "R")
    await authority.post(queue_wire.verdict_message("SLA-NOBODY", verdict, PARTIES))


async def put_into_folder(authority: Authority) -> None:
    assert isinstance(authority, DropAuthority)
    (authority.answers / "SLA-NOBODY.json").write_bytes(answer("SLA-NOBODY"))
