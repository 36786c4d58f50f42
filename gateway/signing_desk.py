"""Where notices are signed: at once with a key in memory, beside the event loop with one in a device or a service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

import structlog

import signing
from gateway.errors import SignerUnavailable

log = structlog.get_logger("notices")
T = TypeVar("T")
AT_ONCE = 4
"""Signatures being made: a device makes one at a time, a service a few."""
WAITING = 64
FRESH_SECONDS = 15.0
"""For how long a signature, or a look at the key, says that the next one can be made."""
PROBE_SECONDS = 3.0
"""Between two looks."""
LOOK_SECONDS = 3.0
"""For one look."""


class SigningDesk:
    """One for a process. No lock of the store is held, and no turn of the event loop taken, while a device signs.

    `seconds` bounds a signature, the wait for it included. A device that hangs keeps its thread: such threads are
    few, and end with the process whatever they do.
    """

    def __init__(self, key: signing.SigningKey, seconds: float) -> None:
        self._key = key
        self._seconds = seconds
        self._room = asyncio.Semaphore(AT_ONCE)
        self._inside = 0
        self._fault: str | None = None
        self._seen = 0.0

    @property
    def apart(self) -> bool:
        """Whether a signature may take long, or fail for a while."""
        return not isinstance(self._key, signing.FileKey)

    async def run(self, make: Callable[[], T]) -> T:
        """What `make`, which signs, gives. Raises SignerUnavailable: nothing may be promised."""
        if not self.apart:
            return make()
        if self._inside >= WAITING:
            raise SignerUnavailable("too many notices wait to be signed")
        self._inside += 1
        try:
            async with asyncio.timeout(self._seconds):
                await self._room.acquire()
                made = await self._in_thread(make)
        except TimeoutError:
            raise self._failed(f"no signature within {self._seconds:g} s") from None
        except signing.KeyRefused as error:
            raise self._failed(str(error)) from None
        finally:
            self._inside -= 1
        self._works()
        return made

    async def fault(self) -> str | None:
        """What `/readyz` says: None while a notice can be signed. Looks at the key where nothing tells for a while."""
        if not self.apart or (self._fault is None and self._age() < FRESH_SECONDS):
            return None
        if self._age() >= PROBE_SECONDS and not self._room.locked():
            self._seen = asyncio.get_running_loop().time()
            await self._room.acquire()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._in_thread(self._key.probe)
            except TimeoutError:
                self._failed(f"no answer within {LOOK_SECONDS:g} s")
            except signing.KeyRefused as error:
                self._failed(str(error))
            else:
                self._works()
        return None if self._fault is None else "signer unavailable"

    def _age(self) -> float:
        return asyncio.get_running_loop().time() - self._seen

    def _works(self) -> None:
        self._seen = asyncio.get_running_loop().time()
        if self._fault is not None:
            log.info("signer-back")
        self._fault = None

    def _failed(self, why: str) -> SignerUnavailable:
        self._seen = asyncio.get_running_loop().time()
        if self._fault != why:
            log.error("signer-unavailable", reason=why)
        self._fault = why
        return SignerUnavailable(f"no notice can be signed now: {why}")

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """In a daemon thread, which an executor would wait for at the end. Gives its room back once it is done."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def settle(value: T | None, error: BaseException | None) -> None:
            self._room.release()
            if done.done():  # nobody waits any more
                return
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(value)  # type: ignore[arg-type]

        def run() -> None:
            try:
                outcome: tuple[T | None, BaseException | None] = (work(), None)
            except BaseException as error:  # whatever it is, the task that waits is to have it
                outcome = (None, error)
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, *outcome)

        try:
            threading.Thread(target=run, name="signer", daemon=True).start()
        except RuntimeError:  # no thread is left
            self._room.release()
            raise
        return await done
