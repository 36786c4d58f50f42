"""The short form of `make torture`: half a minute of chaos on each engine."""

from __future__ import annotations

import pytest

from tests.postgres import require_postgres
from tests.torture.torture import torture


@pytest.mark.timeout(600)
@pytest.mark.parametrize("postgres", [False, True], ids=["sqlite", "postgresql"])
async def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(postgres: bool) -> None:
    if postgres:
        require_postgres()
    result = await torture(30.0, postgres=postgres, seed=8)
    assert result.books.receipts
    assert result.done
    assert (result.lost, result.doubled) == ([], [])
