"""Fixtures: one hierarchy of the tests' own, one declaration, and where the shared material lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from signing import Policy, TrustStore, load_policy
from tests.signing.pki import Hierarchy, hierarchy

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def shared(relative: str) -> Path:
    """A file of the shared material, or a loud skip that names it."""
    path = SHARED / relative
    if not path.exists():
        pytest.skip(f"missing: ../shared/{relative}")
    return path


@pytest.fixture(scope="session")
def pki() -> Hierarchy:
    return hierarchy()


@pytest.fixture(scope="session")
def trust(pki: Hierarchy) -> TrustStore:
    return pki.trust()


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load_policy("tt15-2025")
