"""Kind "tax": SOAP with MTOM."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import https_settings, started

FAMILY = Family(
    kind="tax",
    start=started("tax", "/tax"),
    settings=lambda pki, _: https_settings(pki, "https://localhost/tax"),
)
