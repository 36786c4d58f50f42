"""Another adapter comes in the place of one in use, of every kind: no call is broken, nothing stays unheard."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from adapters import WITH_CERTIFICATE, Adapter, Listener, Unavailable, Unknown, exchangeable, open_adapter
from tests.adapters import families
from tests.adapters.families import FAMILIES
from tests.adapters.waiting import fetched


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Adapter]:
    """Opens another one, with the settings of the last that a family opened."""
    settings: list[tuple[str, Mapping[str, Any]]] = []

    def opened(kind: str, config: Mapping[str, Any]) -> Adapter:
        settings.append((kind, config))
        return open_adapter(kind, config)

    for info in pkgutil.iter_modules(families.__path__):
        module = importlib.import_module(f"{families.__name__}.{info.name}")
        if hasattr(module, "open_adapter"):
            monkeypatch.setattr(module, "open_adapter", opened)
    return lambda: open_adapter(*settings[-1])


async def test_calls_end_with_the_adapter_they_began_with(again, agency, parcel):
    adapter, simulator = agency
    closed = asyncio.Event()
    close = adapter.close

    async def told() -> None:
        closed.set()
        await close()

    adapter.close = told
    stand = exchangeable(adapter)
    try:
        simulator.behaviour = simulator.behaviour.changed({"delay_s": 0.3})
        first = asyncio.create_task(stand.submit(parcel()))
        await asyncio.sleep(0.05)
        stand.exchange(again())
        await first
        await asyncio.wait_for(closed.wait(), 20)
        await stand.submit(parcel(key="f-2"))
        assert not isinstance(await fetched(stand, "f-2", object), Unknown)
    finally:
        await stand.close()


async def test_one_that_is_stopped_calls_nobody_until_it_is_exchanged(again, agency, parcel):
    adapter, simulator = agency
    stand = exchangeable(adapter)
    try:
        stand.stop("its key was revoked")
        for call in (stand.submit(parcel()), stand.fetch("f-1")):
            with pytest.raises(Unavailable, match="its key was revoked"):
                await call
        assert simulator.books == {}
        stand.exchange(again())
        await stand.submit(parcel())
    finally:
        await stand.close()


async def test_what_an_agency_leaves_is_heard_before_and_after(again, agency, parcel):
    adapter, _ = agency
    stand = exchangeable(adapter)
    assert isinstance(stand, Listener) is isinstance(adapter, Listener)
    if not isinstance(stand, Listener):
        return
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def hear(key: str, _: object) -> bool:
        await heard.put(key)
        return True

    listening = asyncio.create_task(stand.listen(hear))
    try:
        for key in ("f-1", "f-2", "f-3"):
            await stand.submit(parcel(key=key))
            async with asyncio.timeout(20):
                while await heard.get() != key:
                    pass
            stand.exchange(again())
        stand.stop("its key was revoked")
        with pytest.raises(Unavailable, match="its key was revoked"):
            await listening
    finally:
        listening.cancel()
        with contextlib.suppress(asyncio.CancelledError, Unavailable):
            await listening
        await stand.close()


@pytest.mark.parametrize("name", FAMILIES)
def test_kinds_with_a_client_certificate_are_those_that_take_one(name, pki, tmp_path):
    family = FAMILIES[name]
    assert ("client_cert" in family.settings(pki, tmp_path)) is (family.kind in WITH_CERTIFICATE)
