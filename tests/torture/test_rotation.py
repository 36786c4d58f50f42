"""The short form of `make torture-certs`: one round of all that rotates, with two processes under load."""

from __future__ import annotations

import pytest

from tests.torture.rotation import rotate


@pytest.mark.timeout(300)
async def test_nothing_fails_while_all_that_rotates_is_exchanged() -> None:
    result = await rotate(0.0)
    assert (result.failed, result.unverifiable) == ([], [])
    assert result.filed > 10
    assert len(result.effects) == 10
    assert result.stamped > 0
