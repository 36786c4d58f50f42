"""The catalogue changes under a gateway that runs: the whole change counts, or nothing of it."""

from __future__ import annotations

from pathlib import Path

import pytest

import schemas
import schemas.catalogue
from tests.documents import signed
from tests.house import house_at
from tests.schemas.conftest import copy_of_catalogue


async def test_a_form_changes_without_restart(tmp_path: Path, pki_home: Path) -> None:
    folder = copy_of_catalogue(tmp_path / "catalogue", "842")
    rules = folder / "tax/842-2.8.3/rules.toml"
    before = rules.read_text("utf-8")

    def put(rule: str) -> None:
        mine = f'\n[[rule]]\ncode = "842.mine"\nseverity = "WARNING"\nrule = "{rule}"\n'
        rules.write_text(before + mine, "utf-8")

    async with (
        house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house,
        house.client() as client,
    ):

        async def codes() -> set[str]:
            answer = await client.check(signed(house.pki))
            assert answer.body["verdict"] == "acknowledged", answer.body
            return {finding["code"] for finding in answer.body["findings"]}

        assert "842.mine" not in await codes()
        put("[22] = 18450000 or [22] = 1")  # needs words of its own: refused as a whole
        house.gateway.refresh()
        assert "842.mine" not in await codes()
        put("[22] < 1")  # the passing example would not pass: refused too
        house.gateway.refresh()
        assert "842.mine" not in await codes()
        put("[43] = 0")
        house.gateway.refresh()
        assert "842.mine" not in await codes(), "holds"
        rules.write_text(before.replace('code = "842.42.negative"', 'code = "842.42.sign"'), "utf-8")
        house.gateway.refresh()
        changed = await client.check(signed(house.pki, overrides={"ct42": "-1"}))
        assert {"842.42.sign"} <= {finding["code"] for finding in changed.body["findings"]}
        assert "842.42.negative" not in {finding["code"] for finding in changed.body["findings"]}


async def test_its_own_forms_are_read_whole_when_they_change(
    tmp_path: Path, pki_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened at the start; what is damaged under a gateway that serves changes nothing."""
    folder = copy_of_catalogue(tmp_path / "catalogue", "830", "842")
    monkeypatch.setattr(schemas.catalogue, "OWN_CATALOGUE", folder)
    async with (
        house_at(tmp_path, pki_home, catalogue={"directory": folder}) as house,
        house.client() as client,
    ):
        catalogue = house.gateway.catalogue
        first = catalogue()
        rules = folder / "tax/830-2.8.3/rules.toml"
        before = rules.read_text("utf-8")
        rules.write_text(before.replace("[[rule]]", "[[rules]]"), "utf-8")
        house.gateway.refresh()
        assert catalogue() is first
        assert "830-2.8.3/rules.toml" in str(catalogue.fault)
        assert (await client.check(signed(house.pki))).body["verdict"] == "acknowledged"
        rules.write_text(before + "\n", "utf-8")
        house.gateway.refresh()
        assert catalogue() is not first
        assert not catalogue().prepare_one()
