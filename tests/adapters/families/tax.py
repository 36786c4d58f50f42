"""Kind "tax": SOAP with MTOM, in both versions of SOAP, once with a username and password."""

from __future__ import annotations

from tests.adapters.families import Family
from tests.adapters.families.over_https import (
    SECRETS,
    SOAP_PASSWORD,
    SOAP_USER,
    guarded,
    https_settings,
    named,
    started,
)

SOAP_11 = Family(
    kind="tax",
    secrets=SECRETS,
    start=started("tax", "/tax"),
    settings=lambda pki, at: https_settings(pki, "https://localhost/tax", **guarded(pki, at)),
    manner="over SOAP 1.1",
)
SOAP_12 = Family(
    kind="tax",
    secrets=(*SECRETS, "password_file"),
    start=started(
        "tax",
        "/tax",
        lambda at: {"soap_version": "1.2", **named(at)},
        soap_passwords={SOAP_USER: SOAP_PASSWORD},
    ),
    settings=lambda pki, at: https_settings(
        pki, "https://localhost/tax", soap_version="1.2", **guarded(pki, at), **named(at)
    ),
    manner="over SOAP 1.2",
)
