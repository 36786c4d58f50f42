"""The console over real mutual TLS: valid, escaped, accessible, and safe against other sites."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest

from gateway.admin.certificates import CertificateAct
from gateway.admin.console.page import NAVIGATION
from gateway.admin.console.render import _FOLDER, STYLE_NAME, span, words
from gateway.admin.console.session import Sessions
from gateway.admin.queue import Act
from gateway.admin.routes import ROUTES
from gateway.calendar import Milestone
from gateway.filing.filing import NoticeKind
from gateway.filing.findings import Severity
from gateway.filing.handover import HandoverStatus
from gateway.filing.status import Status
from gateway.register.entry import Purpose, State
from gateway.store.looking import AuditFilter
from tests.admin.people import Answer, Caller, admin_house
from tests.admin.scenes import HOSTILE, fill
from tests.house import House
from tests.pages import text_of

PAGES = sorted(
    route.path for route in ROUTES if route.method == "GET" and route.is_page and "{" not in route.path
)
READABLE = HOSTILE.replace("\u202e", "�").replace("\u0007", "�")


@pytest.fixture(scope="module")
def numbers() -> dict[str, str]:
    return {}


@pytest.fixture
async def scene(tmp_path: Path, pki_home: Path, numbers: dict[str, str]) -> AsyncIterator[House]:
    numbers.update(await fill(tmp_path / "store" / "efile.sqlite"))
    async with admin_house(tmp_path, pki_home) as house:
        yield house


def tree_of(answer: Answer) -> Element:
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    tree: Element = parser.parse(answer.text)
    return tree


async def every_page(caller: Caller, house: House, numbers: dict[str, str]) -> dict[str, Answer]:
    entries = await house.gateway.store.entries()
    more = [f"/console/filings/{number}" for number in numbers.values()]
    more += [
        f"/console/certificates/{entries[0].id}",
        "/console/filings?q=5500123457",
        "/console/certificates?all=true",
    ]
    more += [
        "/console/queue?status=stuck",
        "/console/deadlines?all=true",
        "/console/filings/nothing",
        "/console/nothing",
        "/console/audit?x=1",
    ]
    return {path: await caller.get(path) for path in [*PAGES[1:], *more]}


async def test_every_page_is_valid_escaped_and_without_anything_that_could_run(
    scene: House, numbers: dict[str, str]
) -> None:
    hostile = 0
    for language in ("vi", "en"):
        async with Caller(scene, "admin") as caller:
            await caller.get(f"/console?lang={language}")
            for path, answer in (await every_page(caller, scene, numbers)).items():
                assert answer.status in ((404, 400) if path.endswith(("nothing", "x=1")) else (200,)), (
                    path,
                    answer,
                )
                tree = tree_of(answer)
                assert tree.get("lang") == language, path
                hostile += READABLE in text_of(tree)
                for element in tree.iter():
                    assert element.tag not in ("script", "style", "iframe", "img", "object", "base"), (
                        path,
                        element.tag,
                    )
                    for name, value in element.attrib.items():
                        assert not name.startswith("on"), (path, name)
                        assert name != "style", path
                        if name in ("href", "src", "action", "formaction"):
                            assert value.startswith(("/console", "#")), (path, value)
                assert "49" not in re.findall(r"\{\{.*?\}\}|49</bdi>", answer.text)
    assert hostile >= 8, "the hostile words were there to be shown"


async def test_every_page_forbids_to_run_to_frame_and_to_keep(scene: House, numbers: dict[str, str]) -> None:
    async with Caller(scene, "admin") as caller:
        for path, answer in (await every_page(caller, scene, numbers)).items():
            policy = answer.headers["Content-Security-Policy"]
            assert policy.startswith("default-src 'none'; "), path
            assert "frame-ancestors 'none'" in policy
            assert "form-action 'self'" in policy
            assert "unsafe" not in policy
            assert "script-src" not in policy
            assert answer.headers["Cache-Control"] == "no-store"
            assert answer.headers["Referrer-Policy"] == "same-origin"
        style = await caller.get(f"/console/static/{STYLE_NAME}")
        assert style.headers["Content-Type"].startswith("text/css")
        assert "immutable" in style.headers["Cache-Control"]
        assert "url(" not in style.text
        assert "@import" not in style.text
        for path in ("page.py", "..%2frender.py", "%2e%2e/words.toml", "style.css", STYLE_NAME + "%00"):
            assert (await caller.get(f"/console/static/{path}")).status == 404, path


async def test_every_page_can_be_read_by_ear_and_worked_by_keys(
    scene: House, numbers: dict[str, str]
) -> None:
    async with Caller(scene, "admin") as caller:
        for path, answer in (await every_page(caller, scene, numbers)).items():
            tree = tree_of(answer)
            ids = [element.get("id") for element in tree.iter() if element.get("id")]
            assert len(ids) == len(set(ids)), (path, sorted(ids))
            for name in ("header", "nav", "main", "footer", "h1"):
                assert len(list(tree.iter(name))) == 1, (path, name)
            (title,) = tree.iter("title")
            assert " – " in text_of(title)
            first = next(tree.iter("a"))
            assert first.get("href") == "#content", "the first stop leads past the navigation"
            assert next(tree.iter("main")).get("id") == "content"
            levels = [int(e.tag[1]) for e in tree.iter() if re.fullmatch("h[1-6]", str(e.tag))]
            assert all(b <= a + 1 for a, b in pairwise(levels)), (path, levels)
            _labelled(tree, path)
            for table in tree.iter("table"):
                heads = [cell for row in table.iter("thead") for cell in row.iter("th")]
                assert heads, path
                assert all(cell.get("scope") == "col" for cell in heads), path
                assert all(text_of(cell) for cell in heads), path
                assert all(row.find("th") is not None for body in table.iter("tbody") for row in body), path
            for element in tree.iter():
                for name in ("aria-labelledby", "aria-describedby"):
                    assert set((element.get(name) or "").split()) <= set(ids), (path, name, element.attrib)


def _labelled(tree: Element, path: str) -> None:
    labels = {label.get("for") for label in tree.iter("label")}
    inside = {
        id(field)
        for label in tree.iter("label")
        for field in label.iter()
        if field.tag in ("input", "select")
    }
    for field in tree.iter():
        if field.tag in ("input", "select", "textarea") and field.get("type") != "hidden":
            named = field.get("id") in labels or field.get("aria-label") or id(field) in inside
            assert named, (path, field.attrib)
        if field.tag in ("button", "a"):
            assert text_of(field), (path, field.attrib)


async def test_the_navigation_shows_what_the_caller_may_see(scene: House) -> None:
    for who, count in (("admin-viewer", 8), ("admin-certificates", 4), ("admin-auditor", 9), ("admin", 9)):
        async with Caller(scene, who) as caller:
            answer = await caller.get("/console")
            assert answer.status == 200
            (nav,) = tree_of(answer).iter("nav")
            shown = [link.get("href") for link in nav.iter("a")]
            assert len(shown) == count, (who, shown)
            for path in {item.path for item in NAVIGATION}:
                assert ((await caller.get(path)).status == 200) is (path in shown), (who, path)


async def test_who_may_not_act_sees_no_form_that_acts(scene: House, numbers: dict[str, str]) -> None:
    for who, forms in (("admin-viewer", False), ("admin-auditor", False), ("admin-operator", True)):
        async with Caller(scene, who) as caller:
            for path in (
                "/console/queue",
                "/console/agencies",
                "/console/incidents",
                f"/console/filings/{numbers['held']}",
            ):
                posts = [f for f in tree_of(await caller.get(path)).iter("form") if f.get("method") == "post"]
                acting = [b for form in posts for b in form.iter("button")]
                assert bool(acting) is forms, (who, path)


async def test_a_language_is_chosen_and_kept(scene: House) -> None:
    async with Caller(scene, "admin-viewer") as caller:
        for headers, lang in (
            ({}, "vi"),
            ({"Accept-Language": "en-GB,vi;q=0.5"}, "en"),
            ({"Accept-Language": "vi,en"}, "vi"),
        ):
            assert tree_of(await caller.get("/console", headers=headers)).get("lang") == lang
        switch = next(
            a for a in tree_of(await caller.get("/console/queue?agency=tax")).iter("a") if a.get("hreflang")
        )
        assert (switch.get("lang"), switch.get("href")) == ("en", "/console/queue?agency=tax&lang=en")
        assert tree_of(await caller.get(str(switch.get("href")))).get("lang") == "en"
        assert tree_of(await caller.get("/console", headers={"Accept-Language": "vi"})).get("lang") == "en", (
            "kept"
        )
        assert (await caller.get("/console?lang=xx")).status == 200


def test_all_words_are_there_in_both_languages_and_all_are_used() -> None:
    source = "".join(file.read_text("utf-8") for file in [*_FOLDER.rglob("*.j2"), *_FOLDER.glob("*.py")])
    vi, en = words("vi"), words("en")
    assert all(vi[name].strip() and en[name].strip() for name in vi)
    families = {
        "nav-",
        "status-",
        "lane-",
        "milestone-",
        "notice-",
        "severity-",
        "purpose-",
        "state-",
        "done-",
        "do-",
        "agency-",
    }
    for name in vi:
        used = f'w["{name}"]' in source or f"w.{name}" in source or f'"{name}"' in source
        assert used or any(name.startswith(family) for family in families), name


def test_every_state_that_there_is_has_its_word() -> None:
    said = words("vi")
    kinds = {"status-": [*Status, *HandoverStatus], "purpose-": Purpose, "notice-": NoticeKind, "severity-": Severity,
             "milestone-": Milestone, "do-": [*Act, *CertificateAct], "done-": Act, "state-": State,
             "lane-": ("closed", "open", "half-open", "asked", "maintenance", "held")}  # fmt: skip
    missing = [
        f"{family}{one}" for family, all_of in kinds.items() for one in all_of if f"{family}{one}" not in said
    ]
    assert missing == []


def test_a_token_is_the_doors_the_sessions_and_the_certificates() -> None:
    one, same, other = Sessions(b"key"), Sessions(b"key"), Sessions(b"another")
    token = one.token("a" * 32, "b" * 64)
    assert same.token("a" * 32, "b" * 64) == token, "another process of the same door takes it"
    assert (
        len(
            {
                token,
                other.token("a" * 32, "b" * 64),
                one.token("c" * 32, "b" * 64),
                one.token("a" * 32, "d" * 64),
            }
        )
        == 4
    )


def test_spans_are_told_in_two_units_at_most() -> None:
    said = words("en")
    for seconds, text in (
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (-90000, "1 days 1 h"),
        (86461, "1 days"),
    ):
        assert span(seconds, said) == text


# What a form needs


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
