"""Kind "permit": the National Single Window's envelope over SOAP."""

from __future__ import annotations

from typing import Any

from tests.adapters.families import Family
from tests.adapters.families.over_https import SECRETS, guarded, https_settings, started

PARTIES: dict[str, Any] = {
    "sender": {"name": "Cổng nộp hồ sơ", "identity": "H52", "organization_code": "H52"},
    "receiver": {"name": "Bộ Xây dựng", "identity": "BXD", "ministry_code": "BXD", "unit_code": "HDXD"},
}
FAMILY = Family(
    kind="permit",
    secrets=SECRETS,
    start=started("permit", "/permit", lambda _: PARTIES),
    settings=lambda pki, at: https_settings(pki, "https://localhost/permit", **guarded(pki, at), **PARTIES),
)
