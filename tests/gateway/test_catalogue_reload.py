"""The catalogue changes under a gateway that runs: the whole change counts, or nothing of it."""

from __future__ import annotations

from pathlib import Path

import schemas
from tests.documents import signed
from tests.house import house_at


async def test_a_form_changes_without_restart(tmp_path: Path, pki_home: Path) -> None:
    folder = tmp_path / "catalogue"
    schemas.export_catalogue(schemas.OWN_CATALOGUE, folder)
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
