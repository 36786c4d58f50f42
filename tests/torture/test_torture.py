"""The short form of `make torture`: most harms once, on each engine and on two nodes."""

from __future__ import annotations

import pytest

from tests.postgres import require_postgres
from tests.torture.scenes import SCENES
from tests.torture.torture import torture


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", SCENES)
async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(scene: str) -> None:
    if scene != "sqlite":
        require_postgres()
    result = await torture(scene, None, seed=8)
    assert (result.lost, result.doubled, result.never) == ([], [], [])
    assert result.books.receipts or result.missing
    if result.missing:
        pytest.skip("; ".join(f"MISSING for {name!r}: {needed}" for name, needed in result.missing.items()))
