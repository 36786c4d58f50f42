"""docs/admin.md lists exactly the routes of the administrators' door, with the right that each needs, and the roles."""

from __future__ import annotations

import re

from gateway.admin.queue import Act
from gateway.admin.roles import RIGHTS, Role
from gateway.admin.routes import ROUTES
from gateway.filing.deadline import Level
from tests.docs.papers import DOCS, blocks, headings, section, table

TEXT = (DOCS / "admin.md").read_text(encoding="utf-8")
_ROUTE = re.compile(r"(GET|POST) (/\S*)")


def test_every_route_is_listed_once_and_no_other() -> None:
    listed = sorted(found.groups() for heading in headings(TEXT) if (found := _ROUTE.fullmatch(heading)))
    assert listed == sorted((route.method, route.path) for route in ROUTES)


def test_every_route_names_its_right_and_its_answer() -> None:
    for route in ROUTES:
        part = section(TEXT, f"### {route.method} {route.path}")
        right = "any administrator" if route.right is None else f"`{route.right.value}`"
        assert part.strip().startswith(f"Right: {right}."), route
        assert re.search(r"\b(20[01]|303)\b", part), route


def test_the_roles_are_those_of_the_code() -> None:
    told = {}
    for role, rights in table(TEXT, "role"):
        found = set(re.findall(r"`([a-z.-]+)`", rights))
        if "those of a viewer" in rights:
            found |= {right.value for right in RIGHTS[Role.VIEWER]}
        told[role.strip("`")] = found
    assert told == {role.value: {right.value for right in rights} for role, rights in RIGHTS.items()}


def test_acts_and_levels_are_those_of_the_code() -> None:
    queue = section(TEXT, "### POST /admin/v1/queue/{act}")
    assert all(f"`{act.value}`" in queue for act in Act)
    deadlines = section(TEXT, "### GET /admin/v1/deadlines")
    assert all(f"`{level.name.lower().replace('_', '-')}`" in deadlines for level in Level)


def test_the_example_names_a_route() -> None:
    (example,) = blocks(TEXT, "sh")
    assert "/admin/v1/queue/replay" in example
