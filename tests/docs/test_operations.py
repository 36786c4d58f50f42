"""docs/operations.md: every command of the year is run as printed, in order, beside a gateway that serves."""

from __future__ import annotations

import shlex
from pathlib import Path

import certs_dev
from tests.docs.papers import DOCS, blocks
from tests.documents import signed
from tests.house import House
from tests.register.changing import changing_house
from tests.register.typist import typist
from tests.tsa import Authority

TEXT = (DOCS / "operations.md").read_text(encoding="utf-8")
COMMANDS = [line for block in blocks(TEXT, "sh") for line in block.splitlines()]


def words(line: str, house: House, tsa: str) -> list[str]:
    """As the shell would split it, with the house's own folder for var/dev, and an authority that is there."""
    own = line.replace("var/dev", str(house.installation.directory)).replace("http://tsa.example.vn/", tsa)
    return shlex.split(own)


async def test_the_year_works_as_printed(tmp_path: Path, pki_home: Path, pki: certs_dev.DevPki) -> None:
    with Authority(pki, tmp_path / "tsa").open() as tsa:
        async with (
            changing_house(tmp_path / "h", pki_home) as (house, _),
            house.client() as of,
        ):
            typed = typist(house.installation.settings)
            for count, line in enumerate(COMMANDS):
                program, *command = words(line, house, tsa.url)
                assert program == "efile"
                await typed(*command)
                if "suspend" not in line and count % 4 == 0:
                    assert (await of.submit(signed(house.pki, "taxpayer-ec"))).status == 201, line
    assert len(COMMANDS) >= 30
