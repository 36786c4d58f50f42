"""Kind "edxml": documents and statuses on the exchange, over HTTPS."""

from __future__ import annotations

from typing import Any

from tests.adapters.families import Family
from tests.adapters.families.over_https import SECRETS, guarded, https_settings, started

ORGANS: dict[str, Any] = {
    "sender": {"id": "H52", "name": "Cổng nộp hồ sơ tỉnh"},
    "receiver": {"id": "G22.99", "name": "Cơ quan nhận"},
}
FAMILY = Family(
    kind="edxml",
    secrets=SECRETS,
    start=started("edxml", "/edxml", lambda _: ORGANS),
    settings=lambda pki, at: https_settings(pki, "https://localhost/edxml", **guarded(pki, at), **ORGANS),
    lacks={"verdict at once": "the exchange only takes documents in; what was decided is another message"},
)
