"""Health: `/healthz` says that the process lives, `/readyz` that it can keep a promise, `/metrics` how it fares."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.api.answers import json_response
from gateway.errors import StoreUnavailable

ReadyCheck = Callable[[], Awaitable[str | None]]
"""None when fine, else what is wrong (a word, no secrets)."""


def metrics_route(exposed: Callable[[], Awaitable[bytes]]) -> web.RouteDef:
    """`/metrics` in Prometheus' text format, for the loopback health port alone."""

    async def metrics(_: web.Request) -> web.StreamResponse:
        try:
            return web.Response(body=await exposed(), headers={"Content-Type": CONTENT_TYPE_LATEST})
        except StoreUnavailable as error:
            return web.Response(status=503, text=f"the store cannot be read: {error}\n")

    return web.get("/metrics", metrics)


def health_routes(checks: Mapping[str, ReadyCheck], told: Mapping[str, ReadyCheck]) -> list[web.RouteDef]:
    """Both routes, for the machines' door and for the loopback health port alike. `told`: checks beside those by which
    this process is ready or not."""

    async def healthz(_: web.Request) -> web.StreamResponse:
        return json_response({"alive": True})

    async def readyz(_: web.Request) -> web.StreamResponse:
        answers = {name: await check() for name, check in checks.items()}
        ready = not any(answers.values())
        answers |= {name: await check() for name, check in told.items()}
        return json_response(
            {"ready": ready, "checks": {name: fault or "ok" for name, fault in answers.items()}},
            status=200 if ready else 503,
        )

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]
