"""docs/operations.md: every command of the year is run as printed, in order, beside a gateway that serves."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.docs.papers import DOCS, blocks
from tests.documents import signed
from tests.house import House
from tests.register.changing import changing_house
from tests.register.typist import typist

TEXT = (DOCS / "operations.md").read_text(encoding="utf-8")
COMMANDS = [line for block in blocks(TEXT, "sh") for line in block.splitlines()]


def words(line: str, house: House) -> list[str]:
    """As the shell would split it, with the house's own folder for var/dev."""
    return [word.replace("var/dev", str(house.installation.directory)) for word in shlex.split(line)]


async def test_the_year_works_as_printed(tmp_path: Path, pki_home: Path) -> None:
    async with (
        changing_house(tmp_path / "h", pki_home) as (house, _),
        house.client() as of,
    ):
        typed = typist(house.installation.settings)
        for count, line in enumerate(COMMANDS):
            program, *command = words(line, house)
            assert program == "efile"
            await typed(*command)
            if "suspend" not in line and count % 4 == 0:
                assert (await of.submit(signed(house.pki, "taxpayer-ec"))).status == 201, line
    assert len(COMMANDS) >= 30
