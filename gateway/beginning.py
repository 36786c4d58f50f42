"""What a process begins with: the settings file goes into the store, and what the register then says is opened."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

from gateway.body_keys import begin_with, first_keys
from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.intake.verify import SignatureRules
from gateway.jobs.refresh import Reloading
from gateway.metrics import Metrics
from gateway.notary import XmlNotary
from gateway.notice_keys import first_notary
from gateway.ports import Clock
from gateway.register.entry import RegisterRefused
from gateway.register.policy import RegisterPolicy, policy_at
from gateway.reloaded import RegisterView, load_signature_rules
from gateway.seeding import SETTINGS_FILE, entries_of, people_of, rosters_of, seeds_of, services_of
from gateway.settings import Settings
from gateway.store.people import Listing
from gateway.store.register import Adoption
from gateway.store.store import Store
from gateway.store.taken_over import NOTHING_YET, TakenOver
from gateway.time_stamps import TimeStamps


@dataclass(frozen=True, slots=True)
class Begun:
    """`policy`: of the register, as it was read at the start."""

    view: RegisterView
    rules: Reloading[SignatureRules]
    notary: XmlNotary
    stamps: TimeStamps
    policy: RegisterPolicy


async def announced(store: Store, stack: AsyncExitStack) -> str:
    """Under which name this process says what it has taken over. It does so before it reads the register: who changes
    that meanwhile waits for this process too. Raises StoreUnavailable."""
    name = f"{socket.gethostname()}:{os.getpid()}"
    await store.report_taken_over(TakenOver(name, NOTHING_YET))
    stack.push_async_callback(_left, store, name)
    return name


async def _left(store: Store, name: str) -> None:
    with suppress(StoreUnavailable):
        await store.leave(name)


async def begun(
    settings: Settings, store: Store, now: Clock, metrics: Metrics, stack: AsyncExitStack
) -> Begun:
    """What the settings file says goes into the store; what the register says then is what this process begins with.

    Raises ConfigurationError, OSError, ValueError, signing.KeyRefused, signing.TrustRefused.
    """
    view = RegisterView(await store.entries())
    rules = load_signature_rules(settings, now, view)
    stamps = TimeStamps(settings.notices.tsa_seconds, rules, now, metrics.stamped)
    stack.push_async_callback(stamps.aclose)
    notary, key = await asyncio.to_thread(first_notary, settings, view.entries, rules(), now(), stamps)
    await _seeded(settings, store, now)
    policy = policy_at(settings.register.policy, now())
    seals = await asyncio.to_thread(first_keys, settings.bodies, view.entries, now())
    named = (key, *entries_of(settings), *services_of(settings, now()), *seals.active)
    await store.adopt(Adoption(named, SETTINGS_FILE, now(), policy.overlaps, seals.beside))
    view.entries = tuple(await store.entries())
    await asyncio.to_thread(begin_with, store.body_keys, seals, view.entries)
    stamps.take_over(view.entries)
    return Begun(view, rules, notary, stamps, policy)


async def _seeded(settings: Settings, store: Store, now: Clock) -> None:
    people = people_of(settings)
    await store.seed(seeds_of(settings), SETTINGS_FILE, rosters_of(settings))
    if people is not None:
        try:
            await store.list_people(Listing(people, SETTINGS_FILE, now()))
        except RegisterRefused as error:
            raise ConfigurationError([f"[[admin.person]] {error}"]) from error
