"""Kind "rest": JSON over HTTPS."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import SECRETS, guarded, https_settings, started

FAMILY = Family(
    kind="rest",
    secrets=SECRETS,
    start=started("rest"),
    settings=lambda pki, at: https_settings(pki, "https://localhost", **guarded(pki, at)),
)
