"""Papers under way to agencies: bounded in octets, and never left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

import schemas
from adapters.rest import RestAdapter
from adapters.simulator import Behaviour
from gateway.delivery.room import NoRoom, Room
from tests.documents import sign
from tests.house import House, house_at

[KARAOKE] = [one for one in schemas.load_catalogue().descriptions() if one.form.code == "karaoke-licence"]
SERVES = {"culture": ["culture-sports-tourism"]}


def dossier(house: House, name: str) -> tuple[bytes, dict[str, bytes]]:
    code = str(house.pki.plan.identities["taxpayer"].uid).removeprefix("MST:")
    document, papers = schemas.papers_apart(KARAOKE.example("passes.xml", tax_code=code))
    root = etree.fromstring(document)
    next(root.iter("{*}tenCoSo")).text = name
    return sign(house.pki, etree.tostring(root), target_id="_NODE_TO_SIGN"), dict(papers)


def test_room_is_given_back_and_one_alone_is_let_in_whatever_its_size() -> None:
    room = Room(100)
    with room.hold(1000), pytest.raises(NoRoom), room.hold(1):
        pass
    with room.hold(60), room.hold(40), pytest.raises(NoRoom), room.hold(1):
        pass
    with room.hold(100):
        pass


async def test_what_finds_no_room_waits_and_counts_no_failure(tmp_path: Path, pki_home: Path) -> None:
    async with house_at(tmp_path, pki_home, serves=SERVES, limits={"bodies_bytes": 20_000}) as house:
        slow = Behaviour(verdict_delay_s=0.0, callback=False, delay_s=0.5)
        house.agencies["culture"].behaviour = slow
        async with house.client() as client:
            numbers = []
            for n in range(6):
                document, papers = dossier(house, f"Karaoke {n}")
                assert 7_000 < len(document) + sum(map(len, papers.values())) < 10_000
                numbers.append((await client.submit(document, papers=papers)).body["number"])
            for number in numbers:
                assert (await house.follow(client, number))["status"] == "accepted"
                story = [event.name for event in await house.gateway.store.events(number)]
                assert "attempt-failed" not in story
        assert [entry.times for entry in house.agencies["culture"].books.values()] == [1] * 6


async def test_an_adapter_that_carries_no_papers_is_given_none(
    tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RestAdapter, "carries_papers", property(lambda _: False))
    async with house_at(tmp_path, pki_home, serves=SERVES) as house, house.client() as client:
        document, papers = dossier(house, "Karaoke")
        number = (await client.submit(document, papers=papers)).body["number"]
        await house.follow(client, number, until=("stuck",))
        assert house.agencies["culture"].books == {}
