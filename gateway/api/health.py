"""Health: `/healthz` says that the process lives, `/readyz` that it can keep a promise."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from gateway.api.answers import json_response

ReadyCheck = Callable[[], Awaitable[str | None]]
"""None when fine, else what is wrong (a word, no secrets)."""


def health_routes(checks: Mapping[str, ReadyCheck]) -> list[web.RouteDef]:
    """Both routes, for the machines' door and for the loopback health port alike."""

    async def healthz(_: web.Request) -> web.StreamResponse:
        return json_response({"alive": True})

    async def readyz(_: web.Request) -> web.StreamResponse:
        answers = {name: await check() for name, check in checks.items()}
        ready = not any(answers.values())
        return json_response(
            {"ready": ready, "checks": {name: fault or "ok" for name, fault in answers.items()}},
            status=200 if ready else 503,
        )

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]
