"""A house with an administrators' door."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.admin.people import admin_house
from tests.admin.scenes import fill
from tests.house import House


@pytest.fixture
async def admins(tmp_path: Path, pki_home: Path) -> AsyncIterator[House]:
    async with admin_house(tmp_path, pki_home) as house:
        yield house


@pytest.fixture(scope="module")
def numbers() -> dict[str, str]:
    return {}


@pytest.fixture
async def scene(tmp_path: Path, pki_home: Path, numbers: dict[str, str]) -> AsyncIterator[House]:
    numbers.update(await fill(tmp_path / "store" / "efile.sqlite"))
    async with admin_house(tmp_path, pki_home) as house:
        yield house
