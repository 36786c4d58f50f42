"""Where bodies lie, how long all is kept, and who sees to it: parts of the composition root."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack

import msgspec
import structlog

import schemas
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.filing.retention import UNREAD, Rule, rules_of
from gateway.jobs.upkeep import keep_up
from gateway.ports import Clock
from gateway.settings import BodySettings, RetentionSettings, Settings
from gateway.store.blobs import Blobs, FolderBlobs
from gateway.store.bodies import Bodies
from gateway.store.opening import open_store
from gateway.store.store import Store

log = structlog.get_logger("app")
_PAGE = 200
"""Filings that one transaction removes: some milliseconds of the writer."""


def bodies_of(bodies: BodySettings) -> Bodies:
    """Where bodies are kept; their keys come with the register. Raises ConfigurationError, OSError."""
    return Bodies(_blobs(bodies))


def try_bodies(bodies: BodySettings) -> None:
    """Whether a large body could be put now; where its folder is not made yet, that is no fault.

    Raises ConfigurationError, OSError.
    """
    if bodies.folder is None or bodies.folder.exists():
        blobs = _blobs(bodies)
        if blobs is not None:
            blobs.require_room()


def _blobs(bodies: BodySettings) -> Blobs | None:
    if bodies.folder is not None and bodies.s3 is not None:
        raise ConfigurationError(["[bodies] folder, s3: only one of them"])
    if bodies.folder is not None:
        return FolderBlobs(bodies.folder, bodies.over_bytes)
    if bodies.s3 is not None:
        from gateway.store.bucket import open_bucket  # noqa: PLC0415 - its library is large, and rarely needed

        return open_bucket(bodies.s3, bodies.over_bytes)
    return None


def retention_rules(settings: Settings, families: Mapping[str, schemas.Family]) -> list[Rule]:
    """In force: what the families say, and the settings before them. Raises ConfigurationError, with every fault."""
    terms = {
        name: {str(part): term for part, term in family.retention.items()}
        for name, family in families.items()
    }
    faults, rules = [], []
    for said in settings.retention:
        if said.family not in terms and said.family != UNREAD:
            faults.append(f"[retention] family: the catalogue has no {said.family!r}")
        terms.setdefault(said.family, {}).update(_said(said))
    for family, parts in terms.items():
        try:
            rules += rules_of(family, parts)
        except ValueError as error:
            faults.append(f"[retention] {error}")
    if faults:
        raise ConfigurationError(faults)
    return rules


def upkeep(store: Store, code: str, rules: Callable[[], list[Rule]]) -> Coroutine[None, None, None]:
    """The job: the engine's own needs, orphaned bodies, what is past its term. `code`: as filing numbers begin."""

    async def remove() -> int:
        return sum([await store.remove_ended(rule, _PAGE) for rule in rules()])

    async def tend() -> int:
        return await store.tend(code)

    return keep_up({"store-tended": tend, "bodies-swept": store.sweep, "removed-past-term": remove})


async def opened_store(
    settings: Settings, now: Clock, on_fatal: Callable[[], None], stack: AsyncExitStack, *, tends: bool
) -> Store:
    """The store, closed with the stack. `tends`: the first filing finds its month; what cannot be now, the job does.

    Raises like `open_store` and `bodies_of`.
    """
    store = await open_store(settings.store, now, on_fatal, bodies_of(settings.bodies))
    stack.push_async_callback(store.close)
    if tends:
        try:
            await store.tend(settings.gateway.code)
        except StoreUnavailable as error:
            log.warning("upkeep-failed", chore="store-tended", error=repr(error))
    return store


def _said(said: RetentionSettings) -> dict[str, str]:
    terms: dict[str, str | None] = msgspec.structs.asdict(said)
    return {part: term for part, term in terms.items() if part != "family" and term is not None}
