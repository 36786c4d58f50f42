"""Kind "folder": two folders on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from adapters import Adapter, open_adapter
from adapters.simulator import Behaviour
from adapters.simulator.drop import DropAuthority
from certs_dev import DevPki
from tests.adapters.families import POSTED, Family

QUICK = {"timeout_s": 5.0, "look_s": 0.05}
LACKS = {
    **POSTED,
    "mistyped": "a file has no media type",
    "secrets": "who may read a folder is the file system's to say",
}


def folder_settings(_: DevPki, directory: Path, **more: Any) -> dict[str, Any]:
    out, answers = directory / "out", directory / "answers"
    for folder in (out, answers):
        folder.mkdir(parents=True, exist_ok=True)
    return {"out_folder": str(out), "answers_folder": str(answers), **QUICK, **more}


@asynccontextmanager
async def start(
    pki: DevPki, directory: Path, patience: float
) -> AsyncIterator[tuple[Adapter, DropAuthority]]:
    async with DropAuthority(
        directory / "out", directory / "answers", Behaviour(verdict_delay_s=0)
    ) as authority:
        adapter = open_adapter("folder", folder_settings(pki, directory, timeout_s=patience))
        try:
            yield adapter, authority
        finally:
            await adapter.close()


FAMILY = Family(kind="folder", start=start, settings=folder_settings, lacks=LACKS)
