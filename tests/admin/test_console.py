"""The console over real mutual TLS: valid, escaped, accessible, and safe against other sites."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree.ElementTree import Element

from gateway.admin.certificates import CertificateAct
from gateway.admin.console.page import NAVIGATION
from gateway.admin.console.render import _FOLDER, STYLE_NAME, span, words
from gateway.admin.console.session import Sessions
from gateway.admin.queue import Act
from gateway.admin.routes import ROUTES
from gateway.calendar import Milestone
from gateway.filing.attempt import AttemptResult
from gateway.filing.filing import NoticeKind
from gateway.filing.findings import Severity
from gateway.filing.handover import HandoverStatus
from gateway.filing.status import Status
from gateway.register.entry import Purpose, State
from tests.admin.people import Answer, Caller, tree_of
from tests.admin.scenes import HOSTILE
from tests.house import House
from tests.pages import text_of

PAGES = sorted(
    route.path for route in ROUTES if route.method == "GET" and route.is_page and "{" not in route.path
)
READABLE = HOSTILE.replace("\u202e", "�").replace("\u0007", "�")


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
    for who, count in (("admin-viewer", 8), ("admin-certificates", 5), ("admin-auditor", 10), ("admin", 10)):
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
        "result-",
        "event-",
    }
    for name in vi:
        used = f'w["{name}"]' in source or f"w.{name}" in source or f'"{name}"' in source
        assert used or any(name.startswith(family) for family in families), name


def test_every_state_that_there_is_has_its_word() -> None:
    said = words("vi")
    kinds = {"status-": [*Status, *HandoverStatus], "purpose-": Purpose, "notice-": NoticeKind, "severity-": Severity,
             "milestone-": Milestone, "result-": AttemptResult, "do-": [*Act, *CertificateAct], "done-": Act,
             "state-": State, "lane-": ("closed", "open", "half-open", "asked", "maintenance", "held")}  # fmt: skip
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
