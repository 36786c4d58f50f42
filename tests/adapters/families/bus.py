"""Kind "bus": a provincial bus over HTTPS, with a token."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from adapters.simulator.bus import CLIENT_ID, CLIENT_SECRET
from certs_dev import DevPki
from tests.adapters.families import Family
from tests.adapters.families.over_https import https_settings, started


def own_settings(directory: Path) -> dict[str, Any]:
    secret = directory / "bus-secret"
    secret.write_text(CLIENT_SECRET + "\n", encoding="utf-8")
    return {"client_id": CLIENT_ID, "client_secret_file": str(secret), "unit_code": "H52.01"}


def bus_settings(
    pki: DevPki, directory: Path, url: str = "https://localhost/bus", **more: Any
) -> dict[str, Any]:
    return https_settings(pki, url, **{**own_settings(directory), **more})


FAMILY = Family(
    kind="bus",
    start=started("bus", "/bus", own_settings),
    settings=bus_settings,
    secrets=("client_secret_file",),
    asks_first=True,
)
