"""Every row of the fault table on both engines: nothing lost, nothing doubled."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import gateway.store
from tests.torture.faults import BESIDE, POINTS, row
from tests.torture.faulty import MODES


@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("point", POINTS)
async def test_a_fault_at_a_write_loses_and_doubles_nothing(
    place: str, tmp_path: Path, point: str, mode: str
) -> None:
    found = await row(place, tmp_path, point, mode)
    assert found.wrong == ()


def test_every_write_is_in_the_table_or_known_to_stand_beside_it() -> None:
    """A new one fails here until somebody has thought about it."""
    files = Path(gateway.store.__path__[0]).glob("*.py")
    calls = [found for file in files for found in re.findall(r"_driver\.write\(([^,]+),", file.read_text())]
    written = {name for call in calls for name in re.findall(r"\w+\.\w+", call)}
    beside = {name for name in written if name in BESIDE or name.partition(".")[0] in BESIDE}
    assert {name.partition(".")[2] for name in written - beside} == {
        point.write for point in POINTS.values() if point.write != "put"
    }
    assert len({name.partition(".")[2] for name in written - beside}) == len(written - beside)
