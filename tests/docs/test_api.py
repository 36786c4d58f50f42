"""docs/api.md lists exactly the routes of the doors and exactly the problems that can leave them."""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.api.callbacks import CallbackDoor
from gateway.api.filings import FilingsDoor
from gateway.api.health import health_routes, metrics_route
from gateway.api.pages import PagesDoor
from gateway.api.papers import PapersDoor
from gateway.filing.filing import NoticeKind
from gateway.filing.portal import PORTAL, PORTAL_STATUS
from gateway.filing.status import Status
from tests.docs.papers import DOCS, ROOT, blocks, headings, section, table

TEXT = (DOCS / "api.md").read_text(encoding="utf-8")


def routes() -> set[tuple[str, str]]:
    """What the doors offer; the handlers are not called, so no door needs to be opened."""
    kinds = (FilingsDoor, PagesDoor, PapersDoor, CallbackDoor)
    doors = [kind.__new__(kind) for kind in kinds]
    found = [route for door in doors for route in door.routes()] + health_routes({}, {})
    found.append(metrics_route(lambda: asyncio.sleep(0, b"")))
    return {(route.method, route.path) for route in found}


def listed() -> list[tuple[str, str]]:
    return [
        (match[1], match[2])
        for h in headings(TEXT)
        if (match := re.fullmatch(r"(GET|POST|PUT|DELETE) (/\S+)", h))
    ]


def test_every_route_is_listed_once_and_no_other() -> None:
    assert sorted(listed()) == sorted(routes())


def test_every_route_says_who_may_call_and_what_it_answers() -> None:
    following = section(TEXT, "## Following")
    for method, path in listed():
        part = section(TEXT, f"### {method} {path}")
        assert "Who: " in part or (f"### {method} {path}" in following and "Who" in following.split("###")[0])
        assert re.search(r"\b20[01]\b", part), f"{method} {path} answers nothing"


def test_the_kinds_of_notices_are_those_of_the_code() -> None:
    part = section(TEXT, "### GET /v1/filings/{number}/notices/{kind}")
    assert {kind.value for kind in NoticeKind} <= set(re.findall(r"`(\w+)`", part))


def test_the_faults_of_a_multipart_request_are_those_of_the_code() -> None:
    source = (ROOT / "gateway/intake/multipart_texts.py").read_text(encoding="utf-8")
    told = {row[0].strip("`") for row in table(TEXT, "code") if row[0].startswith("`multipart.")}
    assert told == set(re.findall(r'_error\(\s*"(multipart\.[a-z-]+)"', source))


def test_the_portal_statuses_are_those_of_the_code() -> None:
    told = {
        int(row[0]): (row[1], {Status(name) for name in re.findall(r"`([a-z]+)`", row[2])})
        for row in table(TEXT, "portal")
    }
    ours = {number: {status for status in Status if PORTAL_STATUS[status] == number} for number in PORTAL}
    assert told == {number: (vi, ours[number]) for number, (vi, _) in PORTAL.items()}
    assert list(PORTAL) == list(range(1, 11))


def problems() -> Iterator[tuple[str, str]]:
    """(type, HTTP status) of every problem the code can make, read from the source: a new one cannot hide."""
    for file in sorted((ROOT / "gateway").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                yield from _problem(node, node.func.id, file)


def _problem(call: ast.Call, name: str, file: Path) -> Iterator[tuple[str, str]]:
    if name == "BadRequest":
        code = call.args[0]
        assert isinstance(code, ast.Constant), (
            f"{file}:{call.lineno}: the code of a BadRequest is written out"
        )
        yield str(code.value), "400"
    elif name == "Problem":
        status, kind = call.args[:2]
        if isinstance(kind, ast.Constant) and isinstance(status, ast.Constant):
            yield str(kind.value), str(status.value)
        elif isinstance(kind, ast.JoinedStr):
            yield "http-{status}", "as it says"
        else:  # a BadRequest on its way out: counted where it is raised
            assert isinstance(kind, ast.Attribute), (
                f"{file}:{call.lineno}: the type of a problem is written out"
            )
            assert ast.unparse(kind) == "error.code"


def test_every_problem_is_listed_with_its_status_and_no_other() -> None:
    rows = {(row[0].strip("`"), row[1]) for row in table(TEXT, "type")}
    assert rows == set(problems())


def test_problems_named_at_a_route_have_the_status_that_the_list_gives() -> None:
    known = {row[0].strip("`"): row[1] for row in table(TEXT, "type")}
    named = [pair for row in table(TEXT, "answer") for pair in re.findall(r"(\d{3}) `([a-z.-]+)`", row[0])]
    assert len(named) >= 10
    for status, kind in named:
        assert known[kind] == status


def test_json_examples_are_json() -> None:
    import json

    examples = blocks(TEXT, "json")
    assert len(examples) >= 4
    for example in examples:
        json.loads(example)
