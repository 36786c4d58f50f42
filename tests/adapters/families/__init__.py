"""Every kind of agency under the contract suite: a file here that gives a `Family`, or one for each of its manners."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from adapters import Adapter
from adapters.simulator import Behaviour, Entry
from certs_dev import DevPki


class Agency(Protocol):
    """A simulated agency of any wire, as far as the suite uses it."""

    behaviour: Behaviour

    @property
    def books(self) -> dict[str, Entry]: ...

    async def stop(self) -> None: ...


@dataclass(frozen=True)
class Family:
    """`start(pki, directory, patience)`: an adapter that waits `patience` seconds for an answer, and the agency behind
    it, deciding at once.

    `settings(pki, directory)`: a table that opens an adapter of this kind (nobody need be there). `secrets`: of its
    keys, those ending in `_file` or `_env` that hold a credential. `lacks`: what its wire cannot have, by the name
    in `@needs(...)`, with the reason; such a test is none of its tests. `manner` tells families of one kind apart.
    `asks_first`: what the agency has already is not sent again.
    """

    kind: str
    start: Callable[[DevPki, Path, float], AbstractAsyncContextManager[tuple[Adapter, Agency]]]
    settings: Callable[[DevPki, Path], dict[str, Any]]
    secrets: tuple[str, ...] = ()
    lacks: Mapping[str, str] = field(default_factory=dict)
    manner: str = ""
    asks_first: bool = False

    @property
    def name(self) -> str:
        return f"{self.kind} {self.manner}".rstrip()


POSTED = {
    "answer": "a filing is put down, and answered later: tests/adapters/test_posted_contract.py",
    "wait": "an agency that is down cannot say when to ask again",
}
"""What the wires lack over which nobody answers at once."""


def _found() -> dict[str, Family]:
    modules = (
        importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    )
    found = (one for module in modules for one in vars(module).values() if isinstance(one, Family))
    return {family.name: family for family in found}


FAMILIES = _found()
