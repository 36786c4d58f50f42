"""Kind "tax": SOAP with MTOM, in both versions of SOAP."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import SECRETS, guarded, https_settings, started

SOAP_11 = Family(
    kind="tax",
    secrets=SECRETS,
    start=started("tax", "/tax"),
    settings=lambda pki, at: https_settings(pki, "https://localhost/tax", **guarded(pki, at)),
    manner="over SOAP 1.1",
)
SOAP_12 = Family(
    kind="tax",
    secrets=SECRETS,
    start=started("tax", "/tax", lambda _: {"soap_version": "1.2"}),
    settings=lambda pki, at: https_settings(
        pki, "https://localhost/tax", **guarded(pki, at), soap_version="1.2"
    ),
    manner="over SOAP 1.2",
)
