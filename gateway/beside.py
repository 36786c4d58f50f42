"""Reading what the operator has put somewhere beside the event loop: a file system that hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
_SECONDS = 5.0


class Hanging(OSError):
    """What was to be read is not there yet: its file system does not answer."""

    def __init__(self) -> None:
        super().__init__("its files cannot be read: they hang")


class Beside:
    """At most one thread for each name, and none that a process waits for at its end.

    The pool of `asyncio.to_thread` would do neither: nobody can end a thread that hangs in a file system.
    """

    def __init__(self) -> None:
        self._begun: dict[str, Future[Any]] = {}

    async def read(self, name: str, work: Callable[[], T], *, seconds: float | None = None) -> T:
        """What `work` gives. Raises what it raises; Hanging where it takes too long, and at once while an earlier one
        of that name has not ended. What ends too late is thrown away."""
        begun = self._begun.get(name)
        if begun is not None and not begun.done():
            raise Hanging
        self._begun[name] = given = Future[T]()
        threading.Thread(target=_into, args=(given, work), name=f"reads {name}", daemon=True).start()
        done = asyncio.wrap_future(given)
        done.add_done_callback(_heard)
        await asyncio.wait([done], timeout=_SECONDS if seconds is None else seconds)
        if not done.done():
            raise Hanging
        return done.result()


def _into(given: Future[T], work: Callable[[], T]) -> None:
    try:
        given.set_result(work())
    except BaseException as error:
        given.set_exception(error)


def _heard(done: asyncio.Future[Any]) -> None:
    """What fails too late is nobody's to hear."""
    if not done.cancelled():
        done.exception()
