"""The administrators' door over real mutual TLS: strangers, each role against each route, other sites, path tricks."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from gateway.admin.roles import RIGHTS, Right
from gateway.admin.routes import ROUTES, AdminRoute
from gateway.clock import clock
from tests.admin.people import ROLES, Answer, Caller, admin_house, context_of
from tests.house import House

KNOWN = [name for name in ROLES if name not in ("admin-expired", "admin-revoked")]


def filled(path: str) -> str:
    """A route's path about things that are not there."""
    for name in ("other:.+", "number", "agency", "id", "act", "name", "file", "kind", "step"):
        path = path.replace(f"{{{name}}}", "hold" if name == "act" else "nothing")
    assert "{" not in path
    return path


async def ask(caller: Caller, route: AdminRoute) -> Answer:
    return await (
        caller.get(filled(route.path)) if route.method == "GET" else caller.post(filled(route.path), {})
    )


async def test_each_role_gets_at_each_route_what_the_table_says_and_nothing_more(admins: House) -> None:
    """What is allowed is answered in some other way than by 403, whatever is asked for."""
    seen: dict[tuple[str, str], set[str]] = {}
    for who in KNOWN:
        rights = {right for role in ROLES[who] for right in RIGHTS[role]}
        async with Caller(admins, who) as caller:
            for route in ROUTES:
                answer = await ask(caller, route)
                allowed = route.right is None or route.right in rights
                assert (answer.status == 403) is not allowed, (who, route)
                if route.right is not None and not allowed:
                    assert route.right.value in answer.text, "it says which right is missing"
                assert answer.status < 500, (who, route, answer.text)
                if allowed:
                    seen.setdefault((route.method, route.path), set()).add(who)
    assert seen.keys() == {(route.method, route.path) for route in ROUTES}, "every route is somebody's"


def test_every_act_needs_a_right_that_acts() -> None:
    for route in ROUTES:
        if route.method != "GET":
            assert route.right is not None
            assert not route.right.value.endswith(".read"), route
        else:
            assert route.right is None or route.right.value.endswith(".read"), route
    assert {route.right for route in ROUTES} >= {Right.QUEUE_ACT, Right.AGENCIES_ACT, Right.INCIDENTS_ACT}


@pytest.mark.parametrize("who", [None, "provider-a", "stranger-client", "agency-tax"])
async def test_no_certificate_or_one_of_another_ca_fails_in_the_handshake(
    admins: House, who: str | None
) -> None:
    """Also those that the machines' door takes: this one trusts its own CA alone."""
    async with Caller(admins, who) as caller:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await caller.get("/admin/v1/me")


@pytest.mark.parametrize(
    ("who", "reason"),
    [("admin-unlisted", "not registered"), ("admin-revoked", "revoked")],
)
async def test_a_known_cas_certificate_that_is_nobodys_learns_nothing(
    admins: House, who: str, reason: str
) -> None:
    async with Caller(admins, who) as caller:
        for path in ("/admin/v1/me", "/admin/v1/queue", "/nothing", "/", "/console"):
            answer = await caller.get(path)
            assert answer.status == 403
            assert answer.json["reason"] == reason
        assert (await caller.post("/admin/v1/queue/hold", {})).json["reason"] == reason


async def test_an_expired_one_fails_in_the_handshake_and_one_that_expires_is_out_on_its_next_request(
    tmp_path: Path, pki_home: Path
) -> None:
    now = [clock()]
    async with admin_house(tmp_path, pki_home, now=lambda: now[0]) as house:
        async with Caller(house, "admin-expired") as caller:
            with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
                await caller.get("/admin/v1/me")
        async with Caller(house, "admin") as caller:
            assert (await caller.get("/admin/v1/me")).status == 200
            now[0] += timedelta(days=3650)
            assert (await caller.get("/admin/v1/me")).json["reason"] == "expired"


async def test_who_is_revoked_is_out_on_the_next_request_of_a_kept_connection(admins: House) -> None:
    async with Caller(admins, "admin-operator") as caller:
        assert (await caller.get("/admin/v1/me")).status == 200
        admins.pki.revoke("admin-operator", clock())
        admins.gateway.refresh()
        answer = await caller.get("/admin/v1/me")
    assert (answer.status, answer.json["reason"]) == (403, "revoked")


async def test_the_machines_door_knows_no_administrator(admins: House) -> None:
    url = f"https://localhost:{admins.gateway.port}/healthz"
    async with aiohttp.ClientSession() as session:
        with pytest.raises((aiohttp.ClientError, ssl.SSLError, ConnectionError)):
            await session.get(url, ssl=context_of(admins, "admin"))


async def test_paths_that_pretend_to_be_others_get_past_no_right(admins: House) -> None:
    async with Caller(admins, "admin-certificates") as caller:
        for path in (
            "/admin/v1/queue/", "//admin/v1/queue", "/admin//v1/queue", "/admin/v1/./queue", "/admin/v1/me/../queue",
            "/admin/v1/me/%2e%2e/queue", "/admin/v1/%71ueue", "/ADMIN/v1/queue", "/admin/v1/queue;a=1",
            "/admin/v1/filings/..%2f..%2fqueue", "/admin/v1/me%2f..%2fqueue", "/admin/v1/queue%00",
            "/admin/v1/queue%20",
        ):  # fmt: skip
            answer = await caller.get(path)
            assert answer.status in (400, 403, 404), (path, answer.status, answer.text)
            assert "waiting" not in answer.text
        for method in ("HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"):
            answer = await caller.ask(method, "/admin/v1/queue")
            assert answer.status in (403, 404, 405), method
            assert "Access-Control-Allow-Origin" not in answer.headers


async def test_another_site_cannot_act_in_an_administrators_name(admins: House) -> None:
    """What a browser sends with the person's certificate when a page elsewhere asks it to."""
    body = {"why": "x"}
    path = "/admin/v1/agencies/tax/hold"
    async with Caller(admins, "admin-operator") as caller:
        for headers in (
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": caller.origin.replace("https", "http")},
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"},
        ):
            answer = await caller.post(path, body, headers=headers)
            assert (answer.status, answer.json["type"]) == (403, "urn:efile:problem:admin.cross-site"), (
                headers
            )
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await caller.ask("POST", path, data=b'{"why":"x"}', headers={"Content-Type": kind})
            assert answer.status == 415, "what a form can send unasked is not read"
        assert all(one.act != "agency.hold" for one in await audit(admins))
        own = {"Origin": caller.origin, "Sec-Fetch-Site": "same-origin"}
        assert (await caller.post(path, body, headers=own)).status == 200


async def audit(house: House) -> list:  # type: ignore[type-arg]
    from gateway.store.looking import AuditFilter

    return await house.gateway.store.audit(AuditFilter())


async def test_every_answer_forbids_to_keep_to_frame_and_to_guess(admins: House) -> None:
    async with Caller(admins, "admin-viewer") as caller:
        for path in ("/admin/v1/queue", "/admin/v1/audit", "/nothing"):
            headers = (await caller.get(path)).headers
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]


async def test_what_is_denied_is_told_in_both_languages_and_logged(admins: House) -> None:
    from structlog.testing import capture_logs

    async with Caller(admins, "admin-viewer") as caller:
        with capture_logs() as logs:
            answer = await caller.get("/admin/v1/audit", headers={"Accept-Language": "en"})
    assert answer.json["details"] == {
        "vi": "Cần quyền audit.read.",
        "en": "The right audit.read is needed.",
    }
    assert answer.json["title"] == "Your roles do not give this right"
    assert [(one["person"], one["path"]) for one in logs if one["event"] == "admin-denied"] == [
        ("admin-viewer", "/admin/v1/audit")
    ]


async def test_without_admin_in_the_settings_there_is_no_door(house: House) -> None:
    assert house.settings.admin is None
    assert house.gateway.admin_port is None


async def test_many_at_once_are_served(admins: House) -> None:
    async with Caller(admins, "admin-viewer") as caller:
        answers = await asyncio.gather(*(caller.get("/admin/v1/queue") for _ in range(20)))
    assert {answer.status for answer in answers} == {200}
