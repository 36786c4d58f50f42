"""One development PKI for all tests of this folder; tests that change it make their own."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

import certs_dev


@pytest.fixture(scope="session")
def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory, now: datetime) -> certs_dev.DevPki:
    return certs_dev.make(tmp_path_factory.mktemp("pki") / "dev", at=now)


@pytest.fixture
def own_pki(tmp_path: Path, now: datetime) -> certs_dev.DevPki:
    return certs_dev.make(tmp_path / "dev", at=now)
