"""What the tests beside independent oracles share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.dss_oracle import Dss, start


@pytest.fixture(scope="session")
def dss(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dss]:
    oracle = start(tmp_path_factory.mktemp("dss"))
    yield oracle
    oracle.close()
