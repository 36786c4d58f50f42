"""What tests of exchanges share: new certificates of the development PKI, and an administrator at a house."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import certs_dev
from certs_dev.pki import Identity
from certs_dev.plan import Profile
from gateway.clock import clock
from gateway.register.acts import Certificates, Who
from gateway.register.entry import Entry, Purpose
from tests.house import House, house_at

LAN = Who("lan", "renewal")
SOON = {"register": {"poll_seconds": 0.05}}


@asynccontextmanager
async def changing_house(
    directory: Path, pki_home: Path, **changes: Any
) -> AsyncIterator[tuple[House, Certificates]]:
    """A house that looks at its register all the time, and an administrator."""
    async with house_at(directory, pki_home, **{**SOON, **changes}) as house:
        yield house, Certificates(house.settings, house.gateway.store, clock)


def issued(
    pki: certs_dev.DevPki,
    folder: Path,
    authority: str,
    profile: Profile,
    *,
    days: tuple[int, int] = (-1, 1500),
) -> Identity:
    """A new certificate with its key, that ends later than all the described ones."""
    who = certs_dev.subject(f"DEV {folder.name}", place="Hà Nội")
    return pki.issue(who, at=clock(), authority=authority, profile=profile, key="p256", valid=days).save(
        folder
    )


async def taken_over(register: Certificates) -> None:
    """Until every process has it, and without a fault."""
    done, processes = await register.effect(20)
    assert done
    assert [fault for one in processes for fault in one.faults] == []


async def next_key(register: Certificates, purpose: Purpose, identity: Identity) -> Entry:
    """In the register as next, and rehearsed."""
    location = {"key": str(identity.key), "certificate": str(identity.chain)}
    entry = await register.add_key(purpose, location, LAN)
    tried = await register.rehearse(entry.id, LAN)
    assert tried.rehearsal is not None
    assert tried.rehearsal.faults == ()
    return tried


async def exchange(register: Certificates, purpose: Purpose, identity: Identity) -> Entry:
    """A new key takes over, in all processes."""
    entry = await next_key(register, purpose, identity)
    await register.activate(entry.id, LAN)
    await taken_over(register)
    return entry


async def faults_of(register: Certificates) -> tuple[str, ...]:
    """Once the process has looked at all that the register says."""
    done, (process,) = await register.effect(20)
    assert done
    return process.faults


def release(*pipes: Path) -> None:
    """Let go whoever waits for one of them to be opened."""
    for pipe in pipes:
        if pipe.is_fifo():
            with suppress(OSError):  # nobody does
                os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
