"""`efile doctor`: all that is wrong in one go, in both languages, with its mend; a sound house has nothing wrong."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from gateway.clock import clock
from gateway.development import install
from gateway.doctor import Finding, examine
from gateway.register.entry import Purpose
from gateway.settings import load_settings
from gateway.store.opening import migrate_store
from gateway.store.statements import Statement, Steps
from gateway.store.taken_over import TakenOver
from tests.register.changing import LAN, changing_house, issued


def said(found: list[Finding], *, wrong: bool) -> str:
    assert all(one.text.vi and one.text.en and one.mend.vi and one.mend.en for one in found)
    return "\n".join(f"{one.about}: {one.text.en}" for one in found if one.wrong is wrong)


async def test_a_sound_house_has_nothing_wrong(tmp_path: Path, pki_home: Path) -> None:
    async with changing_house(tmp_path, pki_home) as (house, _):
        found = await examine(house.settings, clock)
        assert said(found, wrong=True) == ""
        assert "It has ended" in said(found, wrong=False), "the provider's certificate that has"


async def test_all_that_is_wrong_is_said_in_one_go(tmp_path: Path, pki_home: Path) -> None:
    async with changing_house(tmp_path / "h", pki_home) as (house, register):
        key = issued(house.pki, tmp_path / "n", "gateway-ca", "signer")
        location = {"key": str(key.key), "certificate": str(key.certificate)}
        entry = await register.add_key(Purpose.NOTICES, location, LAN)
        await register.rehearse(entry.id, LAN)
        await register.activate(entry.id, LAN)
        key.key.chmod(0o640)
        house.settings.door.key.chmod(0o644)
        await house.gateway.store.report_taken_over(TakenOver("node-2:17", 1, ("no such file",)))
        await house.gateway.store._driver.write(_forge, None)
        (agency,) = house.settings.agency
        config = {**agency.config, "ca_file": str(tmp_path / "nowhere.pem")}
        empty = tmp_path / "empty"
        empty.mkdir()
        settings = replace(
            house.settings,
            agency=(replace(agency, config=config),),
            catalogue=replace(house.settings.catalogue, directory=empty),
        )
        found = await examine(settings, lambda: clock() + timedelta(days=31))
    wrong, warned = said(found, wrong=True), said(found, wrong=False)
    for text in (
        "the key is readable by others",
        "agency tax: It cannot be used",
        "catalogue: It cannot be used",
        "The audit record is broken",
        "node-2:17 could not take over: no such file",
        "clock: This machine's clock and the database's are",
    ):
        assert text in wrong, text
    assert "DEV-CA public sub CA" in warned, "its list has ended by then"
    assert f"keys: {house.settings.door.key} is readable by others" in warned, (
        "in development that is a warning"
    )


def _forge(batch: list[None]) -> Steps:
    yield Statement("UPDATE audit SET actor = 'nobody' WHERE act = 'certificate.activate'", [()])
    return [None] * len(batch)


async def test_production_names_each_file_and_an_old_schema_is_said(tmp_path: Path, pki_home: Path) -> None:
    shutil.copytree(pki_home / "pki", tmp_path / "pki")
    settings = load_settings(install(tmp_path, at=datetime.now(UTC)).settings)
    found = await examine(replace(settings, mode="production"), clock)
    assert f"Not fit for production: {settings.door.certificate}: a development certificate" in said(
        found, wrong=True
    )
    assert "store: The store's schema lacks 0001" in said(found, wrong=True)
    await migrate_store(settings.store)
    assert "schema" not in said(await examine(settings, clock), wrong=True)
