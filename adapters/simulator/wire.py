"""What a file of this folder must give so that the simulated authority can be spoken to in another way over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from adapters.simulator.authority import Authority, Failure
from adapters.told import Verdict

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Wire(Protocol):
    """One family's messages. Handlers raise `Failure` and `AnswerLost`; the server does the misbehaving."""

    name: str
    """The kind of adapter that speaks it; books keep it, so that a callback goes out as the filing came in."""

    def doors(self, authority: Authority) -> list[tuple[str, str, Handler]]:
        """Method, path and handler of each; paths differ from those of all other wires."""
        ...

    def failed(self, request: web.Request, failure: Failure, /) -> web.Response:
        """How this family says that."""
        ...

    def bomb(self, request: web.Request, /) -> web.Response:
        """An answer that is small and would unfold, or nest, without end, in the family's media type."""
        ...

    def callback(self, key: str, verdict: Verdict) -> tuple[bytes, str] | None:
        """Body and media type of a verdict sent by itself; None where this family never does."""
        ...
