"""Kind "tax": SOAP with MTOM, in both versions of SOAP."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import https_settings, started

SOAP_11 = Family(
    kind="tax",
    start=started("tax", "/tax"),
    settings=lambda pki, _: https_settings(pki, "https://localhost/tax"),
    manner="over SOAP 1.1",
)
SOAP_12 = Family(
    kind="tax",
    start=started("tax", "/tax", lambda _: {"soap_version": "1.2"}),
    settings=lambda pki, _: https_settings(pki, "https://localhost/tax", soap_version="1.2"),
    manner="over SOAP 1.2",
)
