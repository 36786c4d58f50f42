"""Kind "rest": JSON over HTTPS."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import https_settings, started

FAMILY = Family(
    kind="rest", start=started("rest"), settings=lambda pki, _: https_settings(pki, "https://localhost")
)
