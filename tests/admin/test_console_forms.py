"""What the console's forms do, and what keeps everybody else from using them."""

from __future__ import annotations

from gateway.store.looking import AuditFilter
from tests.admin.people import Answer, Caller, tree_of
from tests.house import House
from tests.pages import text_of


class Browser:
    """A caller that takes the forms from the pages, as a browser does."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.headers = {"Origin": caller.origin, "Sec-Fetch-Site": "same-origin"}

    async def token(self, path: str = "/console/queue") -> str:
        fields = [f for f in tree_of(await self.caller.get(path)).iter("input") if f.get("name") == "token"]
        return str(fields[0].get("value"))

    async def submit(
        self, path: str, fields: dict[str, str] | list[tuple[str, str]], **headers: str | None
    ) -> Answer:
        sent = {k: v for k, v in {**self.headers, **headers}.items() if v is not None}
        return await self.caller.ask("POST", path, data=fields, headers=sent)


async def acts(house: House) -> list[tuple[str, str, str]]:
    found = await house.gateway.store.audit(AuditFilter())
    return [(one.act, one.subject, one.detail) for one in found if one.actor == "admin:admin"]


async def test_filings_are_held_released_and_replayed_by_forms(scene: House, numbers: dict[str, str]) -> None:
    async with Caller(scene, "admin") as caller:
        browser = Browser(caller)
        token = await browser.token()
        ticked = [
            ("token", token),
            ("number", numbers["stuck"]),
            ("number", numbers["held"]),
            ("why", " mended "),
            ("scope", "ticked"),
        ]
        done = await browser.submit("/console/queue/replay", ticked)
        assert done.status == 200
        assert "1 / 2" in text_of(tree_of(done))
        assert "không bị ách lại" in text_of(tree_of(done)), "a Vietnamese page tells why in Vietnamese"
        assert "not stuck" not in text_of(tree_of(done))
        by_filter = {
            "token": token,
            "scope": "filter",
            "filter.held": "true",
            "filter.agency": "tax",
            "why": "go on",
        }
        released = await browser.submit("/console/queue/release", by_filter)
        assert "1 / 1" in text_of(tree_of(released))
    assert await acts(scene) == [
        ("filing.release", numbers["held"], "go on"), ("filing.replay", numbers["stuck"], "mended"),
    ]  # fmt: skip


async def test_agencies_incidents_certificates_and_providers_by_forms(scene: House) -> None:
    entry = next(e for e in await scene.gateway.store.entries() if e.party == "provider beta")
    async with Caller(scene, "admin") as caller:
        browser = Browser(caller)
        token = {"token": await browser.token(), "why": "x"}
        for path, more, back in (
            ("/console/agencies/tax/hold", {}, "/console/agencies"),
            (
                "/console/incidents",
                {"agency": "tax", "from": "2026-11-24T08:00", "until": ""},
                "/console/incidents",
            ),
            ("/console/incidents/SC-20261124-1/end", {"at": "2026-11-24T09:00"}, "/console/incidents"),
            ("/console/providers/beta/suspend", {}, "/console/providers"),
            ("/console/providers/beta/resume", {}, "/console/providers"),
            (
                f"/console/certificates/{entry.id}/revoke",
                {"version": "1", "at": ""},
                f"/console/certificates/{entry.id}",
            ),
        ):
            answer = await browser.submit(path, {**token, **more})
            assert (answer.status, answer.headers.get("Location")) == (303, back), (path, answer.text)
            assert (await caller.get(back)).status == 200
        again = await browser.submit(f"/console/certificates/{entry.id}/revoke", {**token, "version": "1"})
        assert again.status == 409, "somebody who saw an older version is told"
    assert [act for act, _, _ in await acts(scene)] == [
        "client_certificate.revoke", "certificate.revoke",
        "provider.resume", "provider.suspend", "incident.end", "incident.declare", "agency.hold",
    ]  # fmt: skip


async def test_a_form_counts_only_with_its_token_its_session_its_certificate_and_its_origin(
    scene: House,
) -> None:
    path, fields = "/console/agencies/tax/hold", {"why": "x"}
    async with (
        Caller(scene, "admin") as caller,
        Caller(scene, "admin-operator") as other,
        Caller(scene, "admin") as elsewhere,
    ):
        browser = Browser(caller)
        token = await browser.token()
        others_token = await Browser(other).token()
        another_session = await Browser(elsewhere).token()
        for bad in ("", "0" * 64, token[:-1], others_token, another_session, "é"):
            answer = await browser.submit(path, {**fields, "token": bad})
            assert answer.status == 403, bad
        assert (await browser.submit(path, fields)).status == 403
        assert (await browser.submit(path, [("token", token), ("token", token), ("why", "x")])).status == 403
        for headers in (
            {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"},
            {"Origin": "null", "Sec-Fetch-Site": None},
            {"Origin": None, "Sec-Fetch-Site": "same-site"},
            {"Origin": None, "Sec-Fetch-Site": "none"},
            {"Origin": None, "Sec-Fetch-Site": None},
        ):
            answer = await browser.submit(path, {**fields, "token": token}, **headers)
            assert answer.status == 403, headers
            assert "<h1>" in answer.text, "people read it"
        kinds = ({"data": b"token=" + token.encode()}, {"json": {"token": token}})
        for kind in kinds:
            sent = await caller.ask("POST", path, headers=browser.headers, **kind)
            assert sent.status == 415
        assert await acts(scene) == []
        assert (await browser.submit(path, {**fields, "token": token})).status == 303
        stale = await Browser(elsewhere).submit(path, {**fields, "token": token})
        assert stale.status == 403, "another browser of the same person"


async def test_the_cookies_are_the_hosts_alone(scene: House) -> None:
    async with Caller(scene, "admin") as caller:
        given = (await caller.get("/console?lang=en")).headers
    for said in ("__Host-", "Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert said in given["Set-Cookie"]
    assert "Domain" not in given["Set-Cookie"]


async def test_forms_that_lie_do_nothing(scene: House, numbers: dict[str, str]) -> None:
    async with Caller(scene, "admin") as caller:
        browser = Browser(caller)
        token = await browser.token()
        base = [("token", token), ("why", "x")]
        hostile: list[tuple[str, list[tuple[str, str]]]] = [
            ("/console/queue/hold", base),
            ("/console/queue/hold", [*base, ("scope", "filter")]),
            ("/console/queue/hold", [*base, ("scope", "filter"), ("filter.limit", "5")]),
            ("/console/queue/hold", [*base, ("scope", "filter"), ("filter.zoo", "5")]),
            ("/console/queue/hold", [*base, ("number", "a\x00")]),
            ("/console/queue/hold", [*base, ("why", "y"), ("number", numbers["held"])]),
            ("/console/queue/hold", [("token", token), ("why", " "), ("number", numbers["delivered"])]),
            ("/console/queue/burn", [*base, ("number", numbers["delivered"])]),
            ("/console/incidents", [*base, ("agency", "tax"), ("from", "x")]),
            ("/console/incidents/SC-1/end", [*base, ("at", "2026-11-24T08:00")]),
            ("/console/certificates/tls-1/revoke", [*base, ("version", "1")]),
            ("/console/certificates/tls-1/revoke", [*base, ("version", "x")]),
            ("/console/providers/zoo/suspend", base),
            ("/console/providers/beta/burn", base),
        ]
        for path, fields in hostile:
            answer = await browser.submit(path, fields)
            assert answer.status in (400, 404), (path, fields, answer.status)
            assert tree_of(answer).find(".//h1") is not None
        many = b"&".join(b"number=%d" % n for n in range(13_000))
        headers = {**browser.headers, "Content-Type": "application/x-www-form-urlencoded"}
        assert (await caller.ask("POST", "/console/queue/hold", data=many, headers=headers)).status == 400
    assert await acts(scene) == []
