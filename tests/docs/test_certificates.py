"""docs/certificates.md names the register's purposes, states, moves, commands and warnings as the code has them."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import click

from gateway.cli.certs import certs
from gateway.register.entry import MOVES, Purpose, State
from gateway.warning.channels import a_test
from gateway.warning.matter import Kind, Message
from gateway.warning.webhook import payload
from tests.docs.papers import DOCS, blocks, table

TEXT = (DOCS / "certificates.md").read_text(encoding="utf-8")


def test_purposes_and_states_are_those_of_the_code() -> None:
    named = {word for row in table(TEXT, "purpose") for word in re.findall(r"`([a-z-]+)`", row[0])}
    assert named == {purpose.value for purpose in Purpose}
    moves = {
        State(row[0]): {State(word) for word in row[1].split(", ") if word != "–"}
        for row in table(TEXT, "state")
    }
    assert moves == MOVES


def test_every_command_is_explained_and_no_other() -> None:
    told = set()
    for row in table(TEXT, "command"):
        for spelled in re.findall(r"`efile certs ([a-z -]+?)(?: --[a-z]+)?`((?:, `[a-z]+`)*)", row[0]):
            *group, first = spelled[0].split()
            told |= {" ".join([*group, word]) for word in [first, *re.findall(r"`([a-z]+)`", spelled[1])]}
    assert told == set(commands(certs))


def commands(group: click.Group, before: str = "") -> list[str]:
    found = []
    for name, command in group.commands.items():
        inner = isinstance(command, click.Group)
        found += commands(command, f"{name} ") if inner else [before + name]  # type: ignore[arg-type]
    return found


def test_every_kind_of_warning_is_listed_and_the_payload_is_that_of_the_code() -> None:
    assert [row[0].strip("`") for row in table(TEXT, "kind")] == [kind.value for kind in Kind]
    (shown,) = blocks(TEXT, "json")
    at = datetime(2026, 6, 1, tzinfo=UTC)
    sent = payload(Message("SLA", "x", at, (a_test(at),)))
    assert members(json.loads(shown)) == members(json.loads(sent))


def members(value: Any) -> Any:
    """A document without its values."""
    if isinstance(value, dict):
        return {name: members(inner) for name, inner in value.items()}
    return [members(inner) for inner in value] if isinstance(value, list) else None
