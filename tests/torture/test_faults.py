"""Every row of the fault table on both engines: nothing lost, nothing doubled."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.faults import POINTS, row
from tests.torture.faulty_node import MODES


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", POINTS)
async def test_a_fault_at_a_write_loses_and_doubles_nothing(
    place: str, tmp_path: Path, point: str, mode: str
) -> None:
    found = await row(place, tmp_path, point, mode)
    assert found.wrong == ()
